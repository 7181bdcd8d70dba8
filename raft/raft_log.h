// The replica's whole log: LogStorage for what is durable, UnstableLog for the end of it.
#ifndef RAFT_RAFT_LOG_H_
#define RAFT_RAFT_LOG_H_

#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "raft/log_storage.h"
#include "raft/types.h"
#include "raft/unstable_log.h"

namespace quorate::raft {

// Invariants: compacted_index() <= commit() <= last_index(); what is at or below commit() never
// changes. Storage is asked only for indexes above compacted_index() and at or below
// unstable().base(), so it may drop what is compacted whenever it likes.
// Owned by RaftCore; same thread.
class RaftLog {
 public:
  // `commit` is cut to what the log holds: after a crash the hard state may be ahead of the log's
  // surviving end.
  RaftLog(const LogStorage* storage, LogIndex commit);

  [[nodiscard]] LogIndex compacted_index() const { return compacted_index_; }
  [[nodiscard]] LogIndex last_index() const { return unstable_.last_index(); }
  [[nodiscard]] Term last_term() const { return unstable_.last_term(); }
  [[nodiscard]] LogIndex commit() const { return commit_; }

  // As LogStorage::ConfigEntries; at start-up only.
  [[nodiscard]] std::vector<Entry> StoredConfigurations() const {
    return storage_->ConfigEntries();
  }
  // kOutOfRange: compacted or beyond the end. kDataLoss: unreadable.
  [[nodiscard]] absl::StatusOr<Term> TermAt(LogIndex index) const;
  // False also when the term cannot be read.
  [[nodiscard]] bool Matches(LogIndex index, Term term) const;
  // Entries [first, last], at most bytes_max but at least one. `first` must be within the log.
  [[nodiscard]] absl::StatusOr<std::vector<Entry>> Entries(LogIndex first, LogIndex last,
                                                           size_t bytes_max) const;
  // Is a log that ends so at least as complete as this one (Raft paper, section 5.4.1)?
  [[nodiscard]] bool IsUpToDate(LogIndex other_last, Term other_last_term) const;

  // Terms never fall along a log, so both are binary searches.
  // The first index in (commit, upper] whose term is `term` or later; TermAt(upper) == term.
  [[nodiscard]] LogIndex FirstIndexOfTerm(Term term, LogIndex upper) const;
  // The last index in [compacted_index, upper] whose term is at most `term`, or compacted_index.
  [[nodiscard]] LogIndex LastIndexUpToTerm(Term term, LogIndex upper) const;

  void Append(Entry entry) { unstable_.Append(std::move(entry)); }
  // Cuts the log to end with `previous` (its term given), which is never below commit().
  void CutAfter(LogIndex previous, Term previous_term);
  // Raises the commit index; never lowers it, never past the end. True if it moved.
  bool CommitTo(LogIndex index);
  // Forgets what is at or below `index`, save its term. `index` must be committed and durable.
  // False, and nothing is changed, if it is compacted already or its term cannot be read.
  bool CompactTo(LogIndex index);
  // The log is empty now and begins behind an entry of a snapshot, above commit().
  void Reset(LogIndex index, Term term);

  [[nodiscard]] UnstableLog& unstable() { return unstable_; }
  [[nodiscard]] const UnstableLog& unstable() const { return unstable_; }

 private:
  const LogStorage* const storage_;
  LogIndex compacted_index_;
  Term compacted_term_;
  UnstableLog unstable_;
  LogIndex commit_;
};

}  // namespace quorate::raft

#endif  // RAFT_RAFT_LOG_H_
