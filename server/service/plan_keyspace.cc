#include "server/service/plan_keyspace.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "proto/error_detail.h"
#include "server/cluster/keyspace_policy.h"
#include "server/placement/planner.h"
#include "server/runtime/log.h"

namespace quorate {
namespace {

// The live ones; all, where those are fewer than `least`.
std::vector<PlacementNode> NodesFor(const ClusterView& view, const Liveness& liveness,
                                    MonotonicTime now, size_t least) {
  std::vector<PlacementNode> all;
  std::vector<PlacementNode> live;
  for (const internal::v1::NodeRecord& record : view.state().nodes()) {
    const kv::v1::Node& node = record.node();
    if (node.drained()) {
      continue;
    }
    all.push_back({.node_id = node.node_id(), .zone = node.zone(), .weight = node.weight()});
    if (node.node_id() == view.self() || liveness.IsAlive(node.node_id(), now)) {
      live.push_back(all.back());
    }
  }
  return live.size() >= least ? live : all;
}

std::vector<PartitionOwners> OwnersOfAll(const ClusterView& view) {
  std::vector<PartitionOwners> existing;
  for (const kv::v1::Keyspace& keyspace : view.state().keyspaces()) {
    for (const kv::v1::PartitionPlacement& placement : keyspace.partitions()) {
      PartitionOwners& owners = existing.emplace_back();
      for (const kv::v1::ReplicaRef& replica :
           placement.coming().empty() ? placement.replicas() : placement.coming()) {
        owners.push_back(replica.node_id());
      }
    }
  }
  return existing;
}

}  // namespace

absl::StatusOr<kv::v1::Keyspace> PlanNewKeyspace(const ClusterView& view, const Liveness& liveness,
                                                 MonotonicTime now, const std::string& name,
                                                 const kv::v1::KeyspacePolicy& policy) {
  const auto nodes_there = static_cast<size_t>(
      std::count_if(view.state().nodes().begin(), view.state().nodes().end(),
                    [](const auto& record) { return !record.node().drained(); }));
  if (absl::Status status = CheckEnoughNodes(policy, nodes_there); !status.ok()) {
    return status;
  }
  const auto plan =
      PlanKeyspace(NodesFor(view, liveness, now, policy.replicas()), OwnersOfAll(view),
                   {.keyspace_id = view.state().next_keyspace_id(),
                    .partitions = policy.partitions(),
                    .replicas = policy.replicas()});
  if (!plan.ok()) {
    return MakeError(kv::v1::REASON_INTERNAL_FAULT, kv::v1::OUTCOME_NOT_DONE,
                     "the planner failed: " + std::string(plan.status().message()));
  }
  for (const std::string& note : plan->notes) {
    LogInfo("plan_keyspace/note", {{"keyspace", name}, {"note", note}});
  }
  kv::v1::Keyspace keyspace;
  keyspace.set_name(name);
  *keyspace.mutable_policy() = policy;
  for (const PartitionOwners& owners : plan->partitions) {
    kv::v1::PartitionPlacement* placement = keyspace.add_partitions();
    placement->set_partition(static_cast<uint32_t>(keyspace.partitions_size() - 1));
    for (const uint64_t owner : owners) {
      placement->add_replicas()->set_node_id(owner);
    }
  }
  return keyspace;
}

}  // namespace quorate
