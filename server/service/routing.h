// From a request to the group that serves it, by one version of the cluster state.
#ifndef SERVER_SERVICE_ROUTING_H_
#define SERVER_SERVICE_ROUTING_H_

#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kv/v1/key_value.pb.h"
#include "raft/types.h"
#include "server/cluster/cluster_view.h"
#include "server/placement/routing_key.h"

namespace quorate {

using SharedView = std::shared_ptr<const ClusterView>;

[[nodiscard]] RoutingRule RoutingRuleOf(const kv::v1::Keyspace& keyspace);

// KEYSPACE_NOT_FOUND; lives as long as the view.
[[nodiscard]] absl::StatusOr<const kv::v1::Keyspace*> RequireKeyspace(const ClusterView& view,
                                                                      std::string_view name);

// The partition of `key`. Errors: STALE_EPOCH when the sender routed by an older placement,
// WRONG_NODE when this node owns no replica of it; both carry the placement and whom to ask.
[[nodiscard]] absl::StatusOr<const kv::v1::PartitionPlacement*> RouteKey(
    const ClusterView& view, const kv::v1::Keyspace& keyspace, const kv::v1::RequestHeader& header,
    std::string_view key);

// 0 when the id is; the address is empty when the node is unknown.
[[nodiscard]] kv::v1::NodeRef NodeRefOf(const ClusterView& view, uint64_t node_id);

// The same error with the leader's client address filled in, where replication named a leader by
// its id only.
[[nodiscard]] absl::Status WithLeaderAddress(const absl::Status& status, const ClusterView& view);

}  // namespace quorate

#endif  // SERVER_SERVICE_ROUTING_H_
