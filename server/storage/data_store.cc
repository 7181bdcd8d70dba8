#include "server/storage/data_store.h"

#include <fmt/format.h>
#include <rocksdb/listener.h>
#include <rocksdb/write_batch.h>
#include <xxhash.h>

#include <utility>

#include "raft/check.h"
#include "server/storage/byte_codec.h"
#include "server/storage/envelope.h"
#include "server/storage/key_format.h"
#include "server/storage/rocks.h"
#include "server/storage/rocks_figures.h"

namespace quorate {
namespace {

constexpr int kDataStoreFormat = 1;
constexpr std::string_view kDataStoreFormatName = "format";
// Applied batches whose sizes sum up to a small part of a memtable share a mark.
constexpr size_t kMarksInMemtable = 16;

std::string DataKey(ReplicaId replica, std::string_view key) {
  return RecordKey(replica, RecordKind::kData, key);
}

// Keys are user's bytes: shown in hex, and not whole.
std::string ShowKey(std::string_view key) {
  std::string hex;
  for (const char byte : key.substr(0, 32)) hex += fmt::format("{:02x}", byte & 0xff);
  return key.size() > 32 ? hex + "..." : hex;
}

absl::Status Locate(const absl::Status& status, ReplicaId replica, std::string_view key) {
  return {status.code(),
          fmt::format("replica {}, key 0x{}: {}", replica.value(), ShowKey(key),
                      std::string_view(status.message().data(), status.message().size()))};
}

rocksdb::WriteOptions WithoutWal() {
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  return options;
}

template <class Message>
absl::StatusOr<Message> ParseRecord(std::string_view bytes, ReplicaId replica,
                                    std::string_view what) {
  Message message;
  std::string_view content = bytes;
  if (!CheckAndStripChecksum(&content, replica.value()) ||
      !message.ParseFromArray(content.data(), static_cast<int>(content.size()))) {
    return absl::DataLossError(
        fmt::format("replica {}: damaged record of its {}", replica.value(), what));
  }
  return message;
}

// Records of ours end in a checksum that binds them to their replica.
std::string SealRecord(ReplicaId replica, std::string bytes) {
  AppendChecksum(&bytes, replica.value());
  return bytes;
}

// Tells the marks what RocksDB has flushed. Its calls come after the manifest names the file, and
// in the order of the memtables.
class FlushListener final : public rocksdb::EventListener {
 public:
  explicit FlushListener(std::shared_ptr<FlushMarks> marks) : marks_(std::move(marks)) {}
  void OnFlushCompleted(rocksdb::DB* /*db*/, const rocksdb::FlushJobInfo& flush) override {
    marks_->Flushed(flush.largest_seqno);
  }

