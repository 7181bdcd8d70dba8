// A request that is about one named node, and goes to no other.
#ifndef CLIENT_SRC_DIRECT_CALL_H_
#define CLIENT_SRC_DIRECT_CALL_H_

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "client/src/operation.h"
#include "proto/error_detail.h"

namespace quorate::client {

// As quick as this only a refusal is (nobody listens there, say): a transport gives a connection
// more time, and what failed later may come through on a machine or network that is slow just now.
constexpr Duration kRefusalMax = std::chrono::milliseconds(250);
constexpr Duration kReconnectPause = std::chrono::milliseconds(200);

// Sent once at most. Only what certainly never left, for want of a connection in time, is tried
// again, for half of the time-out. Threads: as ClientCore.
template <class Request, class Response, class R>
class DirectCall final : public std::enable_shared_from_this<DirectCall<Request, Response, R>> {
 public:
  using Method = void (Transport::*)(const std::string&, const Request&, MonotonicTime,
                                     Done<Response>);
  // Takes what is asked for out of the response.
  using Fill = absl::AnyInvocable<void(Response, R&)>;
  struct Spec {
    std::string address;
    Request request;
    Method method;
    bool write = false;
    MonotonicTime deadline;
  };

  DirectCall(std::shared_ptr<CoreParts> parts, Spec spec, Handler<R> handler, Fill fill)
      : parts_(std::move(parts)),
        spec_(std::move(spec)),
        began_(parts_->clock->Now()),
        handler_(std::move(handler)),
        fill_(std::move(fill)) {}

  void Send() {
    ++result_.attempts;
    (parts_->transport->*spec_.method)(
        spec_.address, spec_.request, spec_.deadline,
        [self = this->shared_from_this()](absl::StatusOr<Response> answer) {
          if (!self->MayConnectYet(answer.status()) || !self->SendLater(answer.status())) {
            self->Finish(std::move(answer));
          }
        });
  }

 private:
  [[nodiscard]] bool MayConnectYet(const absl::Status& status) const {
    const Duration passed = parts_->clock->Now() - began_;
    return IsNeverSent(status) && passed < (spec_.deadline - began_) / 2 &&
           (result_.attempts > 1 || passed > kRefusalMax);
  }

  // False: the client was closed.
  [[nodiscard]] bool SendLater(const absl::Status& failure) {
    const uint64_t ticket = parts_->parking.Park(
        [self = this->shared_from_this(), failure](const absl::Status& status) {
          status.ok() ? self->Send() : self->Finish(failure);
        });
    parts_->executor->PostAt(parts_->clock->Now() + kReconnectPause, [parts = parts_, ticket] {
      parts->parking.Wake(ticket, absl::OkStatus());
    });
    return ticket != 0;
  }

  void Finish(absl::StatusOr<Response> answer) {
    if (answer.ok()) {
      fill_(std::move(*answer), result_);
    } else {
      result_.status = answer.status();
      result_.reason = PublicReason(result_.status);
      const bool unknown = spec_.write && OutcomeOf(result_.status) == kv::v1::OUTCOME_UNKNOWN;
      result_.outcome = unknown ? Outcome::kUnknown : Outcome::kNotDone;
    }
    handler_(std::move(result_));
  }

  const std::shared_ptr<CoreParts> parts_;
  const Spec spec_;
  const MonotonicTime began_;
  Handler<R> handler_;
  Fill fill_;
  R result_;
};

template <class Request, class Response, class R>
void StartDirect(std::shared_ptr<CoreParts> parts,
                 typename DirectCall<Request, Response, R>::Spec spec, Handler<R> handler,
                 typename DirectCall<Request, Response, R>::Fill fill) {
  std::make_shared<DirectCall<Request, Response, R>>(std::move(parts), std::move(spec),
                                                     std::move(handler), std::move(fill))
      ->Send();
}

}  // namespace quorate::client

#endif  // CLIENT_SRC_DIRECT_CALL_H_
