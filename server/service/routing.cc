#include "server/service/routing.h"

#include <algorithm>
#include <string>

#include "fmt/format.h"
#include "proto/error_detail.h"

namespace quorate {
namespace {

absl::Status Elsewhere(kv::v1::Reason reason, const ClusterView& view,
                       const kv::v1::PartitionPlacement& placement, const std::string& message) {
  kv::v1::ErrorDetail detail;
  detail.set_reason(reason);
  detail.set_outcome(kv::v1::OUTCOME_NOT_DONE);
  *detail.mutable_placement() = placement;
  if (placement.replicas_size() > 0) {
    *detail.mutable_leader() = NodeRefOf(view, placement.replicas(0).node_id());
  }
  return MakeError(detail, message);
}

}  // namespace

RoutingRule RoutingRuleOf(const kv::v1::Keyspace& keyspace) {
  return keyspace.policy().routing() == kv::v1::ROUTING_WHOLE ? RoutingRule::kWhole
                                                              : RoutingRule::kTag;
}

absl::StatusOr<const kv::v1::Keyspace*> RequireKeyspace(const ClusterView& view,
                                                        std::string_view name) {
  const kv::v1::Keyspace* keyspace = view.keyspace(name);
  if (keyspace == nullptr) {
    return MakeError(kv::v1::REASON_KEYSPACE_NOT_FOUND, kv::v1::OUTCOME_NOT_DONE,
                     fmt::format("no keyspace is called {}", name));
  }
  return keyspace;
}

absl::StatusOr<const kv::v1::PartitionPlacement*> RouteKey(const ClusterView& view,
                                                           const kv::v1::Keyspace& keyspace,
                                                           const kv::v1::RequestHeader& header,
                                                           std::string_view key) {
  const uint32_t partition =
      PartitionOfKey(key, RoutingRuleOf(keyspace), keyspace.policy().partitions());
  const kv::v1::PartitionPlacement& placement = keyspace.partitions(static_cast<int>(partition));
  if (header.placement_epoch() != 0 && header.placement_epoch() < placement.epoch()) {
    return Elsewhere(
        kv::v1::REASON_STALE_EPOCH, view, placement,
        fmt::format("partition {} of {} moved: routed by placement epoch {}, it is at "
                    "{}",
                    partition, keyspace.name(), header.placement_epoch(), placement.epoch()));
  }
  const auto is_here = [&view](const kv::v1::ReplicaRef& replica) {
    return replica.node_id() == view.self();
  };
  // While a move is under way, either side may lead.
  const bool here =
      std::any_of(placement.replicas().begin(), placement.replicas().end(), is_here) ||
      std::any_of(placement.coming().begin(), placement.coming().end(), is_here);
  if (!here) {
    return Elsewhere(kv::v1::REASON_WRONG_NODE, view, placement,
                     fmt::format("node {} holds no replica of partition {} of {}", view.self(),
                                 partition, keyspace.name()));
  }
  return &placement;
}

kv::v1::NodeRef NodeRefOf(const ClusterView& view, uint64_t node_id) {
  kv::v1::NodeRef ref;
  ref.set_node_id(node_id);
  if (const internal::v1::NodeRecord* node = view.node(node_id); node != nullptr) {
    ref.set_address(node->node().address());
  }
  return ref;
}

absl::Status WithLeaderAddress(const absl::Status& status, const ClusterView& view) {
  auto detail = DetailOf(status);
  if (!detail || !detail->has_leader() || detail->leader().node_id() == 0 ||
      !detail->leader().address().empty()) {
    return status;
  }
  *detail->mutable_leader() = NodeRefOf(view, detail->leader().node_id());
  return MakeError(*detail, std::string(status.message()));
}

}  // namespace quorate
