#include "quorate/client.h"

#include <array>
#include <utility>

#include "client/src/client_core.h"
#include "client/src/grpc_transport.h"
#include "client/src/wait.h"
#include "fmt/format.h"
#include "server/runtime/clock.h"
#include "server/runtime/event_loop.h"
#include "server/runtime/random.h"

namespace quorate::client {
namespace {

std::array<uint8_t, 16> RandomClientId() {
  std::array<uint8_t, 16> id{};
  for (size_t i = 0; i < id.size(); i += 8) {
    uint64_t word = KernelSeed();
    for (size_t j = 0; j < 8; ++j) {
      id[i + j] = static_cast<uint8_t>(word);
      word >>= 8;
    }
  }
  return id;
}

absl::Status CheckEndpoint(const std::string& endpoint) {
  const size_t colon = endpoint.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == endpoint.size() ||
      endpoint.find_first_not_of("0123456789", colon + 1) != std::string::npos) {
    return absl::InvalidArgumentError(
        fmt::format("endpoint \"{}\" is not HOST:PORT, such as 127.0.0.1:7400", endpoint));
  }
  return absl::OkStatus();
}

}  // namespace

// In the order of their making; the destructor of Client takes them down in its own order.
struct Client::Parts {
  KernelClock clock;
  EventLoop timers{"client-timers", &clock};
  EventLoop poller{"client-poller", &clock};
  std::unique_ptr<GrpcTransport> transport = GrpcTransport::Create(&clock, &poller);
  std::unique_ptr<ClientCore> core;
};

Client::Client(std::shared_ptr<Parts> parts) : parts_(std::move(parts)) {}

Client::~Client() {
  // Nothing new is sent; then every answer is in; then no timer can fire into what is gone.
  parts_->core->Close();
  parts_->transport->Shutdown();
  parts_->timers.Stop();
  parts_->poller.Stop();
}

absl::StatusOr<std::unique_ptr<Client>> Client::Connect(const ClientOptions& options) {
  if (options.endpoints.empty()) {
    return absl::InvalidArgumentError("no endpoint is given");
  }
  for (const std::string& endpoint : options.endpoints) {
    if (auto status = CheckEndpoint(endpoint); !status.ok()) {
      return status;
    }
  }
  auto parts = std::make_shared<Parts>();
  ClientCoreOptions core;
  core.endpoints = options.endpoints;
  core.transport = parts->transport.get();
  core.clock = &parts->clock;
  core.executor = &parts->timers;
  core.seed = KernelSeed();
  core.client_id = RandomClientId();
  core.inflight_max = options.inflight_max;
  core.inflight_bytes_max = options.inflight_bytes_max;
  parts->core = std::make_unique<ClientCore>(core);
  return std::unique_ptr<Client>(new Client(std::move(parts)));
}

absl::StatusOr<Keyspace> Client::OpenKeyspace(const std::string& name, const ReadOptions& options) {
  auto found = Wait<Result>([&](Handler<Result> handler) {
    parts_->core->FindKeyspace(name, options, std::move(handler));
  });
  if (!found.ok()) {
    return found.status;
  }
  return UncheckedKeyspace(name);
}

Keyspace Client::UncheckedKeyspace(const std::string& name) {
  // Owns all parts, shows one.
  return {std::shared_ptr<ClientCore>(parts_, parts_->core.get()), name};
}

InitResult Client::Init(const std::string& address, bool force, const AdminOptions& options) {
  return Wait<InitResult>([&](Handler<InitResult> handler) {
    parts_->core->Init(address, force, options, std::move(handler));
  });
}

ClusterStateResult Client::GetClusterState(const AdminOptions& options) {
  return Wait<ClusterStateResult>([&](Handler<ClusterStateResult> handler) {
    parts_->core->GetClusterState(options, std::move(handler));
  });
}

CreateKeyspaceResult Client::CreateKeyspace(const std::string& name, const Policy& policy,
                                            const AdminOptions& options) {
  return Wait<CreateKeyspaceResult>([&](Handler<CreateKeyspaceResult> handler) {
    parts_->core->CreateKeyspace(name, policy, options, std::move(handler));
  });
}

DropKeyspaceResult Client::DropKeyspace(const std::string& name, const AdminOptions& options) {
  return Wait<DropKeyspaceResult>([&](Handler<DropKeyspaceResult> handler) {
    parts_->core->DropKeyspace(name, options, std::move(handler));
  });
}

MovePartitionResult Client::MovePartition(const PartitionMove& move, const AdminOptions& options) {
  return Wait<MovePartitionResult>([&](Handler<MovePartitionResult> handler) {
    parts_->core->MovePartition(move, /*cancel=*/false, options, std::move(handler));
  });
}

MovePartitionResult Client::CancelMove(const std::string& keyspace, uint32_t partition,
                                       const AdminOptions& options) {
  const PartitionMove move{.keyspace = keyspace, .partition = partition};
  return Wait<MovePartitionResult>([&](Handler<MovePartitionResult> handler) {
    parts_->core->MovePartition(move, /*cancel=*/true, options, std::move(handler));
  });
}

DrainNodeResult Client::DrainNode(uint64_t node_id, bool undo, const AdminOptions& options) {
  return Wait<DrainNodeResult>([&](Handler<DrainNodeResult> handler) {
    parts_->core->DrainNode(node_id, undo, options, std::move(handler));
  });
}

RecoverPartitionResult Client::RecoverPartition(const PartitionRecovery& recovery,
                                                const AdminOptions& options) {
  return Wait<RecoverPartitionResult>([&](Handler<RecoverPartitionResult> handler) {
    parts_->core->RecoverPartition(recovery, options, std::move(handler));
  });
}

TransferLeaderResult Client::TransferLeader(const std::string& address, const PartitionMove& to,
                                            const AdminOptions& options) {
  return Wait<TransferLeaderResult>([&](Handler<TransferLeaderResult> handler) {
    parts_->core->TransferLeader(address, to, options, std::move(handler));
  });
}

void Client::NodeStatusAsync(const std::string& address, const AdminOptions& options,
                             Handler<NodeStatusResult> handler) {
  parts_->core->GetNodeStatus(address, options, std::move(handler));
}

void Client::ListReplicasAsync(const std::string& address, const std::string& keyspace,
                               bool checksum, const AdminOptions& options,
                               Handler<ListReplicasResult> handler) {
  parts_->core->ListReplicas(address, keyspace, checksum, options, std::move(handler));
}

}  // namespace quorate::client
