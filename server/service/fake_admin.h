// An AdminService for tests of what stands before one.
#ifndef SERVER_SERVICE_FAKE_ADMIN_H_
#define SERVER_SERVICE_FAKE_ADMIN_H_

#include <utility>

#include "server/service/services.h"

namespace quorate {

// Init answers, nothing else does.
class FakeAdmin : public AdminService {
 public:
  using Call = CallContext;
  void Init(const Call&, const kv::v1::InitRequest&, Reply<kv::v1::InitResponse> reply) override {
    kv::v1::InitResponse response;
    response.set_cluster_id("c1");
    reply(std::move(response));
  }
  void GetClusterState(const Call&, const kv::v1::GetClusterStateRequest&,
                       Reply<kv::v1::GetClusterStateResponse>) override {}
  void GetNodeStatus(const Call&, const kv::v1::GetNodeStatusRequest&,
                     Reply<kv::v1::GetNodeStatusResponse>) override {}
  void CreateKeyspace(const Call&, const kv::v1::CreateKeyspaceRequest&,
                      Reply<kv::v1::CreateKeyspaceResponse>) override {}
  void DropKeyspace(const Call&, const kv::v1::DropKeyspaceRequest&,
                    Reply<kv::v1::DropKeyspaceResponse>) override {}
  void ListReplicas(const Call&, const kv::v1::ListReplicasRequest&,
                    Reply<kv::v1::ListReplicasResponse>) override {}
  using Move = kv::v1::MovePartitionRequest;
  using Transfer = kv::v1::TransferLeaderRequest;
  using Drain = kv::v1::DrainNodeRequest;
  void RecoverPartition(const Call&, const kv::v1::RecoverPartitionRequest&,
                        Reply<kv::v1::RecoverPartitionResponse>) override {}
  void MovePartition(const Call&, const Move&, Reply<kv::v1::MovePartitionResponse>) override {}
  void TransferLeader(const Call&, const Transfer&,
                      Reply<kv::v1::TransferLeaderResponse>) override {}
  void DrainNode(const Call&, const Drain&, Reply<kv::v1::DrainNodeResponse>) override {}
};

}  // namespace quorate

#endif  // SERVER_SERVICE_FAKE_ADMIN_H_
