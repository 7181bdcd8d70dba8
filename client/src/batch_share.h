// The part of a batch that belongs to one partition.
#ifndef CLIENT_SRC_BATCH_SHARE_H_
#define CLIENT_SRC_BATCH_SHARE_H_

#include <memory>
#include <utility>
#include <vector>

#include "client/src/batch_call.h"
#include "client/src/operation.h"

namespace quorate::client {

// An operation of several operations: those that have ended drop out, the others go into the next
// attempt. Each keeps account of whether it may have been applied. Threads: as Operation.
class BatchShare final : public Operation {
 public:
  // `positions` in the order of the batch.
  BatchShare(std::shared_ptr<CoreParts> parts, OperationSpec spec, std::shared_ptr<BatchCall> call,
             const std::vector<size_t>& positions);

  // Adds what is left to the request.
  void AddTo(const Stamp& stamp, kv::v1::BatchRequest* request);
  // The attempt failed as a whole.
  void OnFailed(const Target& target, const absl::Status& status);
  // Takes its results, `left()` of them, from *next on, and moves it behind them.
  void OnResults(const Target& target, const kv::v1::ConsistencyReceipt& receipt,
                 google::protobuf::RepeatedPtrField<kv::v1::BatchResult>* results, int* next);
  [[nodiscard]] size_t left() const { return left_.size(); }

 private:
  struct Item {
    size_t position = 0;
    bool write = false;
    // Some attempt may have been applied.
    bool maybe_applied = false;
  };

  void Send(const Target& target, const Stamp& stamp, MonotonicTime deadline) override;
  void Finish(Ended ended) override;
  // True: it has ended.
  bool Take(Item& item, const kv::v1::ConsistencyReceipt& receipt, kv::v1::BatchResult& result,
            absl::Status* failure);

  const std::shared_ptr<BatchCall> call_;
  std::vector<Item> left_;
};

// What one result says, apart from outcome and attempts.
void Fill(const kv::v1::ConsistencyReceipt& receipt, kv::v1::BatchResult&& from,
          BatchOperationResult* to);
// The status that a single operation would have ended with; OK when done.
absl::Status StatusOf(const kv::v1::BatchResult& result);

}  // namespace quorate::client

#endif  // CLIENT_SRC_BATCH_SHARE_H_
