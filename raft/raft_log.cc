#include "raft/raft_log.h"

#include <algorithm>

#include "absl/status/status.h"
#include "raft/check.h"

namespace quorate::raft {
namespace {

// The end of the stored log. A last entry whose term cannot be read gets term zero: such a replica
// loses every comparison of logs and so neither leads nor blocks others.
UnstableLog OpenEnd(const LogStorage& storage) {
  const LogIndex last = std::max(storage.LastIndex(), storage.CompactedIndex());
  if (last == storage.CompactedIndex()) return {last, storage.CompactedTerm()};
  const absl::StatusOr<Term> term = storage.TermAt(last);
  return {last, term.ok() ? *term : Term()};
}

}  // namespace

RaftLog::RaftLog(const LogStorage* storage, LogIndex commit)
    : storage_(storage),
      compacted_index_(storage->CompactedIndex()),
      compacted_term_(storage->CompactedTerm()),
      unstable_(OpenEnd(*storage)),
      commit_(std::clamp(commit, compacted_index_, unstable_.last_index())) {}

absl::StatusOr<Term> RaftLog::TermAt(LogIndex index) const {
  if (index < compacted_index_) return absl::OutOfRangeError("compacted");
  if (index == compacted_index_) return compacted_term_;
  if (const std::optional<Term> held = unstable_.TermAt(index)) return *held;
  if (index > last_index()) return absl::OutOfRangeError("beyond the end of the log");
  return storage_->TermAt(index);
}

bool RaftLog::Matches(LogIndex index, Term term) const {
  if (index > last_index()) return false;
  const absl::StatusOr<Term> own = TermAt(index);
  return own.ok() && *own == term;
}

absl::StatusOr<std::vector<Entry>> RaftLog::Entries(LogIndex first, LogIndex last,
                                                    size_t bytes_max) const {
  if (first > last || last > last_index()) return absl::OutOfRangeError("beyond the log");
  if (first <= compacted_index()) return absl::OutOfRangeError("compacted");
  std::vector<Entry> entries;
  size_t bytes = 0;
  LogIndex next = first;
  if (first <= unstable_.base()) {
    const LogIndex stored_last = std::min(last, unstable_.base());
    absl::StatusOr<std::vector<Entry>> stored = storage_->Entries(first, stored_last, bytes_max);
    if (!stored.ok()) return stored.status();
    entries = *std::move(stored);
    for (const Entry& entry : entries) {
      if (entry.index != next) return absl::DataLossError("the stored log has a hole");
      next = next.Next();
      bytes += entry.ByteSize();
    }
    if (entries.empty()) return absl::DataLossError("the stored log lacks an entry");
    if (next <= stored_last) return entries;
  }
  for (; next <= last; next = next.Next()) {
    const Entry& entry = unstable_.At(next);
    bytes += entry.ByteSize();
    if (bytes > bytes_max && !entries.empty()) break;
    entries.push_back(entry);
  }
  return entries;
}

bool RaftLog::IsUpToDate(LogIndex other_last, Term other_last_term) const {
  if (other_last_term != last_term()) return other_last_term > last_term();
  return other_last >= last_index();
}

LogIndex RaftLog::FirstIndexOfTerm(Term term, LogIndex upper) const {
  uint64_t low = commit_.value() + 1;
  uint64_t high = upper.value();
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    const absl::StatusOr<Term> found = TermAt(LogIndex(middle));
    // An unreadable entry counts as part of the conflict: the leader then starts below it.
    if (found.ok() && *found < term) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return LogIndex(low);
}

LogIndex RaftLog::LastIndexUpToTerm(Term term, LogIndex upper) const {
  uint64_t low = compacted_index().value();
  uint64_t high = std::max(low, std::min(upper, last_index()).value());
  while (low < high) {
    const uint64_t middle = low + (high - low + 1) / 2;
    const absl::StatusOr<Term> found = TermAt(LogIndex(middle));
    if (found.ok() && *found <= term) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return LogIndex(low);
}

void RaftLog::CutAfter(LogIndex previous, Term previous_term) {
  QUORATE_CHECK(previous >= commit_, "committed entries are never cut");
  unstable_.CutAfter(previous, previous_term);
}

bool RaftLog::CommitTo(LogIndex index) {
  index = std::min(index, last_index());
  if (index <= commit_) return false;
  commit_ = index;
  return true;
}

bool RaftLog::CompactTo(LogIndex index) {
  QUORATE_CHECK(index <= commit_, "only what is committed may be forgotten");
  if (index <= compacted_index_) return false;
  const absl::StatusOr<Term> term = TermAt(index);
  if (!term.ok()) return false;
  unstable_.Release(index);
  compacted_index_ = index;
  compacted_term_ = *term;
  return true;
}

void RaftLog::Reset(LogIndex index, Term term) {
  QUORATE_CHECK(index > commit_, "a snapshot only takes a log forward");
  unstable_ = UnstableLog(index, term);
  compacted_index_ = index;
  compacted_term_ = term;
  commit_ = index;
}

}  // namespace quorate::raft