 private:
  const std::shared_ptr<FlushMarks> marks_;
};

}  // namespace

ApplyBatch::ApplyBatch() : batch_(std::make_unique<rocksdb::WriteBatch>()) {}
ApplyBatch::~ApplyBatch() = default;
ApplyBatch::ApplyBatch(ApplyBatch&&) noexcept = default;
ApplyBatch& ApplyBatch::operator=(ApplyBatch&&) noexcept = default;

void ApplyBatch::PutValue(ReplicaId replica, std::string_view key, const NewValue& value) {
  std::string record_key = DataKey(replica, key);
  batch_->Put(record_key, EncodeEnvelope({.version = value.version,
                                          .expiry_us = value.expiry_us,
                                          .key_hash = value.key_hash,
                                          .version_vector = {},
                                          .transaction = {},
                                          .value = value.value}));
  versions_[std::move(record_key)] = value.version;
}

void ApplyBatch::DeleteValue(ReplicaId replica, std::string_view key) {
  std::string record_key = DataKey(replica, key);
  batch_->Delete(record_key);
  versions_[std::move(record_key)] = std::nullopt;
}

void ApplyBatch::PutMeta(ReplicaId replica, const internal::v1::ReplicaMeta& meta) {
  batch_->Put(RecordKey(replica, RecordKind::kMeta, kReplicaMetaName),
              SealRecord(replica, meta.SerializeAsString()));
  applied_[replica] = meta.applied_index();
}

void ApplyBatch::PutRequestRow(ReplicaId replica, const internal::v1::RequestRow& row) {
  batch_->Put(DedupKey(replica, row.index()), SealRecord(replica, row.SerializeAsString()));
}

void ApplyBatch::DeleteRequestRow(ReplicaId replica, uint64_t index) {
  deleted_rows_.push_back(DedupKey(replica, index));
}

void ApplyBatch::PutClusterState(ReplicaId replica, std::string_view state) {
  batch_->Put(RecordKey(replica, RecordKind::kMeta, kClusterStateName),
              SealRecord(replica, std::string(state)));
}

void ApplyBatch::Clear() {
  batch_->Clear();
  versions_.clear();
  applied_.clear();
  deleted_rows_.clear();
}

bool ApplyBatch::IsEmpty() const { return batch_->Count() == 0 && deleted_rows_.empty(); }
size_t ApplyBatch::ByteSize() const { return batch_->GetDataSize(); }

DataSnapshot::DataSnapshot(DataSnapshot&& other) noexcept
    : db_(other.db_), snapshot_(std::exchange(other.snapshot_, nullptr)) {}

DataSnapshot& DataSnapshot::operator=(DataSnapshot&& other) noexcept {
  if (this != &other) {
    Release();
    db_ = other.db_;
    snapshot_ = std::exchange(other.snapshot_, nullptr);
  }
  return *this;
}

DataSnapshot::~DataSnapshot() { Release(); }

void DataSnapshot::Release() {
  if (snapshot_ != nullptr) db_->ReleaseSnapshot(std::exchange(snapshot_, nullptr));
}

absl::StatusOr<std::unique_ptr<DataStore>> DataStore::Open(const StoreOptions& options) {
  std::unique_ptr<DataStore> store(new DataStore());
  store->options_ = options;
  store->cache_ = rocksdb::NewLRUCache(options.cache_bytes);
  store->marks_ = std::make_shared<FlushMarks>(options.write_buffer_bytes / kMarksInMemtable);
  rocksdb::Options rocks = DataRocksOptions(options, store->cache_);
  rocks.listeners.push_back(std::make_shared<FlushListener>(store->marks_));
  auto db = OpenRocks(rocks, options.path);
  if (!db.ok()) return db.status();
  store->db_ = *std::move(db);
  if (absl::Status status = store->ClearStage(); !status.ok()) return AdviseIfDamaged(status);
  if (absl::Status status = store->CheckFormat(options.path); !status.ok()) {
    return AdviseIfDamaged(status);
  }
  return store;
}

DataStore::~DataStore() = default;

absl::Status DataStore::CheckFormat(const std::string& path) {
  const std::string key = RecordKey(kStoreRecords, RecordKind::kMeta, kDataStoreFormatName);
  auto stored = GetRecord(key);
  if (!stored.ok()) return stored.status();
  if (stored->has_value()) return CheckFormatText(**stored, "data", kDataStoreFormat, path);
  // New, or its first start ended before this record was flushed: then nothing else is here.
  std::unique_ptr<rocksdb::Iterator> all(db_->NewIterator(rocksdb::ReadOptions()));
  all->SeekToFirst();
  if (all->Valid()) return CheckFormatText("", "data", kDataStoreFormat, path);
  if (!all->status().ok()) return StatusFromRocks(all->status(), "read " + path);
  const rocksdb::Status status =
      db_->Put(WithoutWal(), key, fmt::format("data {}", kDataStoreFormat));
  if (!status.ok()) return StatusFromRocks(status, "write the format record of " + path);
  return Flush();
}

absl::StatusOr<std::optional<std::string>> DataStore::GetRecord(const std::string& key) const {
  std::string bytes;
  const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), key, &bytes);
  if (status.IsNotFound()) return std::nullopt;
  if (!status.ok()) return StatusFromRocks(status, "read the data store");
  return bytes;
}

absl::StatusOr<std::optional<StoredValue>> DataStore::Get(ReplicaId replica,
                                                          std::string_view key) const {
  return GetBy(rocksdb::ReadOptions(), replica, key);
}

absl::StatusOr<std::optional<StoredValue>> DataStore::GetFromMemory(ReplicaId replica,
                                                                    std::string_view key) const {
  rocksdb::ReadOptions options;
  options.read_tier = rocksdb::kBlockCacheTier;
  return GetBy(options, replica, key);
}

