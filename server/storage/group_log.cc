#include "server/storage/group_log.h"

#include <fmt/format.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <string>
#include <utility>

#include "raft/check.h"
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
  return bytes_;
}

absl::Status GroupLog::CheckRange(LogIndex first, LogIndex last) const {
  if (first > compacted_index_ && first <= last && last <= last_index_) return absl::OkStatus();
  return absl::OutOfRangeError(fmt::format(
      "group {}: entries {} to {} asked, the log holds {} to {}", group_.value(), first.value(),
      last.value(), compacted_index_.Next().value(), last_index_.value()));
}

absl::StatusOr<Term> GroupLog::TermAt(LogIndex index) const {
  if (index == compacted_index_) return compacted_term_;
  MutexLock lock(&mutex_);
  if (absl::Status status = CheckRange(index, index); !status.ok()) return status;
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

absl::Status GroupLog::Load() {
  std::string bytes;
  rocksdb::Status found =
      db_->Get(rocksdb::ReadOptions(), LogRecordKey(group_, LogRecordKind::kHead), &bytes);
  const bool has_head = found.ok();
  if (!found.ok() && !found.IsNotFound()) return StatusFromRocks(found, "read a log head");
  if (found.ok()) {
    const auto head = DecodeLogHead(group_, bytes);
    if (!head.ok()) return head.status();
    if (head->replica != replica_) {
      return absl::FailedPreconditionError(
          fmt::format("group {}: the stored log belongs to incarnation {}, not {}", group_.value(),
                      head->replica.value(), replica_.value()));
    }
    head_stored_ = head->configuration.has_value();
    if (head_stored_) base_ = *head->configuration;
    compacted_index_ = head->compacted_index;
    compacted_term_ = head->compacted_term;
  }
  found = db_->Get(rocksdb::ReadOptions(), LogRecordKey(group_, LogRecordKind::kHardState), &bytes);
  if (!found.ok() && !found.IsNotFound()) return StatusFromRocks(found, "read a hard state");
  if (found.ok()) {
    const auto hard_state = DecodeHardState(group_, bytes);
    if (!hard_state.ok()) return hard_state.status();
    initial_hard_state_ = *hard_state;
  }
  if (absl::Status status = LoadEntries(); !status.ok()) return status;
  MutexLock lock(&mutex_);
  if (!has_head && (found.ok() || last_index_ > compacted_index_)) {
    return absl::DataLossError(fmt::format("group {}: the log's head is missing", group_.value()));
  }
  return absl::OkStatus();
}

absl::Status GroupLog::LoadEntries() {
  MutexLock lock(&mutex_);
  last_index_ = compacted_index_;
  Term last_term = compacted_term_;
  RangeIterator it(db_, LogGroupEnd(group_), nullptr, /*whole_range=*/true);
  for (it.Seek(LogEntryKey(group_, LogIndex(0))); it->Valid(); it->Next()) {
    const LogIndex index = last_index_.Next();
    if (it.key() != LogEntryKey(group_, index)) {
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
    if (entry->kind == raft::EntryKind::kConfig) config_entries_.push_back(*entry);
    last_term = entry->term;
    last_index_ = index;
    bytes_ += StoredEntrySize(*entry);
  }
  encoded_last_ = last_index_;
  return StatusFromRocks(it->status(), "read the log");
}

void GroupLog::Encode(const LogAppend& append, rocksdb::WriteBatch* batch) {
  if (!head_stored_) {
    const LogHead head{.replica = replica_,
                       .compacted_index = compacted_index_,
                       .compacted_term = compacted_term_,
                       .configuration = base_};
    batch->Put(LogRecordKey(group_, LogRecordKind::kHead), EncodeLogHead(group_, head));
    head_stored_ = true;
  }
  if (append.hard_state.has_value()) {
    batch->Put(LogRecordKey(group_, LogRecordKind::kHardState),
               EncodeHardState(group_, *append.hard_state));
  }
  if (append.entries.empty()) return;
  LogIndex next = append.entries.front().index;
  QUORATE_CHECK(next > compacted_index_ && next <= encoded_last_.Next())
      << "group " << group_.value() << ": append at " << next.value() << " to a log that ends at "
      << encoded_last_.value();
  for (const Entry& entry : append.entries) {
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
    bytes_ -= std::min<uint64_t>(bytes_, StoredEntrySize(cache_.back()));
    delta -= static_cast<int64_t>(cache_.back().ByteSize());
    last_index_ = cache_.back().index.Previous();
    cache_.pop_back();
  }
  if (last_index_ >= first) {
    // No longer in memory: by the average.
    const uint64_t stored = last_index_.value() - compacted_index_.value();
    const uint64_t cut = last_index_.value() - first.value() + 1;
    bytes_ -= static_cast<uint64_t>(static_cast<double>(bytes_) * static_cast<double>(cut) /
                                    static_cast<double>(stored));
    last_index_ = first.Previous();
  }
  while (!term_runs_.empty() && term_runs_.back().first >= first) term_runs_.pop_back();
  return delta;
}

int64_t GroupLog::Show(const LogAppend& append) {
  if (append.entries.empty()) return 0;
  MutexLock lock(&mutex_);
  int64_t delta = CutFrom(append.entries.front().index);
  for (const Entry& entry : append.entries) {
    if (term_runs_.empty() || term_runs_.back().term != entry.term) {
      term_runs_.push_back({.first = entry.index, .term = entry.term});
    }
    cache_.push_back(entry);
    bytes_ += StoredEntrySize(entry);
    delta += static_cast<int64_t>(entry.ByteSize());
  }
  last_index_ = append.entries.back().index;
  return delta;
}

size_t GroupLog::Evict(LogIndex last) {
  MutexLock lock(&mutex_);
  size_t freed = 0;
  while (!cache_.empty() && cache_.front().index <= last) {
    freed += cache_.front().ByteSize();
    cache_.pop_front();
  }
  return freed;
}

size_t GroupLog::MarkDestroyed() {
  const size_t freed = Evict(LogIndex(UINT64_MAX));
  MutexLock lock(&mutex_);
  last_index_ = compacted_index_;
  term_runs_.clear();
  bytes_ = 0;
  return freed;
}

}  // namespace quorate
