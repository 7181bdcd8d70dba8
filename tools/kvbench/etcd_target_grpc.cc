// etcd by its own API. All requests go to the leader, which is what it does best.
#include <utility>

#include "bench/etcd.grpc.pb.h"
#include "fmt/format.h"
#include "tools/kvbench/target_grpc.h"

namespace quorate::kvbench {
namespace {

using EtcdStub = etcdserverpb::KV::Stub;

Outcome OutcomeOf(const grpc::Status& status) {
  if (status.ok()) return Outcome::kDone;
  return IsTransient(status) ? Outcome::kTryAgain : Outcome::kFailed;
}

class EtcdGet final
    : public UnaryOperation<EtcdStub, etcdserverpb::RangeRequest, etcdserverpb::RangeResponse> {
 public:
  explicit EtcdGet(EtcdStub* stub) : UnaryOperation(&EtcdStub::AsyncRange), stub_(stub) {}

  void Start(size_t key, bool /*repeated*/, grpc::CompletionQueue* queue, void* tag) override {
    request_.set_key(KeyName(key));
    Send(stub_, request_, queue, tag);
  }
  Outcome End() override {
    if (status().ok() && response().kvs_size() != 1) return Outcome::kFailed;
    return OutcomeOf(status());
  }
  [[nodiscard]] std::string error() const override {
    return status().ok() ? "the key is absent: was it loaded?" : UnaryOperation::error();
  }

 private:
  EtcdStub* const stub_;
  etcdserverpb::RangeRequest request_;
};

class EtcdPut final
    : public UnaryOperation<EtcdStub, etcdserverpb::PutRequest, etcdserverpb::PutResponse> {
 public:
  EtcdPut(EtcdStub* stub, size_t value_bytes) : UnaryOperation(&EtcdStub::AsyncPut), stub_(stub) {
    request_.set_value(std::string(value_bytes, 'v'));
  }

  void Start(size_t key, bool /*repeated*/, grpc::CompletionQueue* queue, void* tag) override {
    request_.set_key(KeyName(key));
    Send(stub_, request_, queue, tag);
  }
  Outcome End() override { return OutcomeOf(status()); }

 private:
  EtcdStub* const stub_;
  etcdserverpb::PutRequest request_;
};

class EtcdTarget final : public Target {
 public:
  EtcdTarget(const Options& options, const std::string& leader)
      : value_bytes_(options.value_bytes) {
    for (auto& channel : OpenChannels(leader, options.connections)) {
      stubs_.push_back(etcdserverpb::KV::NewStub(std::move(channel)));
    }
  }

  std::unique_ptr<Operation> NewOperation(OperationKind kind, size_t client) override {
    EtcdStub* stub = stubs_[client % stubs_.size()].get();
    if (kind == OperationKind::kGet) return std::make_unique<EtcdGet>(stub);
    return std::make_unique<EtcdPut>(stub, value_bytes_);
  }

 private:
  const size_t value_bytes_;
  std::vector<std::unique_ptr<EtcdStub>> stubs_;
};

bool Leads(const std::string& address, std::string* why) {
  const auto stub = etcdserverpb::Maintenance::NewStub(OpenChannels(address, 1).front());
  grpc::ClientContext context;
  SetDeadline(&context, std::chrono::seconds(5));
  context.set_wait_for_ready(true);
  etcdserverpb::StatusResponse answer;
  const grpc::Status status = stub->Status(&context, etcdserverpb::StatusRequest(), &answer);
  if (!status.ok()) *why = fmt::format("{}: {}", address, status.error_message());
  return status.ok() && answer.leader() != 0 && answer.leader() == answer.header().member_id();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Target>> ConnectEtcd(const Options& options) {
  std::string why = "no member says that it leads";
  for (const std::string& address : options.endpoints) {
    if (Leads(address, &why)) return std::make_unique<EtcdTarget>(options, address);
  }
  return absl::UnavailableError(why);
}

}  // namespace quorate::kvbench