absl::StatusOr<std::optional<StoredValue>> DataStore::GetBy(const rocksdb::ReadOptions& options,
                                                            ReplicaId replica,
                                                            std::string_view key) const {
  rocksdb::PinnableSlice bytes;
  const rocksdb::Status status =
      db_->Get(options, db_->DefaultColumnFamily(), DataKey(replica, key), &bytes);
  if (status.IsNotFound()) return std::nullopt;
  if (status.IsIncomplete()) return absl::UnavailableError("not in memory");
  if (!status.ok()) return Locate(StatusFromRocks(status, "read"), replica, key);
  const auto envelope = DecodeEnvelope(FromSlice(bytes));
  if (!envelope.ok()) return Locate(envelope.status(), replica, key);
  return StoredValue{.version = envelope->version,
                     .value = std::string(envelope->value),
                     .expiry_us = envelope->expiry_us};
}

absl::StatusOr<std::optional<Version>> DataStore::GetVersion(ReplicaId replica,
                                                             std::string_view key,
                                                             const ApplyBatch& pending) const {
  const std::string record_key = DataKey(replica, key);
  const auto found = pending.versions_.find(record_key);
  if (found != pending.versions_.end()) return found->second;
  rocksdb::PinnableSlice bytes;
  const rocksdb::Status status =
      db_->Get(rocksdb::ReadOptions(), db_->DefaultColumnFamily(), record_key, &bytes);
  if (status.IsNotFound()) return std::nullopt;
  if (!status.ok()) return Locate(StatusFromRocks(status, "read"), replica, key);
  const auto envelope = DecodeEnvelope(FromSlice(bytes));
  if (!envelope.ok()) return Locate(envelope.status(), replica, key);
  return envelope->version;
}

absl::Status DataStore::Apply(ApplyBatch& batch) {
  for (const std::string& key : batch.deleted_rows_) batch.batch_->Delete(key);
  batch.deleted_rows_.clear();
  const rocksdb::Status status = db_->Write(WithoutWal(), batch.batch_.get());
  if (!status.ok()) return StatusFromRocks(status, "apply to the data store");
  marks_->Applied(db_->GetLatestSequenceNumber(), batch.ByteSize(), batch.applied_);
  return absl::OkStatus();
}

DataSnapshot DataStore::Snapshot() const {
  const rocksdb::Snapshot* snapshot = db_->GetSnapshot();
  QUORATE_CHECK(snapshot != nullptr);
  return DataSnapshot(db_.get(), snapshot);
}

absl::StatusOr<DataPage> DataStore::ReadPage(const DataSnapshot& snapshot, ReplicaId replica,
                                             const DataPageRequest& request) const {
  DataPage page;
  if (!request.end.empty() && request.end <= request.begin) return page;
  RangeIterator it(db_.get(),
                   request.end.empty() ? RecordKindEnd(replica, RecordKind::kData)
                                       : DataKey(replica, request.end),
                   snapshot.snapshot_);
  size_t bytes = 0;
  for (it.Seek(DataKey(replica, request.begin)); it->Valid(); it->Next()) {
    const std::string_view key = it.key().substr(kRecordPrefixSize);
    const auto envelope = DecodeEnvelope(it.value());
    if (!envelope.ok()) return Locate(envelope.status(), replica, key);
    const size_t size = key.size() + (request.keys_only ? 0 : envelope->value.size());
    const bool first = page.entries.empty();
    if (!first && (page.entries.size() >= request.limit || bytes + size > request.bytes_max)) {
      page.more = true;
      return page;
    }
    bytes += size;
    page.entries.push_back(
        {.key = std::string(key),
         .stored = {.version = envelope->version,
                    .value = std::string(request.keys_only ? std::string_view() : envelope->value),
                    .expiry_us = envelope->expiry_us}});
  }
  if (!it->status().ok()) {
    return Locate(StatusFromRocks(it->status(), "scan"), replica, request.begin);
  }
  return page;
}

absl::StatusOr<ReplicaChecksum> DataStore::Checksum(const DataSnapshot& snapshot,
                                                    ReplicaId replica) const {
  ReplicaChecksum checksum;
  XXH3_state_t* state = XXH3_createState();
  QUORATE_CHECK(state != nullptr);
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> owner(state, &XXH3_freeState);
  XXH3_64bits_reset(state);
  RangeIterator it(db_.get(), RecordKindEnd(replica, RecordKind::kData), snapshot.snapshot_,
                   /*whole_range=*/true);
  std::string head;
  for (it.Seek(DataKey(replica, "")); it->Valid(); it->Next()) {
    const std::string_view key = it.key().substr(kRecordPrefixSize);
    const auto envelope = DecodeEnvelope(it.value());
    if (!envelope.ok()) return Locate(envelope.status(), replica, key);
    // Lengths first, so that no two contents give the same stream.
    head.clear();
    AppendBigEndian64(&head, key.size());
    AppendBigEndian64(&head, envelope->value.size());
    head.append(key);
    head.append(envelope->version.view());
    XXH3_64bits_update(state, head.data(), head.size());
    XXH3_64bits_update(state, envelope->value.data(), envelope->value.size());
    ++checksum.keys;
  }
  if (!it->status().ok()) return StatusFromRocks(it->status(), "checksum the data");
  checksum.hash = XXH3_64bits_digest(state);
  return checksum;
}

