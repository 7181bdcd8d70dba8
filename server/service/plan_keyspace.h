// Where a new keyspace's replicas go: the planner, asked with a cluster state.
#ifndef SERVER_SERVICE_PLAN_KEYSPACE_H_
#define SERVER_SERVICE_PLAN_KEYSPACE_H_

#include <string>

#include "absl/status/statusor.h"
#include "kv/v1/placement.pb.h"
#include "server/cluster/cluster_view.h"
#include "server/cluster/liveness.h"

namespace quorate {

// A keyspace with this name and complete policy, placed on the view's nodes; the ids are left to
// the cluster state. Drained nodes get none, dead ones only where the live ones are too few for the
// replicas asked for. INVALID_FIELD when there are fewer nodes than replicas.
[[nodiscard]] absl::StatusOr<kv::v1::Keyspace> PlanNewKeyspace(
    const ClusterView& view, const Liveness& liveness, MonotonicTime now, const std::string& name,
    const kv::v1::KeyspacePolicy& policy);

}  // namespace quorate

#endif  // SERVER_SERVICE_PLAN_KEYSPACE_H_
