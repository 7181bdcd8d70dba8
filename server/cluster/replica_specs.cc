#include "server/cluster/replica_specs.h"

#include <optional>
#include <utility>

namespace quorate {
namespace {

// Nothing when the node owns none of the replicas.
template <class Replicas>
std::optional<ReplicaSpec> SpecOf(GroupId group, const Replicas& replicas, uint64_t node_id) {
  ReplicaSpec spec;
  spec.group = group;
  for (const kv::v1::ReplicaRef& replica : replicas) {
    spec.members.emplace_back(ReplicaId(replica.incarnation()), replica.node_id());
    if (replica.node_id() == node_id) {
      spec.self = ReplicaId(replica.incarnation());
    }
  }
  return spec.self.IsZero() ? std::nullopt : std::optional(std::move(spec));
}

}  // namespace

std::vector<ReplicaSpec> SpecsOf(const internal::v1::ClusterState& state, uint64_t node_id) {
  std::vector<ReplicaSpec> specs;
  if (auto meta = SpecOf(kMetaGroup, state.meta_replicas(), node_id)) {
    specs.push_back(*std::move(meta));
  }
  for (const kv::v1::Keyspace& keyspace : state.keyspaces()) {
    for (const kv::v1::PartitionPlacement& placement : keyspace.partitions()) {
      auto spec = SpecOf(GroupId(placement.group_id()), placement.replicas(), node_id);
      if (!spec) {
        continue;
      }
      spec->keyspace_id = keyspace.keyspace_id();
      spec->keyspace = keyspace.name();
      spec->partition = placement.partition();
      spec->placement_epoch = placement.epoch();
      spec->era = keyspace.era();
      spec->lease_enabled = keyspace.policy().lease() != kv::v1::LEASE_USE_OFF;
      spec->routing = keyspace.policy().routing() == kv::v1::ROUTING_WHOLE ? RoutingRule::kWhole
                                                                           : RoutingRule::kTag;
      specs.push_back(*std::move(spec));
    }
  }
  return specs;
}

ReplicaSpec FounderMetaSpec() {
  ReplicaSpec spec;
  spec.group = kMetaGroup;
  spec.self = kFounderMetaReplica;
  spec.members.emplace_back(kFounderMetaReplica, kFounderNode);
  return spec;
}

}  // namespace quorate
