// What the meta leader should do next so that the cluster becomes what is wanted of it. Pure.
#ifndef SERVER_CLUSTER_RECONCILER_H_
#define SERVER_CLUSTER_RECONCILER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "absl/status/statusor.h"
#include "internal/v1/cluster_state.pb.h"
#include "server/placement/planner.h"

namespace quorate {

// How a node looks from here. A hint: a step taken on a wrong one is slow, never unsafe.
struct NodeSight {
  bool alive = false;
  // Silent for so long that nothing should wait for it.
  bool gone = false;
  // Incarnations there that are damaged; and those of them that take no part in their group any
  // more, while of the others some value cannot be read.
  std::set<uint64_t> damaged{};
  std::set<uint64_t> silent{};
  // It has said so lately, of all its replicas: those not in `damaged` are sound.
  bool reported = false;
};
// By node id; one that is not in it is neither alive nor gone.
using NodeSights = std::map<uint64_t, NodeSight>;

// Moves that one node gives or takes at once.
inline constexpr uint32_t kMovesPerNodeMax = 2;

// The next changes to propose; none: nothing to do, or nothing can be done now. All that they go by
// is in the state, so whoever leads the meta group next goes on where this one stopped, and a
// change proposed twice is done once. In this order:
//
//   moves that cannot end well are turned back: the one that comes is drained, gone or damaged, and
//   the one that would leave is there and sound;
//   a damaged replica is built anew: a new one takes its place on its node, if that is alive and
//   not drained. One of a group at a time, silent ones first, and only while the others that are
//   alive and vote are a majority and one of them is sound, to lead and to be copied: what is there
//   of a group without is the last that there is. A new one that is damaged before it votes is
//   built anew in its turn;
//   the meta group gets 3 voters from three nodes on, 5 from five on, spread over zones as evenly
//   as the live nodes permit, none on a drained node;
//   a partition that has fewer replicas than its keyspace's policy says (it was recovered from one
//   of them) gets the others, where PlanRebalance wants them;
//   replicas on drained nodes are moved to where PlanRebalance wants them; so is one that is being
//   built anew, unless it gets along there.
[[nodiscard]] std::vector<internal::v1::ClusterCommand> NextSteps(
    const internal::v1::ClusterState& state, const NodeSights& sights);

// The meta group's move that is due; nothing while one is under way.
[[nodiscard]] std::optional<internal::v1::BeginMove> MetaStep(
    const internal::v1::ClusterState& state, const NodeSights& sights);

// All replicas on drained nodes and where they should go, and those that partitions lack (from 0),
// the meta group's left out. An error of the planner: the live nodes that are left are too few.
[[nodiscard]] absl::StatusOr<std::vector<ReplicaMove>> PlanMoves(
    const internal::v1::ClusterState& state, const NodeSights& sights);

}  // namespace quorate

#endif  // SERVER_CLUSTER_RECONCILER_H_
