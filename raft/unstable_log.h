// The end of the log that is held in memory: what is not durable yet, and what is durable but was
// not handed out for applying, so that the usual path never reads the disk.
#ifndef RAFT_UNSTABLE_LOG_H_
#define RAFT_UNSTABLE_LOG_H_

#include <deque>
#include <optional>
#include <vector>

#include "raft/types.h"

namespace quorate::raft {

// Holds the entries (base, last] without gaps. Everything up to `base` is durable in LogStorage.
// Owned by RaftLog; same thread.
class UnstableLog {
 public:
  UnstableLog(LogIndex base, Term base_term) : base_(base), base_term_(base_term), given_(base) {}

  [[nodiscard]] LogIndex base() const { return base_; }
  [[nodiscard]] size_t bytes() const { return bytes_; }
  [[nodiscard]] LogIndex last_index() const { return LogIndex(base_.value() + entries_.size()); }
  [[nodiscard]] Term last_term() const {
    return entries_.empty() ? base_term_ : entries_.back().term;
  }
  // Known for base and all entries held; empty for what only the disk knows.
  [[nodiscard]] std::optional<Term> TermAt(LogIndex index) const;
  // `index` must be held here.
  [[nodiscard]] const Entry& At(LogIndex index) const;

  // `entry` must be the next one.
  void Append(Entry entry);
  // Cuts the log so that it ends with `previous`, whose term the caller knows. The cut may go below
  // base: the overwritten entries stay in LogStorage until the next Ready is durable there, and are
  // never asked for again.
  void CutAfter(LogIndex previous, Term previous_term);
  // Forgets entries up to `index`, which must be durable.
  void Release(LogIndex index);

  // The entries that no Ready has carried yet; from then on they count as carried.
  [[nodiscard]] bool HasNew() const { return given_ < last_index(); }
  std::vector<Entry> TakeNew();

 private:
  LogIndex base_;
  Term base_term_;
  std::deque<Entry> entries_;
  size_t bytes_ = 0;  // of entries_
  // The last entry that a Ready has carried in its present form. base_ <= given_ <= last_index().
  LogIndex given_;
};

}  // namespace quorate::raft

#endif  // RAFT_UNSTABLE_LOG_H_
