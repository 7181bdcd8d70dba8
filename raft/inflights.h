// Append messages sent to one follower and not yet acknowledged.
#ifndef RAFT_INFLIGHTS_H_
#define RAFT_INFLIGHTS_H_

#include <cstddef>
#include <deque>

#include "raft/types.h"

namespace quorate::raft {

// A window bounded by messages and by bytes. Owned by a Progress; same thread.
class Inflights {
 public:
  Inflights(size_t messages_max, size_t bytes_max)
      : messages_max_(messages_max), bytes_max_(bytes_max) {}

  // A message ending with `last_index` left. Indexes grow from call to call.
  void Add(LogIndex last_index, size_t bytes) {
    messages_.push_back({last_index, bytes});
    bytes_ += bytes;
  }
  // Everything up to `match` has arrived.
  void FreeTo(LogIndex match) {
    while (!messages_.empty() && messages_.front().last_index <= match) {
      bytes_ -= messages_.front().bytes;
      messages_.pop_front();
    }
  }
  void Clear() {
    messages_.clear();
    bytes_ = 0;
  }

  [[nodiscard]] bool Full() const {
    return messages_.size() >= messages_max_ || bytes_ >= bytes_max_;
  }
  [[nodiscard]] size_t bytes() const { return bytes_; }
  [[nodiscard]] size_t bytes_left() const { return bytes_ >= bytes_max_ ? 0 : bytes_max_ - bytes_; }
  [[nodiscard]] size_t messages() const { return messages_.size(); }

 private:
  struct Sent {
    LogIndex last_index;
    size_t bytes;
  };

  size_t messages_max_;
  size_t bytes_max_;
  size_t bytes_ = 0;
  std::deque<Sent> messages_;
};

}  // namespace quorate::raft

#endif  // RAFT_INFLIGHTS_H_
