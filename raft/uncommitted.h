// Bytes that a leader proposed in its own term and that are not committed yet.
#ifndef RAFT_UNCOMMITTED_H_
#define RAFT_UNCOMMITTED_H_

#include <cstddef>
#include <deque>

#include "raft/types.h"

namespace quorate::raft {

// Bounds what clients can pile up behind a slow or missing majority. Starts at nothing with each
// leadership: what earlier leaders left does not count. Owned by RaftCore; same thread.
class UncommittedBytes {
 public:
  explicit UncommittedBytes(size_t bytes_max) : bytes_max_(bytes_max) {}

  // One entry is always admitted, however large.
  [[nodiscard]] bool Admits(size_t bytes) const {
    return entries_.empty() || bytes_ + bytes <= bytes_max_;
  }
  void Add(LogIndex index, size_t bytes) {
    entries_.push_back({index, bytes});
    bytes_ += bytes;
  }
  void CommittedTo(LogIndex commit) {
    while (!entries_.empty() && entries_.front().index <= commit) {
      bytes_ -= entries_.front().bytes;
      entries_.pop_front();
    }
  }
  void Reset() {
    entries_.clear();
    bytes_ = 0;
  }
  [[nodiscard]] size_t bytes() const { return bytes_; }

 private:
  struct Proposed {
    LogIndex index;
    size_t bytes;
  };

  const size_t bytes_max_;
  size_t bytes_ = 0;
  std::deque<Proposed> entries_;
};

}  // namespace quorate::raft

#endif  // RAFT_UNCOMMITTED_H_
