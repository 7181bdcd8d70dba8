// A server that does nothing: the ceiling for every other one of the same API style.
#include <utility>

#include "bench/echo.grpc.pb.h"
#include "tools/kvbench/target_grpc.h"

namespace quorate::kvbench {
namespace {

using EchoStub = bench::Echo::Stub;

class EchoOperation final
    : public UnaryOperation<EchoStub, bench::EchoRequest, bench::EchoResponse> {
 public:
  EchoOperation(EchoStub* stub, size_t value_bytes)
      : UnaryOperation(&EchoStub::AsyncCall), stub_(stub), value_bytes_(value_bytes) {
    request_.set_payload(std::string(value_bytes, 'v'));
  }

  void Start(size_t /*key*/, bool /*repeated*/, grpc::CompletionQueue* queue, void* tag) override {
    Send(stub_, request_, queue, tag);
  }

  Outcome End() override {
    if (!status().ok()) return IsTransient(status()) ? Outcome::kTryAgain : Outcome::kFailed;
    return response().payload().size() == value_bytes_ ? Outcome::kDone : Outcome::kFailed;
  }

 private:
  EchoStub* const stub_;
  const size_t value_bytes_;
  bench::EchoRequest request_;
};

class EchoTarget final : public Target {
 public:
  explicit EchoTarget(const Options& options) : value_bytes_(options.value_bytes) {
    for (auto& channel : OpenChannels(options.endpoints.front(), options.connections)) {
      stubs_.push_back(bench::Echo::NewStub(std::move(channel)));
    }
  }

  std::unique_ptr<Operation> NewOperation(OperationKind /*kind*/, size_t client) override {
    return std::make_unique<EchoOperation>(stubs_[client % stubs_.size()].get(), value_bytes_);
  }

 private:
  const size_t value_bytes_;
  std::vector<std::unique_ptr<EchoStub>> stubs_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Target>> ConnectEcho(const Options& options) {
  return std::make_unique<EchoTarget>(options);
}

}  // namespace quorate::kvbench
