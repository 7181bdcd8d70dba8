// One unary call of the completion-queue API, from accepting it to the reply having left.
#ifndef SERVER_SERVICE_GRPC_CALL_H_
#define SERVER_SERVICE_GRPC_CALL_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/async_unary_call.h>

#include <atomic>
#include <functional>
#include <utility>

#include "absl/status/statusor.h"
#include "proto/grpc_status.h"
#include "server/runtime/check.h"
#include "server/runtime/grpc_completion_loop.h"
#include "server/service/admission.h"
#include "server/service/grpc_call_context.h"
#include "server/service/pending_writes.h"
#include "server/service/request_metrics.h"
#include "server/service/services.h"

namespace quorate {

// What all calls of a server share. Outlives them.
struct GrpcCallEnvironment {
  const Clock* clock;
  GrpcWork* work;
  Admission* admission;
  PendingWrites* writes;
};

// A reply that is given exactly once even if the service drops it (its loops were stopped, say):
// then the caller hears that the node is stopping.
template <class Call, class Answer>
class GrpcReplyOnce {
 public:
  explicit GrpcReplyOnce(Call* call) : call_(call) {}
  GrpcReplyOnce(GrpcReplyOnce&& other) noexcept : call_(std::exchange(other.call_, nullptr)) {}
  GrpcReplyOnce& operator=(GrpcReplyOnce&&) = delete;
  ~GrpcReplyOnce() {
    if (call_ != nullptr) call_->Reply(DroppedReplyError(call_->writes()));
  }

  void operator()(absl::StatusOr<Answer> answer) {
    QUORATE_CHECK(call_ != nullptr);  // a second reply
    std::exchange(call_, nullptr)->Reply(std::move(answer));
  }

 private:
  Call* call_;
};

// A method: how gRPC is asked for a call of it, and who serves it. Outlives its calls.
template <class Request, class Response>
struct GrpcUnaryMethod {
  using Writer = grpc::ServerAsyncResponseWriter<Response>;
  std::function<void(grpc::ServerContext*, Request*, Writer*, void* tag)> accept;
  std::function<void(const CallContext&, const Request&, Reply<Response>)> serve;
  bool writes = false;  // a lost reply leaves the outcome unknown
  bool administers = false;
  Duration default_timeout = std::chrono::seconds(5);  // for callers that give no deadline
  RequestMethodMetrics* metrics = nullptr;             // null: not observed

  // Whose bounds hold.
  [[nodiscard]] RequestKind kind() const {
    if (administers) return RequestKind::kAdmin;
    return writes ? RequestKind::kWrite : RequestKind::kRead;
  }
};

// Owns itself: lives from Accept until both the service has returned and the reply has left (or the
// client is gone). Deleted on the loop's threads only. The reply may come on any thread.
template <class Request, class Response>
class GrpcUnaryCall final : public GrpcTag, public PendingWrites::Write {
 public:
  using Method = GrpcUnaryMethod<Request, Response>;

  // Waits for one more call of the method.
  static void Accept(const Method* method, const GrpcCallEnvironment& environment) {
    auto* call = new GrpcUnaryCall(method, environment);
    method->accept(&call->server_context_, &call->request_, &call->writer_, call);
  }

  void Proceed(bool ok) override {
    if (accepted_) {
      environment_.writes->End(this);
      Release();
      return;
    }
    if (!ok) {  // the server is shutting down: no call came
      End();
      return;
    }
    accepted_ = true;
    Accept(method_, environment_);
    Serve();
    Release();
  }

  void Reply(absl::StatusOr<Response> answer) {
    Observe(answer.status());
    environment_.writes->Begin(this);
    if (!answer.ok()) {
      writer_.FinishWithError(ToGrpc(answer.status()), this);
      return;
    }
    const size_t answer_bytes = answer->ByteSizeLong();
    environment_.admission->Answered(method_->kind(), expected_bytes_, answer_bytes);
    charged_bytes_ += answer_bytes - expected_bytes_;
    writer_.Finish(*answer, grpc::Status::OK, this);
  }

  void CutOff() override { BreakOffUnread(server_context_); }

  [[nodiscard]] bool writes() const { return method_->writes; }

 private:
  GrpcUnaryCall(const Method* method, const GrpcCallEnvironment& environment)
      : method_(method), environment_(environment), writer_(&server_context_) {
    environment_.work->Begin();
  }
  ~GrpcUnaryCall() {
    if (admitted_) environment_.admission->Leave(method_->kind(), charged_bytes_);
  }

  void Observe(const absl::Status& status) {
    observation_.End(status, *environment_.clock, [this] {
      return RequestDescription{.peer = server_context_.peer(),
                                .header = HeaderOf(request_),
                                .key_bytes = KeyBytesOf(request_)};
    });
  }

  void Serve() {
    observation_.Begin(method_->metrics, HeaderOf(request_), environment_.clock->Now());
    expected_bytes_ = environment_.admission->ExpectedAnswerBytes(method_->kind());
    charged_bytes_ = request_.ByteSizeLong() + expected_bytes_;
    absl::Status admission = environment_.admission->Enter(method_->kind(), charged_bytes_);
    admitted_ = admission.ok();
    if (!admitted_) {
      Observe(admission);
      environment_.writes->Begin(this);
      writer_.FinishWithError(ToGrpc(admission), this);
      return;
    }
    CallContext context = MakeCallContext(server_context_, HeaderOf(request_),
                                          method_->default_timeout, *environment_.clock);
    context.trace = observation_.trace();
    method_->serve(context, request_, GrpcReplyOnce<GrpcUnaryCall, Response>(this));
  }

  void Release() {
    if (holders_.fetch_sub(1, std::memory_order_acq_rel) == 1) End();
  }
  void End() {
    GrpcWork* const work = environment_.work;
    delete this;
    work->End();
  }

  const Method* const method_;
  const GrpcCallEnvironment environment_;
  grpc::ServerContext server_context_;
  Request request_;
  grpc::ServerAsyncResponseWriter<Response> writer_;
  RequestObservation observation_;
  bool accepted_ = false;
  bool admitted_ = false;
  size_t charged_bytes_ = 0;
  size_t expected_bytes_ = 0;  // of them, for the answer
  // The service's use of the request, and the reply's way out.
  std::atomic<int> holders_{2};
};

}  // namespace quorate

#endif  // SERVER_SERVICE_GRPC_CALL_H_
