// Which replicas a node shall hold. Pure functions.
#ifndef SERVER_CLUSTER_REPLICA_SPECS_H_
#define SERVER_CLUSTER_REPLICA_SPECS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "internal/v1/cluster_state.pb.h"
#include "server/replication/replica_host.h"

namespace quorate {

inline constexpr GroupId kMetaGroup{0};
// The founder's node id, and the incarnation of its meta replica.
inline constexpr uint64_t kFounderNode = 1;
inline constexpr ReplicaId kFounderMetaReplica{1};
// Replicas that the meta group begins with.
inline constexpr size_t kMetaFounders = 1;

// The replicas that the state places on the node, the meta group's included, by group; during a
// move both those that shall go and those that come.
[[nodiscard]] std::vector<ReplicaSpec> SpecsOf(const internal::v1::ClusterState& state,
                                               uint64_t node_id);
// The leading part of versions in this partition of the keyspace.
[[nodiscard]] inline uint32_t EraOf(const kv::v1::Keyspace& keyspace,
                                    const kv::v1::PartitionPlacement& placement) {
  return placement.era() != 0 ? placement.era() : keyspace.era();
}
// The meta group as its founder begins it, before there is a state.
[[nodiscard]] ReplicaSpec FounderMetaSpec();

}  // namespace quorate

#endif  // SERVER_CLUSTER_REPLICA_SPECS_H_
