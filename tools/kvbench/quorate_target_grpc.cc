// Quorate by its own API: each request goes to the leader of its key's partition, and a write
// carries a request id, as the client library does it.
#include <algorithm>
#include <map>
#include <random>
#include <utility>

#include "fmt/format.h"
#include "kv/v1/admin.grpc.pb.h"
#include "kv/v1/key_value.grpc.pb.h"
#include "proto/error_detail.h"
#include "proto/grpc_status.h"
#include "server/placement/routing_key.h"
#include "tools/kvbench/target_grpc.h"

namespace quorate::kvbench {
namespace {

using QuorateStub = kv::v1::KeyValue::Stub;

class QuorateTarget final : public Target {
 public:
  QuorateTarget(const Options& options, const kv::v1::GetClusterStateResponse& state,
                const kv::v1::Keyspace& keyspace);

  std::unique_ptr<Operation> NewOperation(OperationKind kind, size_t client) override;

  // ---- For the operations.
  [[nodiscard]] uint32_t PartitionOf(const std::string& key) const {
    return PartitionOfKey(key, rule_, static_cast<uint32_t>(partitions_.size()));
  }
  [[nodiscard]] QuorateStub* LeaderOf(uint32_t partition, size_t client) const {
    const auto& stubs = servers_[partitions_[partition].leader].stubs;
    return stubs[client % stubs.size()].get();
  }
  // A server refused: asks the one it names next, else another replica.
  void NoteRefusal(uint32_t partition, const grpc::Status& status);
  void NoteClusterTime(uint64_t time_us) { cluster_time_us_ = std::max(cluster_time_us_, time_us); }
  void FillHeader(kv::v1::RequestHeader* header) const { header->set_keyspace(keyspace_); }
  void FillRequestId(kv::v1::RequestId* id) {
    id->set_client_id(client_id_);
    id->set_sequence(++sequence_);
    id->set_cluster_time_us(cluster_time_us_);
  }

 private:
  struct Server {
    std::string address;
    std::vector<std::unique_ptr<QuorateStub>> stubs;
  };
  struct Partition {
    std::vector<size_t> replicas;
    size_t leader = 0;  // as far as known; of servers_
  };

  const std::string keyspace_;
  const size_t value_bytes_;
  const RoutingRule rule_;
  std::string client_id_;
  uint64_t sequence_ = 0;
  uint64_t cluster_time_us_;
  std::vector<Server> servers_;
  std::vector<Partition> partitions_;
};

template <class Request, class Response>
class QuorateOperation : public UnaryOperation<QuorateStub, Request, Response> {
 public:
  using Base = UnaryOperation<QuorateStub, Request, Response>;

  QuorateOperation(typename Base::Method method, QuorateTarget* target, size_t client)
      : Base(method), target_(target), client_(client) {
    target_->FillHeader(request_.mutable_header());
  }

  void Start(size_t key, bool repeated, grpc::CompletionQueue* queue, void* tag) override {
    if (!repeated) {
      request_.set_key(KeyName(key));
      partition_ = target_->PartitionOf(request_.key());
      if constexpr (std::is_same_v<Request, kv::v1::PutRequest>) {
        target_->FillRequestId(request_.mutable_header()->mutable_request_id());
      }
    }
    Base::Send(target_->LeaderOf(partition_, client_), request_, queue, tag);
  }

  Outcome End() override {
    if (Base::status().ok()) {
      target_->NoteClusterTime(Base::response().header().cluster_time_us());
      return Outcome::kDone;
    }
    if (!IsTransient(Base::status())) return Outcome::kFailed;
    target_->NoteRefusal(partition_, Base::status());
    return Outcome::kTryAgain;
  }

 protected:
  Request request_;

