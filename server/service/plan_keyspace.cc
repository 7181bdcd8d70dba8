#include "server/service/plan_keyspace.h"

#include <vector>

#include "server/cluster/keyspace_policy.h"

namespace quorate {

absl::StatusOr<kv::v1::Keyspace> PlanKeyspace(const ClusterView& view, const Liveness& liveness,
                                              MonotonicTime now, const std::string& name,
                                              const kv::v1::KeyspacePolicy& policy) {
  std::vector<uint64_t> nodes;
  size_t total = 0;
  for (const bool alive : {true, false}) {
    for (const internal::v1::NodeRecord& record : view.state().nodes()) {
      const uint64_t node_id = record.node().node_id();
      total += alive ? 1 : 0;
      const bool lives = node_id == view.self() || liveness.IsAlive(node_id, now);
      if (lives == alive && (alive || nodes.size() < policy.replicas())) {
        nodes.push_back(node_id);
      }
    }
  }
  if (absl::Status status = CheckEnoughNodes(policy, total); !status.ok()) {
    return status;
  }
  kv::v1::Keyspace keyspace;
  keyspace.set_name(name);
  *keyspace.mutable_policy() = policy;
  for (uint32_t partition = 0; partition < policy.partitions(); ++partition) {
    kv::v1::PartitionPlacement* placement = keyspace.add_partitions();
    placement->set_partition(partition);
    for (uint32_t i = 0; i < policy.replicas(); ++i) {
      placement->add_replicas()->set_node_id(nodes[(partition + i) % nodes.size()]);
    }
  }
  return keyspace;
}

}  // namespace quorate
