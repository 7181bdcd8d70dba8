#include "raft/reads.h"

#include <utility>

namespace quorate::raft {

absl::Status ReadQueue::Add(uint64_t context) {
  if (size_ >= reads_max_) return absl::ResourceExhaustedError("too many reads wait");
  waiting_.push_back(context);
  ++size_;
  return absl::OkStatus();
}

void ReadQueue::AssignRound(uint64_t round, LogIndex index) {
  if (waiting_.empty()) return;
  batches_.push_back({round, index, std::exchange(waiting_, {})});
}

void ReadQueue::Confirm(uint64_t round, std::vector<ReadState>* served) {
  while (!batches_.empty() && batches_.front().round <= round) {
    const Batch& batch = batches_.front();
    for (uint64_t context : batch.contexts) served->push_back({context, batch.index});
    size_ -= batch.contexts.size();
    batches_.pop_front();
  }
}

void ReadQueue::RefuseAll(std::vector<uint64_t>* refused) {
  for (const Batch& batch : batches_) {
    refused->insert(refused->end(), batch.contexts.begin(), batch.contexts.end());
  }
  refused->insert(refused->end(), waiting_.begin(), waiting_.end());
  batches_.clear();
  waiting_.clear();
  size_ = 0;
}

}  // namespace quorate::raft