 private:
  QuorateTarget* const target_;
  const size_t client_;
  uint32_t partition_ = 0;
};

using QuorateGet = QuorateOperation<kv::v1::GetRequest, kv::v1::GetResponse>;

class QuoratePut final : public QuorateOperation<kv::v1::PutRequest, kv::v1::PutResponse> {
 public:
  QuoratePut(QuorateTarget* target, size_t client, size_t value_bytes)
      : QuorateOperation(&QuorateStub::AsyncPut, target, client) {
    request_.set_value(std::string(value_bytes, 'v'));
  }
};

// Of this process among all, so that its request ids are its own.
std::string NewClientId() {
  std::random_device random;
  std::string id;
  while (id.size() < 16) id.push_back(static_cast<char>(random() & 0xff));
  return id;
}

QuorateTarget::QuorateTarget(const Options& options, const kv::v1::GetClusterStateResponse& state,
                             const kv::v1::Keyspace& keyspace)
    : keyspace_(options.keyspace),
      value_bytes_(options.value_bytes),
      rule_(keyspace.policy().routing() == kv::v1::ROUTING_WHOLE ? RoutingRule::kWhole
                                                                 : RoutingRule::kTag),
      client_id_(NewClientId()),
      cluster_time_us_(state.cluster_time_us()) {
  std::map<uint64_t, size_t> server_of_node;
  for (const kv::v1::Node& node : state.nodes()) {
    server_of_node[node.node_id()] = servers_.size();
    Server& server = servers_.emplace_back();
    server.address = node.address();
    for (auto& channel : OpenChannels(node.address(), options.connections)) {
      server.stubs.push_back(kv::v1::KeyValue::NewStub(std::move(channel)));
    }
  }
  std::map<uint64_t, uint64_t> leader_of_group;
  for (const kv::v1::LeaderHint& hint : state.leaders()) {
    leader_of_group[hint.group_id()] = hint.node_id();
  }
  for (const kv::v1::PartitionPlacement& placement : keyspace.partitions()) {
    Partition& partition = partitions_.emplace_back();
    for (const kv::v1::ReplicaRef& replica : placement.replicas()) {
      partition.replicas.push_back(server_of_node[replica.node_id()]);
    }
    const auto leader = leader_of_group.find(placement.group_id());
    partition.leader = leader != leader_of_group.end() ? server_of_node[leader->second]
                                                       : partition.replicas.front();
  }
}

void QuorateTarget::NoteRefusal(uint32_t number, const grpc::Status& status) {
  Partition& partition = partitions_[number];
  const auto detail = DetailOf(FromGrpc(status));
  if (detail && !detail->leader().address().empty()) {
    for (size_t i = 0; i < servers_.size(); ++i) {
      if (servers_[i].address == detail->leader().address()) partition.leader = i;
    }
    return;
  }
  const auto& replicas = partition.replicas;
  const auto found = std::find(replicas.begin(), replicas.end(), partition.leader);
  const bool last = found == replicas.end() || found + 1 == replicas.end();
  partition.leader = last ? replicas.front() : *(found + 1);
}

std::unique_ptr<Operation> QuorateTarget::NewOperation(OperationKind kind, size_t client) {
  if (kind == OperationKind::kGet) {
    return std::make_unique<QuorateGet>(&QuorateStub::AsyncGet, this, client);
  }
  return std::make_unique<QuoratePut>(this, client, value_bytes_);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Target>> ConnectQuorate(const Options& options) {
  absl::Status failure;
  for (const std::string& address : options.endpoints) {
    const auto stub = kv::v1::Admin::NewStub(OpenChannels(address, 1).front());
    grpc::ClientContext context;
    SetDeadline(&context, std::chrono::seconds(5));
    kv::v1::GetClusterStateResponse state;
    const grpc::Status status =
        stub->GetClusterState(&context, kv::v1::GetClusterStateRequest(), &state);
    if (!status.ok()) {
      failure = absl::UnavailableError(fmt::format("{}: {}", address, status.error_message()));
      continue;
    }
    for (const kv::v1::Keyspace& keyspace : state.keyspaces()) {
      if (keyspace.name() == options.keyspace) {
        return std::make_unique<QuorateTarget>(options, state, keyspace);
      }
    }
    failure = absl::NotFoundError(fmt::format("{}: no keyspace '{}'", address, options.keyspace));
  }
  return failure;
}

}  // namespace quorate::kvbench
