// A batch on its way: split by partition, sent together to each node, tried again by partition.
#ifndef CLIENT_SRC_BATCH_CALL_H_
#define CLIENT_SRC_BATCH_CALL_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/src/operation.h"
#include "quorate/batch.h"
#include "server/runtime/mutex.h"

namespace quorate::client {

class BatchShare;

// OK, or why no server would take it.
absl::Status CheckBatch(const BatchOperations& operations, const BatchOptions& options);

// A result in which every operation ended like this, without any request.
BatchResult RefusedBatch(size_t operations, const Result& why);

// The keyspace is known to the router. `operations` are checked and not empty.
void StartAtomicBatch(std::shared_ptr<CoreParts> parts, const std::string& keyspace,
                      const BatchOperations& operations, const BatchOptions& options,
                      MonotonicTime deadline, Handler<BatchResult> handler);

// Independent operations. Each partition's share is an Operation of its own, with its own retries;
// what several of them send at the same moment to the same node goes as one request. A share sends
// what it has left in the order of the batch, and servers try nothing behind a refusal, so that the
// operations on one key take effect in their order.
//
// Owned by its shares. Any thread; each operation's state belongs to its share.
class BatchCall : public std::enable_shared_from_this<BatchCall> {
 public:
  BatchCall(std::shared_ptr<CoreParts> parts, std::string keyspace, BatchOperations operations,
            MonotonicTime deadline, Handler<BatchResult> handler);

  // Once. The keyspace is known to the router.
  void Start();

  // ---- For the shares.

  // One share's part of a request to come.
  struct Part {
    std::shared_ptr<BatchShare> share;
    Target target;
    Stamp stamp;
    MonotonicTime deadline;
  };
  void Enqueue(Part part) ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] const BatchOperation& operation(size_t position) const {
    return operations_.all()[position];
  }
  [[nodiscard]] BatchOperationResult& result(size_t position) {
    return result_.operations[position];
  }
  void OnShareEnd() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // While a scope is open, parts are gathered; the end of the last one sends them.
  void OpenScope() ABSL_LOCKS_EXCLUDED(mutex_);
  void CloseScope() ABSL_LOCKS_EXCLUDED(mutex_);
  // All parts are for one node and under one request id.
  void Send(std::vector<Part> parts);
  void OnAnswer(const std::vector<Part>& parts, absl::StatusOr<kv::v1::BatchResponse> answer);

  const std::shared_ptr<CoreParts> parts_;
  const std::string keyspace_;
  const BatchOperations operations_;
  const MonotonicTime deadline_;
  Handler<BatchResult> handler_;
  BatchResult result_;

  Mutex mutex_;
  size_t shares_left_ ABSL_GUARDED_BY(mutex_) = 0;
  int scopes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<Part> gathered_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quorate::client

#endif  // CLIENT_SRC_BATCH_CALL_H_
