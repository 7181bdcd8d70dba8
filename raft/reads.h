// Linearizable reads that wait for a round of heartbeats (ReadIndex; Raft thesis, section 6.4).
#ifndef RAFT_READS_H_
#define RAFT_READS_H_

#include <cstdint>
#include <deque>
#include <vector>

#include "absl/status/status.h"
#include "raft/ready.h"
#include "raft/types.h"

namespace quorate::raft {

// A read may be served at the commit index of a moment after it arrived, once a round sent after
// its arrival is confirmed. One round serves all reads that arrived before it was sent; reads that
// arrive while it is under way wait for the next.
// Owned by RaftCore; same thread.
class ReadQueue {
 public:
  explicit ReadQueue(size_t reads_max) : reads_max_(reads_max) {}

  // kResourceExhausted: the queue is full, nothing was added.
  absl::Status Add(uint64_t context);
  // Reads wait that no round serves yet, and no earlier batch is under way.
  [[nodiscard]] bool WantsRound() const { return !waiting_.empty() && batches_.empty(); }
  // `round` is about to be sent: it serves all reads that wait, at `index`, which must be at least
  // every index committed before they arrived.
  void AssignRound(uint64_t round, LogIndex index);
  // The round is confirmed: moves the reads it serves to `served`.
  void Confirm(uint64_t round, std::vector<ReadState>* served);
  // Leadership is lost: moves all contexts to `refused`.
  void RefuseAll(std::vector<uint64_t>* refused);

  [[nodiscard]] size_t size() const { return size_; }

 private:
  struct Batch {
    uint64_t round;
    LogIndex index;
    std::vector<uint64_t> contexts;
  };

  const size_t reads_max_;
  size_t size_ = 0;
  std::vector<uint64_t> waiting_;
  std::deque<Batch> batches_;
};

}  // namespace quorate::raft

#endif  // RAFT_READS_H_
