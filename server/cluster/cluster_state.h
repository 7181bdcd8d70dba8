// The cluster state machine: what each command of the meta group does to the cluster state.
//
// Pure functions on protobuf values; the same command on the same state gives the same state on
// every node.
#ifndef SERVER_CLUSTER_CLUSTER_STATE_H_
#define SERVER_CLUSTER_CLUSTER_STATE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "internal/v1/cluster_state.pb.h"

namespace quorate {

inline constexpr uint32_t kClusterStateFormat = 1;
// Cluster ids, disk ids.
inline constexpr size_t kIdBytes = 16;

// OK: the change is made (the epoch grew by one), or the state already says so (nothing changed).
// Error: refused, with outcome not done, and the state is as before.
//
// Ids are given here: nodes from 1, groups from 1 (0 is the meta group), incarnations, keyspaces
// from 1 and eras are counted up and never given twice.
//
// A CreateKeyspace planned on another epoch than the state's is refused as ABORTED: plan again. If
// the keyspace is there already, an equal policy is OK and another one KEYSPACE_EXISTS, whatever
// the epoch.
[[nodiscard]] absl::Status ApplyClusterCommand(internal::v1::ClusterState* state,
                                               const internal::v1::ClusterCommand& command);

// Null when there is none. The pointer lives until the state changes.
[[nodiscard]] const internal::v1::NodeRecord* FindNode(const internal::v1::ClusterState& state,
                                                       uint64_t node_id);
[[nodiscard]] const internal::v1::NodeRecord* FindNodeByDisk(
    const internal::v1::ClusterState& state, std::string_view disk_id);
[[nodiscard]] const kv::v1::Keyspace* FindKeyspace(const internal::v1::ClusterState& state,
                                                   std::string_view name);

// True when the two records tell the same addresses, zone, weight and boot; ids are not compared.
[[nodiscard]] bool SameAnnouncement(const internal::v1::NodeRecord& a,
                                    const internal::v1::NodeRecord& b);

// Lower-case hexadecimal digits, two a byte: how ids are shown to people.
[[nodiscard]] std::string HexId(std::string_view bytes);

}  // namespace quorate

#endif  // SERVER_CLUSTER_CLUSTER_STATE_H_
