// The admin API on one node.
#ifndef SERVER_SERVICE_ADMIN_SERVICE_H_
#define SERVER_SERVICE_ADMIN_SERVICE_H_

#include <functional>
#include <memory>
#include <string>

#include "server/cluster/liveness.h"
#include "server/cluster/membership.h"
#include "server/cluster/peer_messenger.h"
#include "server/cluster/reconciler.h"
#include "server/runtime/metrics.h"
#include "server/service/readiness.h"
#include "server/service/service_context.h"
#include "server/service/services.h"

namespace quorate {

// Owned by the node. Threads and replies as in services.h.
class NodeAdminService final : public AdminService {
 public:
  // All outlive it.
  struct Parts {
    const ServiceContext* context;
    Membership* membership;
    const PeerMessenger* messenger;
    const Liveness* liveness;
    const Readiness* readiness;
    std::string version;
    MonotonicTime started;
    const MetricsRegistry* metrics;
  };

  explicit NodeAdminService(Parts parts) : parts_(std::move(parts)), context_(parts_.context) {}

  void Init(const CallContext& call, const kv::v1::InitRequest& request,
            Reply<kv::v1::InitResponse> reply) override;
  void GetClusterState(const CallContext& call, const kv::v1::GetClusterStateRequest& request,
                       Reply<kv::v1::GetClusterStateResponse> reply) override;
  void GetNodeStatus(const CallContext& call, const kv::v1::GetNodeStatusRequest& request,
                     Reply<kv::v1::GetNodeStatusResponse> reply) override;
  void CreateKeyspace(const CallContext& call, const kv::v1::CreateKeyspaceRequest& request,
                      Reply<kv::v1::CreateKeyspaceResponse> reply) override;
  void DropKeyspace(const CallContext& call, const kv::v1::DropKeyspaceRequest& request,
                    Reply<kv::v1::DropKeyspaceResponse> reply) override;
  void ListReplicas(const CallContext& call, const kv::v1::ListReplicasRequest& request,
                    Reply<kv::v1::ListReplicasResponse> reply) override;
  void MovePartition(const CallContext& call, const kv::v1::MovePartitionRequest& request,
                     Reply<kv::v1::MovePartitionResponse> reply) override;
  void RecoverPartition(const CallContext& call, const kv::v1::RecoverPartitionRequest& request,
                        Reply<kv::v1::RecoverPartitionResponse> reply) override;
  void TransferLeader(const CallContext& call, const kv::v1::TransferLeaderRequest& request,
                      Reply<kv::v1::TransferLeaderResponse> reply) override;
  void DrainNode(const CallContext& call, const kv::v1::DrainNodeRequest& request,
                 Reply<kv::v1::DrainNodeResponse> reply) override;

 private:
  using View = std::shared_ptr<const ClusterView>;
  struct Creation;
  struct Drop;
  struct Change;

  // The view, on the node that leads the meta group; NOT_LEADER with its address elsewhere.
  [[nodiscard]] absl::StatusOr<View> ViewOfLeader() const;
  [[nodiscard]] absl::Status WithLeader(const absl::Status& status) const;
  void TryCreate(const std::shared_ptr<Creation>& creation);
  void AwaitCreated(const std::shared_ptr<Creation>& creation);
  void AwaitDropped(const std::shared_ptr<Drop>& drop);
  // Plans, proposes, and plans again until there is nothing left to propose.
  void RunChange(const std::shared_ptr<Change>& change);
  // Of one partition: `plan` gets the view and the partition's placement.
  template <class Request, class Response, class Plan>
  void RunPartitionChange(const CallContext& call, const Request& request, Reply<Response> reply,
                          Plan plan);
  [[nodiscard]] NodeSights SightsOf(const ClusterView& view) const;

  const Parts parts_;
  const ServiceContext* const context_;
};

}  // namespace quorate

#endif  // SERVER_SERVICE_ADMIN_SERVICE_H_
