// A Batch on its way through the groups that it touches.
#ifndef SERVER_SERVICE_BATCH_H_
#define SERVER_SERVICE_BATCH_H_

#include <atomic>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "kv/v1/key_value.pb.h"
#include "server/service/batch_plan.h"
#include "server/service/routing.h"
#include "server/service/service_context.h"

namespace quorate {

// A checked request; lives until its answer.
struct BatchPlan {
  SharedView view;
  const kv::v1::Keyspace* keyspace = nullptr;  // of the view
  CallTerms terms;                             // a trace only when atomic: it tells of one group
  kv::v1::BatchRequest request;
};

using BatchResults = std::vector<kv::v1::BatchResult>;

// All or nothing, one command or one read. An error is that of the whole, with its outcome.
// `context` outlives it; `done` is called once, by the deadline, on any thread.
void RunAtomicBatch(const ServiceContext* context, BatchPlan plan, Callback<BatchResults> done);

// Independent operations: each partition's stages one after the other, partitions side by side; the
// writes of a stage are one log entry. When an operation is refused, what its partition has left is
// refused too, as not done, so that whoever repeats it keeps the order.
//
// Keeps itself alive until it is done. Any thread; each result is written by its partition's share,
// which is never in two places at once.
class BatchRun : public std::enable_shared_from_this<BatchRun> {
 public:
  // As RunAtomicBatch, but there is an answer to every operation, never an error.
  static void Start(const ServiceContext* context, BatchPlan plan,
                    absl::AnyInvocable<void(BatchResults)> done);

 private:
  // One partition's part.
  struct Share {
    GroupId group;
    BatchStages stages;
    size_t next = 0;
  };

  BatchRun(const ServiceContext* context, BatchPlan plan,
           absl::AnyInvocable<void(BatchResults)> done);

  // Finds the partition of each operation; those that are not here get their result.
  void Route();
  // Does stages until one waits for its answer; at the end of the last share the batch is done.
  void Advance(Share& share);
  // True: the stage has its results; false: Advance will be called, or was.
  [[nodiscard]] bool Read(Share& share, const std::vector<int>& stage);
  void ReadByIndex(Share& share, const std::vector<int>& stage, size_t from);
  void Write(Share& share, const std::vector<int>& stage);
  // False: the answer holds no more.
  [[nodiscard]] bool GiveValue(int position, ReadAnswer answer);
  // Refuses the stage's operations from this one on, and the stages after it as not done.
  void Refuse(Share& share, const std::vector<int>& stage, size_t from, const absl::Status& status);

  const ServiceContext* const context_;
  BatchPlan plan_;
  std::vector<Share> shares_;
  BatchResults results_;
  // Values given so far.
  std::atomic<size_t> value_bytes_{0};
  std::atomic<size_t> shares_left_{0};
  absl::AnyInvocable<void(BatchResults)> done_;
};

}  // namespace quorate

#endif  // SERVER_SERVICE_BATCH_H_
