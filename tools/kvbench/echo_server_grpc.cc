#include "tools/kvbench/echo_server_grpc.h"

#include <grpcpp/grpcpp.h>

#include <utility>

#include "bench/echo.grpc.pb.h"
#include "server/runtime/grpc_completion_loop.h"
#include "server/runtime/grpc_listen.h"

namespace quorate::kvbench {
namespace {

// As many as kvd has.
constexpr int kAccepts = 32;

// Lives until its answer has left, on the loop's thread.
class EchoCall final : public GrpcTag {
 public:
  static void Accept(bench::Echo::AsyncService* service, GrpcCompletionLoop* loop) {
    auto* call = new EchoCall(service, loop);
    service->RequestCall(&call->context_, &call->request_, &call->writer_, loop->queue(),
                         loop->queue(), call);
  }

  void Proceed(bool ok) override {
    if (!ok || answered_) {
      delete this;
      return;
    }
    answered_ = true;
    Accept(service_, loop_);
    bench::EchoResponse response;
    response.set_payload(std::move(*request_.mutable_payload()));
    writer_.Finish(response, grpc::Status::OK, this);
  }

 private:
  EchoCall(bench::Echo::AsyncService* service, GrpcCompletionLoop* loop)
      : service_(service), loop_(loop), writer_(&context_) {
    loop_->BeginWork();
  }
  ~EchoCall() { loop_->EndWork(); }

  bench::Echo::AsyncService* const service_;
  GrpcCompletionLoop* const loop_;
  grpc::ServerContext context_;
  bench::EchoRequest request_;
  grpc::ServerAsyncResponseWriter<bench::EchoResponse> writer_;
  bool answered_ = false;
};

class Impl final : public EchoServer {
 public:
  ~Impl() override {
    if (server_) server_->Shutdown(std::chrono::system_clock::now());
    if (loop_) loop_->Stop();
  }

  absl::Status Listen(const std::string& address) {
    grpc::ServerBuilder builder;
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&service_);
    auto queue = builder.AddCompletionQueue();
    server_ = builder.BuildAndStart();
    loop_ = std::make_unique<GrpcCompletionLoop>(std::move(queue), 1, "echo");
    if (!server_) return ExplainListenFailure(address, "--listen");
    for (int i = 0; i < kAccepts; ++i) EchoCall::Accept(&service_, loop_.get());
    return absl::OkStatus();
  }

  [[nodiscard]] int port() const override { return port_; }

 private:
  int port_ = 0;
  bench::Echo::AsyncService service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<GrpcCompletionLoop> loop_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<EchoServer>> EchoServer::Start(const std::string& listen) {
  auto server = std::make_unique<Impl>();
  if (absl::Status status = server->Listen(listen); !status.ok()) return status;
  return server;
}

}  // namespace quorate::kvbench
