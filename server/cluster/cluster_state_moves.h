// The cluster state machine: moves of replicas, and what is wanted of nodes.
//
// A move is three facts, each a command that can be repeated and is refused when it was planned on
// another state than the one it meets:
//
//   BeginMove   `coming` says what the replicas shall be. Nodes make the new replicas, and the
//               group's leader takes the group's voters there.
//   CancelMove  exchanges `replicas` and `coming`: the voters go back to where they were.
//               Not where a damaged replica is built anew (a rebuild: a node is on both sides): its
//               log is gone. Instead a further BeginMove may let the new replica leave again, for
//               its node or another one, and the damaged one is forgotten.
//   FinishMove  the group is there: `coming` becomes `replicas`, and nodes remove what is in
//               neither any more.
//
// Whoever drives a move needs to remember nothing: all of it is in the state.
//
// RecoverPartition is no move: no group agrees to it. It names one replica, of a group that lost
// its majority, as all that there is. Its node goes on under a new incarnation
// (server/replication/raft_groups/take_over.h), so nothing that comes from the group as it was is
// heard any more; and in a new era, so no version that was given before is given again. The
// replicas that are missing then come by moves.
#ifndef SERVER_CLUSTER_CLUSTER_STATE_MOVES_H_
#define SERVER_CLUSTER_CLUSTER_STATE_MOVES_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "internal/v1/cluster_state.pb.h"

namespace quorate {

// The replica that comes to where a damaged one of the same node leaves; null: the move, if one is
// open, is of another kind.
[[nodiscard]] const kv::v1::ReplicaRef* Rebuilt(const kv::v1::PartitionPlacement& placement);

// The one on this node; null: none is. The pointer lives until the list changes.
[[nodiscard]] const kv::v1::ReplicaRef* ReplicaOn(
    uint64_t node_id, const google::protobuf::RepeatedPtrField<kv::v1::ReplicaRef>& replicas);

// The group's placement, the meta group's (0) included; nothing when there is no such group.
[[nodiscard]] std::optional<kv::v1::PartitionPlacement> PlacementOf(
    const internal::v1::ClusterState& state, uint64_t group_id);

// It went on from this replica alone, and that is in it still.
[[nodiscard]] bool RecoveredFrom(const kv::v1::PartitionPlacement& placement, uint64_t survivor);

// What BeginMove makes of the placement: new replicas stand where those were that leave, the rest
// of them at the end; their incarnations are counted from `first_incarnation`.
[[nodiscard]] kv::v1::PartitionPlacement WithMove(const kv::v1::PartitionPlacement& placement,
                                                  const internal::v1::BeginMove& begin,
                                                  uint64_t first_incarnation);

// Parts of ApplyClusterCommand, with its contract. ABORTED: the placement's epoch is another one.
[[nodiscard]] absl::Status ApplyBeginMove(internal::v1::ClusterState* state,
                                          const internal::v1::BeginMove& begin);
[[nodiscard]] absl::Status ApplyFinishMove(internal::v1::ClusterState* state,
                                           const internal::v1::FinishMove& finish);
[[nodiscard]] absl::Status ApplyCancelMove(internal::v1::ClusterState* state,
                                           const internal::v1::CancelMove& cancel);
[[nodiscard]] absl::Status ApplyRecoverPartition(internal::v1::ClusterState* state,
                                                 const internal::v1::RecoverPartition& recover);
[[nodiscard]] absl::Status ApplySetNodeState(internal::v1::ClusterState* state,
                                             const internal::v1::SetNodeState& change);

}  // namespace quorate

#endif  // SERVER_CLUSTER_CLUSTER_STATE_MOVES_H_
