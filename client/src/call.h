// An Operation that carries one kind of request.
#ifndef CLIENT_SRC_CALL_H_
#define CLIENT_SRC_CALL_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "client/src/convert.h"
#include "client/src/operation.h"

namespace quorate::client {

// Keeps the request for repeats and hands the response of the attempt that succeeded to `finish`
// (empty unless the outcome is kDone).
template <class Request, class Response>
class Call final : public Operation {
 public:
  using Method = void (Transport::*)(const std::string&, const Request&, MonotonicTime,
                                     Done<Response>);
  using FinishHandler = absl::AnyInvocable<void(Ended, Response)>;

  Call(std::shared_ptr<CoreParts> parts, OperationSpec spec, Request request, Method method,
       FinishHandler finish)
      : Operation(std::move(parts), std::move(spec)),
        request_(std::move(request)),
        method_(method),
        finish_(std::move(finish)) {}

 private:
  void Send(const Target& target, const Stamp& stamp, MonotonicTime deadline) override {
    if constexpr (requires { request_.mutable_header(); }) {
      auto* header = request_.mutable_header();
      header->set_placement_epoch(stamp.placement_epoch);
      header->set_policy_epoch(stamp.policy_epoch);
      header->set_timeout_ms(stamp.timeout_ms);
      if (stamp.request_id) {
        ToWire(*stamp.request_id, header->mutable_request_id());
      }
    }
    (parts().transport->*method_)(target.address, request_, deadline,
                                  [self = std::static_pointer_cast<Call>(shared_from_this()),
                                   target](absl::StatusOr<Response> answer) {
                                    if (!answer.ok()) {
                                      self->OnAttemptEnd(target, answer.status());
                                      return;
                                    }
                                    self->response_ = std::move(*answer);
                                    if constexpr (requires { self->response_.header(); }) {
                                      self->parts().ids->NoteClusterTime(
                                          self->response_.header().cluster_time_us(),
                                          self->parts().clock->Now());
                                    }
                                    self->OnAttemptEnd(target, absl::OkStatus());
                                  });
  }

  void Finish(Ended ended) override { finish_(std::move(ended), std::move(response_)); }

  Request request_;
  const Method method_;
  FinishHandler finish_;
  Response response_;
};

template <class Request, class Response>
void StartCall(std::shared_ptr<CoreParts> parts, OperationSpec spec, Request request,
               void (Transport::*method)(const std::string&, const Request&, MonotonicTime,
                                         Done<Response>),
               absl::AnyInvocable<void(Ended, Response)> finish) {
  std::make_shared<Call<Request, Response>>(std::move(parts), std::move(spec), std::move(request),
                                            method, std::move(finish))
      ->Start();
}

}  // namespace quorate::client

#endif  // CLIENT_SRC_CALL_H_
