#include "server/storage/group_log.h"

#include <fmt/format.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <string>
#include <utility>

#include "raft/check.h"
#include "raft/configuration.h"
#include "server/storage/key_format.h"
#include "server/storage/log_record.h"
#include "server/storage/rocks.h"

namespace quorate {

using raft::Entry;
using raft::LogIndex;
using raft::Term;

struct GroupLog::EntryBudget {
  size_t bytes_left;
  bool first = true;
  bool spent = false;

  bool Take(const Entry& entry) {
    const size_t size = entry.ByteSize();
    if (!first && size > bytes_left) spent = true;
    if (spent) return false;
    first = false;
    bytes_left -= std::min(size, bytes_left);
    return true;
  }
};

LogIndex GroupLog::LastIndex() const {
  MutexLock lock(&mutex_);
  return last_index_;
}

uint64_t GroupLog::ByteSize() const {
  MutexLock lock(&mutex_);
  return sizes_.total();
}

LogIndex GroupLog::LastBefore(uint64_t bytes) const {
  MutexLock lock(&mutex_);
  return sizes_.LastBefore(bytes);
}

raft::SnapshotMeta GroupLog::Start() const {
  MutexLock lock(&mutex_);
  return start_;
}

std::vector<Entry> GroupLog::ConfigEntries() const {
  MutexLock lock(&mutex_);
  return {configurations_.begin(), configurations_.end()};
}

raft::Configuration GroupLog::StoredConfigurationAt(LogIndex index) const {
  for (auto entry = configurations_.rbegin(); entry != configurations_.rend(); ++entry) {
    if (entry->index > index) continue;
    auto configuration = raft::DecodeConfiguration(*entry->payload);
    if (configuration.ok()) return *std::move(configuration);
  }
  return start_.configuration;
}

raft::Configuration GroupLog::ConfigurationAt(LogIndex index) const {
  MutexLock lock(&mutex_);
  return StoredConfigurationAt(index);
}

absl::Status GroupLog::CheckRange(LogIndex first, LogIndex last) const {
  if (first > start_.index && first <= last && last <= last_index_) return absl::OkStatus();
  return absl::OutOfRangeError(
      fmt::format("group {}: entries {} to {} asked, the log holds {} to {}", group_.value(),
                  first.value(), last.value(), start_.index.Next().value(), last_index_.value()));
}

absl::StatusOr<Term> GroupLog::TermAt(LogIndex index) const {
  MutexLock lock(&mutex_);
  if (index != start_.index) {
    if (absl::Status status = CheckRange(index, index); !status.ok()) return status;
  }
  return StoredTermAt(index);
}

Term GroupLog::StoredTermAt(LogIndex index) const {
  if (index == start_.index) return start_.term;
  const auto after = std::upper_bound(term_runs_.begin(), term_runs_.end(), index,
                                      [](LogIndex i, const TermRun& run) { return i < run.first; });
  QUORATE_CHECK(after != term_runs_.begin());
  return std::prev(after)->term;
}

absl::StatusOr<std::vector<Entry>> GroupLog::Entries(LogIndex first, LogIndex last,
                                                     size_t bytes_max) const {
  std::vector<Entry> out;
  EntryBudget budget{.bytes_left = bytes_max};
  LogIndex next = first;
  while (next <= last && !budget.spent) {
    LogIndex disk_last = last;
    {
      MutexLock lock(&mutex_);
      if (absl::Status status = CheckRange(first, last); !status.ok()) return status;
      if (!cache_.empty() && cache_.front().index <= next) {
        auto entry =
            cache_.begin() + static_cast<ptrdiff_t>(next.value() - cache_.front().index.value());
        for (; next <= last && budget.Take(*entry); ++entry, next = next.Next()) {
          out.push_back(*entry);
        }
        return out;
      }
      if (!cache_.empty()) disk_last = std::min(last, cache_.front().index.Previous());
    }
    if (absl::Status status = ReadDisk(next, disk_last, &budget, &out); !status.ok()) {
      return status;
    }
    next = disk_last.Next();
  }
  return out;
}

absl::Status GroupLog::ReadDisk(LogIndex first, LogIndex last, EntryBudget* budget,
                                std::vector<Entry>* out) const {
  RangeIterator it(db_, LogEntryKey(group_, last.Next()), nullptr);
  LogIndex index = first;
  for (it.Seek(LogEntryKey(group_, first)); it->Valid(); it->Next(), index = index.Next()) {
    if (it.key() != LogEntryKey(group_, index)) break;
    absl::StatusOr<Entry> entry = DecodeEntry(group_, index, it.value());
    if (!entry.ok()) return entry.status();
    if (!budget->Take(*entry)) return absl::OkStatus();
    out->push_back(*std::move(entry));
  }
  if (!it->status().ok()) return StatusFromRocks(it->status(), "read the log");
  if (index <= last) {
    return absl::DataLossError(
        fmt::format("group {}: log entry {} is missing", group_.value(), index.value()));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> GroupLog::LoadHead() {
  std::string bytes;
  const rocksdb::Status found =
      db_->Get(rocksdb::ReadOptions(), LogRecordKey(group_, LogRecordKind::kHead), &bytes);
  if (found.IsNotFound()) return false;
  if (!found.ok()) return StatusFromRocks(found, "read a log head");
  const auto head = DecodeLogHead(group_, bytes);
  if (!head.ok()) return head.status();
  if (head->replica != replica_) {
    return absl::FailedPreconditionError(
        fmt::format("group {}: the stored log belongs to incarnation {}, not {}", group_.value(),
                    head->replica.value(), replica_.value()));
  }
  head_stored_ = head->configuration.has_value();
  MutexLock lock(&mutex_);
  start_.index = head->compacted_index;
  start_.term = head->compacted_term;
  if (head_stored_) start_.configuration = *head->configuration;
  return true;
}

absl::Status GroupLog::Load(uint64_t life, rocksdb::WriteBatch* batch) {
  const auto has_head = LoadHead();
  if (!has_head.ok()) return has_head.status();
  std::string bytes;
  const rocksdb::Status found =
      db_->Get(rocksdb::ReadOptions(), LogRecordKey(group_, LogRecordKind::kHardState), &bytes);
  if (!found.ok() && !found.IsNotFound()) return StatusFromRocks(found, "read a hard state");
  if (found.ok()) {
    const auto hard_state = DecodeHardState(group_, bytes);
    if (!hard_state.ok()) return hard_state.status();
    initial_hard_state_ = *hard_state;
  }
  const bool new_life = life > initial_hard_state_.life;
  if (absl::Status status = LoadEntries(new_life ? batch : nullptr); !status.ok()) return status;
  if (!*has_head && (found.ok() || LastIndex() > Start().index)) {
    return absl::DataLossError(fmt::format("group {}: the log's head is missing", group_.value()));
  }
  if (new_life) BeginLife(life, *has_head, batch);
  return absl::OkStatus();
}

void GroupLog::LoadNew(uint64_t life, rocksdb::WriteBatch* batch) {
  encoded_first_ = Start().index.Next();
  encoded_last_ = Start().index;
  if (life > 0) BeginLife(life, /*has_head=*/false, batch);
}

void GroupLog::BeginLife(uint64_t life, bool has_head, rocksdb::WriteBatch* batch) {
  initial_hard_state_.life = life;
  if (!has_head) initial_hard_state_.cured = life;
  // It was written behind the entries, but a torn log can have kept it without them.
  initial_hard_state_.commit = std::min(initial_hard_state_.commit, LastIndex());
  if (!head_stored_) EncodeHead(Start(), batch);
  batch->Put(LogRecordKey(group_, LogRecordKind::kHardState),
             EncodeHardState(group_, initial_hard_state_));
}

absl::Status GroupLog::LoadEntries(rocksdb::WriteBatch* cut) {
  MutexLock lock(&mutex_);
  last_index_ = start_.index;
  Term last_term = start_.term;
  RangeIterator it(db_, LogGroupEnd(group_), nullptr, /*whole_range=*/true);
  // What was dropped before is not looked at, deleted or not.
  for (it.Seek(LogEntryKey(group_, start_.index.Next())); it->Valid(); it->Next()) {
    const LogIndex index = last_index_.Next();
    if (it.key() != LogEntryKey(group_, index)) {
      if (cut != nullptr) {
        cut->DeleteRange(LogEntryKey(group_, index), LogGroupEnd(group_));
        break;
      }
      return absl::DataLossError(
          fmt::format("group {}: log entry {} is missing", group_.value(), index.value()));
    }
    const auto entry = DecodeEntry(group_, index, it.value());
    if (!entry.ok()) return entry.status();
    if (entry->term < last_term) {
      return absl::DataLossError(fmt::format("group {}: the term of log entry {} goes back",
                                             group_.value(), index.value()));
    }
    if (term_runs_.empty() || entry->term != last_term) {
      term_runs_.push_back({.first = index, .term = entry->term});
    }
    if (entry->kind == raft::EntryKind::kConfig) configurations_.push_back(*entry);
    last_term = entry->term;
    last_index_ = index;
    sizes_.Append(index, StoredEntrySize(*entry));
  }
  encoded_first_ = start_.index.Next();
  encoded_last_ = last_index_;
  return StatusFromRocks(it->status(), "read the log");
}

void GroupLog::Encode(const LogAppend& append, rocksdb::WriteBatch* batch) {
  if (append.reset.has_value()) {
    EncodeReset(*append.reset, batch);
  } else if (append.drop_to >= encoded_first_) {
    EncodeDrop(append.drop_to, batch);
  } else if (!head_stored_) {
    EncodeHead(Start(), batch);
  }
  if (append.hard_state.has_value()) {
    batch->Put(LogRecordKey(group_, LogRecordKind::kHardState),
               EncodeHardState(group_, *append.hard_state));
  }
  if (!append.entries.empty()) EncodeEntries(append.entries, batch);
}

void GroupLog::EncodeHead(const raft::SnapshotMeta& start, rocksdb::WriteBatch* batch) {
  const LogHead head{.replica = replica_,
                     .compacted_index = start.index,
                     .compacted_term = start.term,
                     .configuration = start.configuration};
  batch->Put(LogRecordKey(group_, LogRecordKind::kHead), EncodeLogHead(group_, head));
  head_stored_ = true;
}

void GroupLog::EncodeReset(const raft::SnapshotMeta& start, rocksdb::WriteBatch* batch) {
  EncodeHead(start, batch);
  batch->DeleteRange(LogEntryKey(group_, LogIndex(0)), LogGroupEnd(group_));
  encoded_first_ = start.index.Next();
  encoded_last_ = start.index;
}

void GroupLog::EncodeDrop(LogIndex last, rocksdb::WriteBatch* batch) {
  raft::SnapshotMeta start;
  {
    MutexLock lock(&mutex_);
    QUORATE_CHECK(last <= last_index_, "only what is durable is dropped") << group_.value();
    start = {
        .index = last, .term = StoredTermAt(last), .configuration = StoredConfigurationAt(last)};
  }
  EncodeHead(start, batch);
  batch->DeleteRange(LogEntryKey(group_, encoded_first_), LogEntryKey(group_, last.Next()));
  encoded_first_ = last.Next();
}

void GroupLog::EncodeEntries(const std::vector<Entry>& entries, rocksdb::WriteBatch* batch) {
  LogIndex next = entries.front().index;
  QUORATE_CHECK(next >= encoded_first_ && next <= encoded_last_.Next())
      << "group " << group_.value() << ": append at " << next.value() << " to a log that ends at "
      << encoded_last_.value();
  for (const Entry& entry : entries) {
    QUORATE_CHECK(entry.index == next, "consecutive") << entry.index.value();
    const std::string key = LogEntryKey(group_, entry.index);
    const EntryFrame frame = FrameEntry(group_, entry);
    const rocksdb::Slice key_slice(key);
    const std::array<rocksdb::Slice, 3> value = {
        rocksdb::Slice(frame.head.data(), frame.head.size()),
        entry.payload ? rocksdb::Slice(*entry.payload) : rocksdb::Slice(),
        rocksdb::Slice(frame.checksum.data(), frame.checksum.size())};
    batch->Put(rocksdb::SliceParts(&key_slice, 1), rocksdb::SliceParts(value.data(), 3));
    next = next.Next();
  }
  for (LogIndex cut = next; cut <= encoded_last_; cut = cut.Next()) {
    batch->Delete(LogEntryKey(group_, cut));
  }
  encoded_last_ = next.Previous();
}

int64_t GroupLog::CutFrom(LogIndex first) {
  int64_t delta = 0;
  while (!cache_.empty() && cache_.back().index >= first) {
    delta -= static_cast<int64_t>(cache_.back().ByteSize());
    cache_.pop_back();
  }
  sizes_.CutFrom(first);
  while (!term_runs_.empty() && term_runs_.back().first >= first) term_runs_.pop_back();
  while (!configurations_.empty() && configurations_.back().index >= first) {
    configurations_.pop_back();
  }
  last_index_ = std::min(last_index_, first.Previous());
  return delta;
}

int64_t GroupLog::ShowReset(const raft::SnapshotMeta& start) {
  const int64_t delta = CutFrom(start_.index.Next());
  start_ = start;
  last_index_ = start.index;
  return delta;
}

int64_t GroupLog::ShowDrop(LogIndex last) {
  start_ = {
      .index = last, .term = StoredTermAt(last), .configuration = StoredConfigurationAt(last)};
  while (!configurations_.empty() && configurations_.front().index <= last) {
    configurations_.pop_front();
  }
  while (term_runs_.size() > 1 && term_runs_[1].first <= last.Next()) {
    term_runs_.erase(term_runs_.begin());
  }
  if (last == last_index_) {
    term_runs_.clear();
  } else {
    term_runs_.front().first = last.Next();
  }
  sizes_.DropTo(last);
  return -static_cast<int64_t>(EvictCached(last));
}

int64_t GroupLog::Show(const LogAppend& append) {
  MutexLock lock(&mutex_);
  int64_t delta = 0;
  if (append.reset.has_value()) {
    delta = ShowReset(*append.reset);
  } else if (append.drop_to > start_.index) {
    delta = ShowDrop(append.drop_to);
  }
  if (append.entries.empty()) return delta;
  delta += CutFrom(append.entries.front().index);
  for (const Entry& entry : append.entries) {
    if (term_runs_.empty() || term_runs_.back().term != entry.term) {
      term_runs_.push_back({.first = entry.index, .term = entry.term});
    }
    if (entry.kind == raft::EntryKind::kConfig) configurations_.push_back(entry);
    cache_.push_back(entry);
    sizes_.Append(entry.index, StoredEntrySize(entry));
    delta += static_cast<int64_t>(entry.ByteSize());
  }
  last_index_ = append.entries.back().index;
  return delta;
}

size_t GroupLog::Evict(LogIndex last) {
  MutexLock lock(&mutex_);
  return EvictCached(last);
}

size_t GroupLog::EvictCached(LogIndex last) {
  size_t freed = 0;
  while (!cache_.empty() && cache_.front().index <= last) {
    freed += cache_.front().ByteSize();
    cache_.pop_front();
  }
  return freed;
}

size_t GroupLog::MarkClosed() {
  MutexLock lock(&mutex_);
  const size_t freed = EvictCached(LogIndex(UINT64_MAX));
  CutFrom(start_.index.Next());
  return freed;
}

}  // namespace quorate
