// The node's service for data, with faults that a test asks for.
#ifndef TESTING_FAULTY_KEY_VALUE_SERVICE_H_
#define TESTING_FAULTY_KEY_VALUE_SERVICE_H_

#include "quorate/testing/local_node.h"
#include "server/runtime/mutex.h"
#include "server/runtime/runtime.h"
#include "server/service/services.h"

namespace quorate::testing {

// What is wrong now. Outlives the node's lives, so that a fault holds over a restart. Any thread.
class FaultSwitch {
 public:
  void Set(const Faults& faults) {
    const MutexLock lock(&mutex_);
    faults_ = faults;
  }
  [[nodiscard]] Faults Get() const {
    const MutexLock lock(&mutex_);
    return faults_;
  }

 private:
  mutable Mutex mutex_;
  Faults faults_ ABSL_GUARDED_BY(mutex_);
};

// Hands requests on, and spoils the answers on their way back. Owned by one life of a LocalNode.
// Any thread. Answers held back wait on `holder`, and are dropped when that stops.
class FaultyKeyValueService final : public KeyValueService {
 public:
  // What it is given outlives it.
  FaultyKeyValueService(KeyValueService* node, const FaultSwitch* faults, const Clock* clock,
                        Executor* holder)
      : node_(node), faults_(faults), clock_(clock), holder_(holder) {}

  void Get(const CallContext& context, const kv::v1::GetRequest& request,
           Reply<kv::v1::GetResponse> reply) override;
  void Put(const CallContext& context, const kv::v1::PutRequest& request,
           Reply<kv::v1::PutResponse> reply) override;
  void Delete(const CallContext& context, const kv::v1::DeleteRequest& request,
              Reply<kv::v1::DeleteResponse> reply) override;
  void Increment(const CallContext& context, const kv::v1::IncrementRequest& request,
                 Reply<kv::v1::IncrementResponse> reply) override;
  void Batch(const CallContext& context, const kv::v1::BatchRequest& request,
             Reply<kv::v1::BatchResponse> reply) override;
  void ScanPage(const CallContext& context, const kv::v1::ScanRequest& request,
                Reply<kv::v1::ScanResponse> reply) override;

 private:
  template <class Request, class Response>
  using Method = void (KeyValueService::*)(const CallContext&, const Request&, Reply<Response>);

  template <class Request, class Response>
  void Forward(Method<Request, Response> method, bool write, const CallContext& context,
               const Request& request, Reply<Response> reply);

  KeyValueService* const node_;
  const FaultSwitch* const faults_;
  const Clock* const clock_;
  Executor* const holder_;
};

}  // namespace quorate::testing

#endif  // TESTING_FAULTY_KEY_VALUE_SERVICE_H_
