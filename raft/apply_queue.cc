#include "raft/apply_queue.h"

#include <algorithm>

#include "raft/check.h"

namespace quorate::raft {

void ApplyQueue::HandOut(const std::vector<Entry>& entries) {
  if (entries.empty()) return;
  QUORATE_CHECK(entries.front().index == handed_out_.Next());
  Batch batch{entries.back().index, 0};
  for (const Entry& entry : entries) batch.bytes += entry.ByteSize();
  unapplied_bytes_ += batch.bytes;
  handed_out_ = batch.last_index;
  batches_.push_back(batch);
}

void ApplyQueue::Applied(LogIndex index) {
  applied_ = std::max(applied_, std::min(index, handed_out_));
  while (!batches_.empty() && batches_.front().last_index <= applied_) {
    unapplied_bytes_ -= batches_.front().bytes;
    batches_.pop_front();
  }
}

void ApplyQueue::Reset(LogIndex index) {
  QUORATE_CHECK(index > handed_out_);
  handed_out_ = index;
  batches_.push_back({index, 0});
}

}  // namespace quorate::raft
