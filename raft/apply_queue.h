// Which committed entries were handed out for applying, and how much of it is still unapplied.
#ifndef RAFT_APPLY_QUEUE_H_
#define RAFT_APPLY_QUEUE_H_

#include <deque>
#include <vector>

#include "raft/types.h"

namespace quorate::raft {

// Hands out in order, each entry once, and stops while `unapplied_bytes_max` are unapplied.
// Invariant: applied <= handed_out. Owned by RaftCore; same thread.
class ApplyQueue {
 public:
  ApplyQueue(LogIndex applied, size_t unapplied_bytes_max)
      : handed_out_(applied), applied_(applied), unapplied_bytes_max_(unapplied_bytes_max) {}

  [[nodiscard]] LogIndex handed_out() const { return handed_out_; }
  [[nodiscard]] LogIndex applied() const { return applied_; }
  [[nodiscard]] bool Full() const { return unapplied_bytes_ >= unapplied_bytes_max_; }

  // `entries` follow handed_out() without a gap.
  void HandOut(const std::vector<Entry>& entries);
  // Never lowers; never goes past what was handed out.
  void Applied(LogIndex index);
  // A snapshot takes the state to `index`, above handed_out(), which is reported like all else.
  void Reset(LogIndex index);

 private:
  struct Batch {
    LogIndex last_index;
    size_t bytes;
  };

  LogIndex handed_out_;
  LogIndex applied_;
  const size_t unapplied_bytes_max_;
  size_t unapplied_bytes_ = 0;
  std::deque<Batch> batches_;
};

}  // namespace quorate::raft

#endif  // RAFT_APPLY_QUEUE_H_
