#include "tools/kvbench/echo_server_grpc.h"

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
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
  static void Accept(bench::Echo::AsyncService* service, GrpcWork* work) {
    auto* call = new EchoCall(service, work);
    service->RequestCall(&call->context_, &call->request_, &call->writer_, work->queue(),
                         work->queue(), call);
  }

  void Proceed(bool ok) override {
    if (!ok || answered_) {
      GrpcWork* const work = work_;
      delete this;
      work->End();
      return;
    }
    answered_ = true;
    Accept(service_, work_);
    bench::EchoResponse response;
    response.set_payload(std::move(*request_.mutable_payload()));
    writer_.Finish(response, grpc::Status::OK, this);
  }

 private:
  EchoCall(bench::Echo::AsyncService* service, GrpcWork* work)
      : service_(service), work_(work), writer_(&context_) {
    work_->Begin();
  }

  bench::Echo::AsyncService* const service_;
  GrpcWork* const work_;
  grpc::ServerContext context_;
  bench::EchoRequest request_;
  grpc::ServerAsyncResponseWriter<bench::EchoResponse> writer_;
  bool answered_ = false;
};

class Impl final : public EchoServer {
 public:
  ~Impl() override {
    if (server_) server_->Shutdown(std::chrono::system_clock::now());
    if (work_) work_->AwaitEnd();
    server_.reset();
  }

  absl::Status Listen(const std::string& address) {
    grpc::ServerBuilder builder;
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&service_);
    loop_ = std::make_unique<GrpcCompletionLoop>(builder, 1, "echo");
    work_.emplace(loop_.get());
    server_ = loop_->Start(builder, &*work_);
    if (!server_) return ExplainListenFailure(address, "--listen");
    for (int i = 0; i < kAccepts; ++i) EchoCall::Accept(&service_, &*work_);
    return absl::OkStatus();
  }

  [[nodiscard]] int port() const override { return port_; }

 private:
  int port_ = 0;
  bench::Echo::AsyncService service_;
  std::unique_ptr<GrpcCompletionLoop> loop_;
  std::optional<GrpcWork> work_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<EchoServer>> EchoServer::Start(const std::string& listen) {
  auto server = std::make_unique<Impl>();
  if (absl::Status status = server->Listen(listen); !status.ok()) return status;
  return server;
}

}  // namespace quorate::kvbench