absl::StatusOr<std::optional<internal::v1::ReplicaMeta>> DataStore::LoadMeta(
    ReplicaId replica) const {
  auto bytes = GetRecord(RecordKey(replica, RecordKind::kMeta, kReplicaMetaName));
  if (!bytes.ok()) return bytes.status();
  if (!bytes->has_value()) return std::nullopt;
  auto meta = ParseRecord<internal::v1::ReplicaMeta>(**bytes, replica, "applied index");
  if (!meta.ok()) return meta.status();
  marks_->FoundStored(replica, meta->applied_index());
  return *std::move(meta);
}

absl::StatusOr<std::vector<internal::v1::RequestRow>> DataStore::LoadRequestRows(
    ReplicaId replica) const {
  std::vector<internal::v1::RequestRow> rows;
  RangeIterator it(db_.get(), RecordKindEnd(replica, RecordKind::kDedup), nullptr,
                   /*whole_range=*/true);
  for (it.Seek(RecordKey(replica, RecordKind::kDedup, "")); it->Valid(); it->Next()) {
    auto row = ParseRecord<internal::v1::RequestRow>(it.value(), replica, "request memory");
    if (!row.ok()) return row.status();
    rows.push_back(*std::move(row));
  }
  if (!it->status().ok()) return StatusFromRocks(it->status(), "read the request memory");
  return rows;
}

absl::StatusOr<std::string> DataStore::LoadClusterState(ReplicaId replica) const {
  auto bytes = GetRecord(RecordKey(replica, RecordKind::kMeta, kClusterStateName));
  if (!bytes.ok()) return bytes.status();
  if (!bytes->has_value()) return std::string();
  std::string_view content = **bytes;
  if (!CheckAndStripChecksum(&content, replica.value())) {
    return absl::DataLossError(
        fmt::format("replica {}: damaged record of the cluster state", replica.value()));
  }
  return std::string(content);
}

absl::StatusOr<std::vector<ReplicaId>> DataStore::ListReplicas() const {
  std::vector<ReplicaId> replicas;
  std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(rocksdb::ReadOptions()));
  it->Seek(ReplicaBegin(kStoreRecords.Next()));
  while (it->Valid()) {
    const auto key = ParseRecordKey(FromSlice(it->key()));
    if (!key.has_value()) return absl::DataLossError("the data store holds a malformed key");
    replicas.push_back(key->replica);
    it->Seek(ReplicaEnd(key->replica));
  }
  if (!it->status().ok()) return StatusFromRocks(it->status(), "list replicas");
  return replicas;
}

absl::Status DataStore::DestroyReplica(ReplicaId replica) {
  QUORATE_CHECK(replica != kStoreRecords);
  const rocksdb::Status status = db_->DeleteRange(WithoutWal(), db_->DefaultColumnFamily(),
                                                  ReplicaBegin(replica), ReplicaEnd(replica));
  if (!status.ok()) return StatusFromRocks(status, "destroy a replica");
  marks_->Forget(replica);
  return Flush();
}

absl::Status DataStore::Flush() {
  return StatusFromRocks(db_->Flush(rocksdb::FlushOptions()), "flush the data store");
}

DataStoreStats DataStore::Stats() const {
  DataStoreStats stats;
  db_->GetIntProperty(rocksdb::DB::Properties::kCurSizeAllMemTables, &stats.memtable_bytes);
  db_->GetIntProperty(rocksdb::DB::Properties::kTotalSstFilesSize, &stats.file_bytes);
  stats.cache_bytes = cache_->GetUsage();
  return stats;
}

uint64_t DataStore::RocksProperty(const std::string& property) const {
  return ReadRocksProperty(db_.get(), property);
}

}  // namespace quorate
