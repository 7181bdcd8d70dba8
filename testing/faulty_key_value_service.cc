#include "testing/faulty_key_value_service.h"

#include <algorithm>
#include <utility>

#include "proto/error_detail.h"

namespace quorate::testing {

template <class Request, class Response>
void FaultyKeyValueService::Forward(Method<Request, Response> method, bool write,
                                    const CallContext& context, const Request& request,
                                    Reply<Response> reply) {
  const Faults faults = faults_->Get();
  if (write && faults.refuse_writes) {
    // Without a retry delay, which tells clients that waiting will not help.
    reply(MakeError(kv::v1::REASON_LOG_FULL, kv::v1::OUTCOME_NOT_DONE,
                    "this LocalNode refuses writes, as its test asked for"));
    return;
  }
  if (write && faults.lose_write_answers) {
    (node_->*method)(context, request,
                     [holder = holder_, until = context.deadline,
                      reply = std::move(reply)](const absl::StatusOr<Response>&) mutable {
                       // Let go unanswered, at a time when nobody waits any more.
                       holder->PostAt(until, [reply = std::move(reply)] {});
                     });
    return;
  }
  if (faults.answer_delay > Duration::zero()) {
    (node_->*method)(context, request,
                     [holder = holder_, until = clock_->Now() + faults.answer_delay,
                      reply = std::move(reply)](absl::StatusOr<Response> answer) mutable {
                       holder->PostAt(
                           until, [reply = std::move(reply), answer = std::move(answer)]() mutable {
                             reply(std::move(answer));
                           });
                     });
    return;
  }
  (node_->*method)(context, request, std::move(reply));
}

void FaultyKeyValueService::Get(const CallContext& context, const kv::v1::GetRequest& request,
                                Reply<kv::v1::GetResponse> reply) {
  Forward(&KeyValueService::Get, false, context, request, std::move(reply));
}

void FaultyKeyValueService::Put(const CallContext& context, const kv::v1::PutRequest& request,
                                Reply<kv::v1::PutResponse> reply) {
  Forward(&KeyValueService::Put, true, context, request, std::move(reply));
}

void FaultyKeyValueService::Delete(const CallContext& context, const kv::v1::DeleteRequest& request,
                                   Reply<kv::v1::DeleteResponse> reply) {
  Forward(&KeyValueService::Delete, true, context, request, std::move(reply));
}

void FaultyKeyValueService::Increment(const CallContext& context,
                                      const kv::v1::IncrementRequest& request,
                                      Reply<kv::v1::IncrementResponse> reply) {
  Forward(&KeyValueService::Increment, true, context, request, std::move(reply));
}

void FaultyKeyValueService::Batch(const CallContext& context, const kv::v1::BatchRequest& request,
                                  Reply<kv::v1::BatchResponse> reply) {
  const bool write =
      std::any_of(request.operations().begin(), request.operations().end(),
                  [](const kv::v1::BatchOperation& operation) { return !operation.has_get(); });
  Forward(&KeyValueService::Batch, write, context, request, std::move(reply));
}

void FaultyKeyValueService::ScanPage(const CallContext& context, const kv::v1::ScanRequest& request,
                                     Reply<kv::v1::ScanResponse> reply) {
  Forward(&KeyValueService::ScanPage, false, context, request, std::move(reply));
}

}  // namespace quorate::testing
