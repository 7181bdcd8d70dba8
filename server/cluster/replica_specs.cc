#include "server/cluster/replica_specs.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "server/cluster/cluster_state_moves.h"

namespace quorate {
namespace {

using kv::v1::PartitionPlacement;
using kv::v1::ReplicaRef;

void AddMember(const ReplicaRef& replica, ReplicaSpec* spec) {
  const ReplicaId id(replica.incarnation());
  const bool known = std::any_of(spec->members.begin(), spec->members.end(),
                                 [id](const auto& member) { return member.first == id; });
  if (known) {
    return;
  }
  spec->members.emplace_back(id, replica.node_id());
  if (replica.joined()) {
    spec->joined.push_back(id);
  }
}

// Nothing when the node owns none of the replicas. `founders`: how many the group began with.
std::optional<ReplicaSpec> SpecOf(const PartitionPlacement& placement, size_t founders,
                                  uint64_t node_id) {
  ReplicaSpec spec;
  spec.group = GroupId(placement.group_id());
  spec.placement_epoch = placement.epoch();
  spec.moving = placement.coming_size() > 0;
  // Where a move goes comes first: leadership is wanted there.
  const auto& target = placement.coming().empty() ? placement.replicas() : placement.coming();
  for (const ReplicaRef& replica : target) {
    AddMember(replica, &spec);
    spec.target_voters.emplace_back(replica.incarnation());
  }
  for (const ReplicaRef& replica : placement.replicas()) {
    AddMember(replica, &spec);
  }
  std::sort(spec.joined.begin(), spec.joined.end());
  std::sort(spec.target_voters.begin(), spec.target_voters.end());
  const auto self = std::find_if(spec.members.begin(), spec.members.end(),
                                 [node_id](const auto& each) { return each.second == node_id; });
  if (self == spec.members.end()) {
    return std::nullopt;
  }
  spec.self = self->first;
  for (const auto* replicas : {&placement.replicas(), &placement.coming()}) {
    for (const ReplicaRef& replica : *replicas) {
      if (replica.incarnation() == spec.self.value()) {
        spec.recovered_from = ReplicaId(replica.recovered_from());
      }
    }
  }
  // The first configuration is known while all of it is here. Without one of the founders the rest
  // of them, never having begun, could elect a leader of an empty log among themselves.
  const bool joined = std::binary_search(spec.joined.begin(), spec.joined.end(), spec.self);
  spec.founding = !joined && spec.members.size() - spec.joined.size() == founders;
  return spec;
}

}  // namespace

std::vector<ReplicaSpec> SpecsOf(const internal::v1::ClusterState& state, uint64_t node_id) {
  std::vector<ReplicaSpec> specs;
  const auto meta = PlacementOf(state, kMetaGroup.value());
  if (auto spec = SpecOf(*meta, kMetaFounders, node_id)) {
    specs.push_back(*std::move(spec));
  }
  for (const kv::v1::Keyspace& keyspace : state.keyspaces()) {
    for (const PartitionPlacement& placement : keyspace.partitions()) {
      auto spec = SpecOf(placement, keyspace.policy().replicas(), node_id);
      if (!spec) {
        continue;
      }
      spec->keyspace_id = keyspace.keyspace_id();
      spec->keyspace = keyspace.name();
      spec->partition = placement.partition();
      spec->era = EraOf(keyspace, placement);
      spec->lease_enabled = keyspace.policy().lease() != kv::v1::LEASE_USE_OFF;
      spec->buffered = keyspace.policy().durability() == kv::v1::DURABILITY_BUFFERED;
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
  spec.target_voters.push_back(kFounderMetaReplica);
  return spec;
}

}  // namespace quorate
