#include "raft/memory_log.h"

#include <algorithm>
#include <iterator>

#include "absl/status/status.h"
#include "raft/check.h"
#include "raft/configuration.h"

namespace quorate::raft {

void MemoryLog::Write(const std::optional<HardState>& hard_state,
                      const std::vector<Entry>& entries) {
  if (hard_state) hard_state_ = *hard_state;
  if (entries.empty()) return;
  const LogIndex first = entries.front().index;
  QUORATE_CHECK(first > compacted_index_ && first <= LastIndex().Next(), "append leaves a gap");
  entries_.resize(first.value() - compacted_index_.value() - 1);
  entries_.insert(entries_.end(), entries.begin(), entries.end());
}

void MemoryLog::CompactTo(LogIndex index) {
  QUORATE_CHECK(index >= compacted_index_ && index <= LastIndex());
  if (index == compacted_index_) return;
  compacted_term_ = At(index).term;
  base_ = ConfigurationAt(index);
  entries_.erase(
      entries_.begin(),
      entries_.begin() + static_cast<ptrdiff_t>(index.value() - compacted_index_.value()));
  compacted_index_ = index;
}

void MemoryLog::Reset(const SnapshotMeta& snapshot) {
  entries_.clear();
  compacted_index_ = snapshot.index;
  compacted_term_ = snapshot.term;
  base_ = snapshot.configuration;
}

Configuration MemoryLog::ConfigurationAt(LogIndex index) const {
  Configuration found = base_;
  for (const Entry& entry : ConfigEntries()) {
    if (entry.index <= index) found = *DecodeConfiguration(*entry.payload);
  }
  return found;
}

std::vector<Entry> MemoryLog::ConfigEntries() const {
  std::vector<Entry> found;
  std::copy_if(entries_.begin(), entries_.end(), std::back_inserter(found),
               [](const Entry& entry) { return entry.kind == EntryKind::kConfig; });
  return found;
}

absl::StatusOr<Term> MemoryLog::TermAt(LogIndex index) const {
  if (index == compacted_index_) return compacted_term_;
  if (index < compacted_index_ || index > LastIndex()) return absl::OutOfRangeError("not stored");
  if (index == damaged_) return absl::DataLossError("checksum");
  return At(index).term;
}

absl::StatusOr<std::vector<Entry>> MemoryLog::Entries(LogIndex first, LogIndex last,
                                                      size_t bytes_max) const {
  if (first <= compacted_index_ || last > LastIndex() || first > last) {
    return absl::OutOfRangeError("not stored");
  }
  std::vector<Entry> found;
  size_t bytes = 0;
  for (LogIndex index = first; index <= last; index = index.Next()) {
    bytes += At(index).ByteSize();
    if (bytes > bytes_max && !found.empty()) break;
    if (index == damaged_) return absl::DataLossError("checksum");
    found.push_back(At(index));
  }
  return found;
}

}  // namespace quorate::raft
