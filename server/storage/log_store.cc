#include "server/storage/log_store.h"

#include <fmt/format.h>
#include <rocksdb/env.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <utility>

#include "raft/check.h"
#include "server/runtime/log.h"
#include "server/storage/byte_codec.h"
#include "server/storage/key_format.h"
#include "server/storage/log_record.h"
#include "server/storage/manifest_mark.h"
#include "server/storage/rocks.h"
#include "server/storage/rocks_figures.h"

namespace quorate {
namespace {

constexpr int kLogStoreFormat = 1;
constexpr std::string_view kLogStoreFormatName = "format";
constexpr std::string_view kBatchName = "batch";
constexpr char kManifestName[] = "manifest";

void PutBatchNumber(uint64_t number, rocksdb::WriteBatch* batch) {
  std::string bytes;
  AppendBigEndian64(&bytes, number);
  batch->Put(NodeRecordKey(kBatchName), SealNodeRecord(kBatchName, bytes));
}

// Whether it says that the file system had no room for the write itself: what was written before is
// in its place. In doubt, false. The words are those of rocksdb's PosixWritableFile::Append; a full
// disk that an fsync tells of has others.
bool IsRefusedAppend(const rocksdb::Status& status) {
  return status.IsNoSpace() && status.ToString().find("While appending") != std::string::npos;
}

}  // namespace

absl::StatusOr<std::unique_ptr<LogStore>> LogStore::Open(const StoreOptions& options) {
  std::unique_ptr<LogStore> store(new LogStore());
  store->cache_bytes_max_ = options.cache_bytes;
  rocksdb::Options rocks = LogRocksOptions(options);
  store->manifest_ = std::make_unique<ManifestMark>(rocks.env, options.path,
                                                    NodeRecordKey(kManifestName), kManifestName);
  store->manifest_->Watch(&rocks);
  auto db = OpenRocks(rocks, options.path);
  if (absl::Status status = store->manifest_->Verdict(); !status.ok()) return status;
  if (!db.ok()) return db.status();
  store->db_ = *std::move(db);
  store->lost_writes_.emplace(options.env != nullptr ? options.env : rocksdb::Env::Default(),
                              options.path);
  if (absl::Status status = store->CheckFormat(options.path); !status.ok()) return status;
  if (absl::Status status = store->LoadDurableBatch(); !status.ok()) return status;
  return store;
}

LogStore::~LogStore() = default;

absl::Status LogStore::CheckFormat(const std::string& path) {
  const auto stored = GetNodeRecord(kLogStoreFormatName);
  if (!stored.ok()) return stored.status();
  if (stored->has_value()) return CheckFormatText(**stored, "log", kLogStoreFormat, path);
  std::unique_ptr<rocksdb::Iterator> all(db_->NewIterator(rocksdb::ReadOptions()));
  all->SeekToFirst();
  if (all->Valid()) return CheckFormatText("", "log", kLogStoreFormat, path);
  if (!all->status().ok()) {
    return AdviseIfDamaged(StatusFromRocks(all->status(), "read " + path));
  }
  return PutNodeRecord(kLogStoreFormatName, fmt::format("log {}", kLogStoreFormat));
}

absl::Status LogStore::LoadDurableBatch() {
  const auto stored = GetNodeRecord(kBatchName);
  if (!stored.ok()) return stored.status();
  if (!stored->has_value()) return absl::OkStatus();
  uint64_t number = 0;
  ByteReader reader(**stored);
  if (!reader.Read<8>(&number)) return absl::DataLossError("damaged node record: batch");
  durable_batch_ = number;
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<GroupLog>> LogStore::OpenGroup(GroupId group, ReplicaId replica,
                                                              const raft::Configuration& founding,
                                                              uint64_t life) {
  QUORATE_CHECK(group != kNodeRecords);
  auto log = std::make_shared<GroupLog>(db_.get(), group, replica, founding);
  rocksdb::WriteBatch new_life;
  bool destroyed = false;
  {
    MutexLock lock(&write_mutex_);
    destroyed = destroyed_.erase(group) > 0;
  }
  // Not under the lock: nothing is appended to a group before it is open.
  if (destroyed) {
    log->LoadNew(life, &new_life);
  } else if (absl::Status status = log->Load(life, &new_life); !status.ok()) {
    return status;
  }
  MutexLock lock(&write_mutex_);
  if (new_life.Count() > 0) {
    if (absl::Status status = Write(new_life, /*sync=*/true); !status.ok()) return status;
  }
  const bool inserted = groups_.emplace(group, log).second;
  QUORATE_CHECK(inserted, "a group is opened once") << group.value();
  return log;
}

absl::Status LogStore::Health() const {
  MutexLock lock(&health_mutex_);
  return poison_;
}

absl::Status LogStore::Write(rocksdb::WriteBatch& batch, bool sync) {
  if (absl::Status status = Health(); !status.ok()) return status;
  rocksdb::WriteOptions options;
  options.sync = sync;
  if (sync) manifest_->AddTo(db_.get(), &batch);
  if (const rocksdb::Status written = db_->Write(options, &batch); !written.ok()) {
    Poison(written);
    return Health();
  }
  unsynced_ = !sync;
  return absl::OkStatus();
}

void LogStore::Poison(const rocksdb::Status& why) {
  const absl::Status status = StatusFromRocks(why, "write the log");
  if (unsynced_ && !IsRefusedAppend(why)) {
    if (absl::Status marked = lost_writes_->Set(status.ToString()); !marked.ok()) {
      LogError("log_store/lost_writes_not_marked", {{"error", marked.ToString()}});
    }
  }
  MutexLock lock(&health_mutex_);
  poison_ = status;
}

absl::Status LogStore::Append(absl::Span<const LogAppend> appends) {
  MutexLock lock(&write_mutex_);
  if (absl::Status status = Health(); !status.ok()) return status;
  rocksdb::WriteBatch batch;
  bool sync = false;
  for (const LogAppend& append : appends) {
    const auto found = groups_.find(append.group);
    if (found == groups_.end()) continue;
    found->second->Encode(append, &batch);
    sync |= append.sync;
  }
  if (batch.Count() == 0) return absl::OkStatus();
  const uint64_t number = durable_batch_.load() + (sync ? 1 : 0);
  if (sync) PutBatchNumber(number, &batch);
  if (absl::Status status = Write(batch, sync); !status.ok()) return status;
  durable_batch_ = number;
  ShowAppends(appends);
  EvictCache();
  return absl::OkStatus();
}

absl::Status LogStore::Sync() {
  MutexLock lock(&write_mutex_);
  const uint64_t number = durable_batch_.load() + 1;
  rocksdb::WriteBatch batch;
  PutBatchNumber(number, &batch);
  if (absl::Status status = Write(batch, /*sync=*/true); !status.ok()) return status;
  durable_batch_ = number;
  return absl::OkStatus();
}

void LogStore::ShowAppends(absl::Span<const LogAppend> appends) {
  for (const LogAppend& append : appends) {
    const auto found = groups_.find(append.group);
    if (found == groups_.end()) continue;
    const int64_t delta = found->second->Show(append);
    cached_bytes_ = static_cast<size_t>(static_cast<int64_t>(cached_bytes_) + delta);
    if (append.entries.empty()) continue;
    cached_runs_.push_back({.log = found->second, .last = append.entries.back().index});
  }
}

void LogStore::EvictCache() {
  while (cached_bytes_ > cache_bytes_max_ && !cached_runs_.empty()) {
    const CachedRun run = std::move(cached_runs_.front());
    cached_runs_.pop_front();
    if (const auto log = run.log.lock()) cached_bytes_ -= log->Evict(run.last);
  }
}

void LogStore::Forget(GroupId group) {
  const auto found = groups_.find(group);
  if (found != groups_.end()) {
    cached_bytes_ -= found->second->MarkClosed();
    groups_.erase(found);
  }
}

void LogStore::CloseGroup(GroupId group) {
  MutexLock lock(&write_mutex_);
  Forget(group);
}

absl::StatusOr<std::optional<LogHead>> LogStore::ReadHead(GroupId group) const {
  std::string bytes;
  const rocksdb::Status found =
      db_->Get(rocksdb::ReadOptions(), LogRecordKey(group, LogRecordKind::kHead), &bytes);
  if (found.IsNotFound()) return std::nullopt;
  if (!found.ok()) return StatusFromRocks(found, "read a log head");
  auto head = DecodeLogHead(group, bytes);
  if (!head.ok()) return head.status();
  return *std::move(head);
}

absl::StatusOr<ReplicaId> LogStore::OwnerOf(GroupId group) const {
  const auto head = ReadHead(group);
  if (!head.ok()) return head.status();
  return head->has_value() ? (*head)->replica : ReplicaId();
}

absl::Status LogStore::GiveGroup(GroupId group, ReplicaId to) {
  MutexLock lock(&write_mutex_);
  Forget(group);
  auto head = ReadHead(group);
  if (!head.ok()) return head.status();
  if (!head->has_value()) return absl::NotFoundError("there is no log");
  (*head)->replica = to;
  rocksdb::WriteBatch batch;
  batch.Put(LogRecordKey(group, LogRecordKind::kHead), EncodeLogHead(group, **head));
  return Write(batch, /*sync=*/true);
}

absl::Status LogStore::DestroyGroup(GroupId group) {
  QUORATE_CHECK(group != kNodeRecords);
  MutexLock lock(&write_mutex_);
  Forget(group);
  rocksdb::WriteBatch batch;
  batch.DeleteRange(LogGroupBegin(group), LogGroupEnd(group));
  if (absl::Status status = Write(batch, /*sync=*/true); !status.ok()) return status;
  destroyed_.insert(group);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<LogGroupInfo>> LogStore::ListGroups() const {
  std::vector<LogGroupInfo> groups;
  RangeIterator it(db_.get(), LogGroupBegin(kNodeRecords), nullptr);
  it.Seek("");
  while (it->Valid()) {
    if (it.key().size() < kRecordPrefixSize) {
      return absl::DataLossError("the log store holds a malformed key");
    }
    const GroupId group(LoadBigEndian64(it.key()));
    LogGroupInfo info{.group = group, .replica = ReplicaId()};
    std::string bytes;
    const rocksdb::Status found =
        db_->Get(rocksdb::ReadOptions(), LogRecordKey(group, LogRecordKind::kHead), &bytes);
    if (!found.ok() && !found.IsNotFound()) return StatusFromRocks(found, "read a log head");
    // A damaged head is OpenGroup's to report; the group exists in any case.
    if (const auto head = DecodeLogHead(group, bytes); head.ok()) info.replica = head->replica;
    groups.push_back(info);
    it.Seek(LogGroupEnd(group));
  }
  if (!it->status().ok()) return StatusFromRocks(it->status(), "list groups");
  return groups;
}

absl::Status LogStore::PutNodeRecord(std::string_view name, std::string_view bytes,
                                     uint64_t batch_at_least) {
  rocksdb::WriteBatch batch;
  batch.Put(NodeRecordKey(name), SealNodeRecord(name, bytes));
  MutexLock lock(&write_mutex_);
  const uint64_t number = std::max(durable_batch_.load(), batch_at_least);
  if (number != durable_batch_) PutBatchNumber(number, &batch);
  if (absl::Status status = Write(batch, /*sync=*/true); !status.ok()) return status;
  durable_batch_ = number;
  return absl::OkStatus();
}

absl::StatusOr<std::optional<std::string>> LogStore::GetNodeRecord(std::string_view name) const {
  std::string bytes;
  const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), NodeRecordKey(name), &bytes);
  if (status.IsNotFound()) return std::nullopt;
  if (!status.ok()) {
    return AdviseIfDamaged(StatusFromRocks(status, fmt::format("read node record {}", name)));
  }
  const auto content = OpenNodeRecord(name, bytes);
  if (!content.has_value()) {
    return AdviseIfDamaged(absl::DataLossError(fmt::format("damaged node record: {}", name)));
  }
  return std::string(*content);
}

uint64_t LogStore::RocksProperty(const std::string& property) const {
  return ReadRocksProperty(db_.get(), property);
}

}  // namespace quorate
