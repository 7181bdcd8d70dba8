// Decides which nodes hold which partitions.
#ifndef SERVER_PLACEMENT_PLANNER_H_
#define SERVER_PLACEMENT_PLANNER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/placement/placement_node.h"

namespace quorate {

// Node ids of one partition's replicas; the first is where leadership is wanted.
using PartitionOwners = std::vector<uint64_t>;

struct KeyspaceToPlace {
  uint64_t keyspace_id = 0;
  uint32_t partitions = 0;  // a power of two
  uint32_t replicas = 0;    // of each partition, at least 1
};

// What one node will hold, over all keyspaces.
struct PlannedLoad {
  uint64_t node_id = 0;
  uint64_t replicas = 0;
  uint64_t leaders = 0;
  double fair_share = 0;    // of replicas; load_bounds.h says what is fair
  uint64_t least = 0;       // floor(0.95 × fair share)
  uint64_t most = 0;        // ceil(1.10 × fair share)
  double leader_share = 0;  // the leaders that go with its fair share
};

struct KeyspacePlan {
  std::vector<PartitionOwners> partitions;
  std::vector<PlannedLoad> loads;  // by node id
  // For people: bounds that could not be kept, zones that hold far more or less than their nodes'
  // weights say, and why. At most 20. Empty: nothing to say.
  std::vector<std::string> notes;
};

// Places a keyspace that has no data yet. In this order of importance: distinct nodes (always),
// the best spread of each partition over zones (spread_rule.h), every node within its bounds over
// all keyspaces (load_bounds.h), the ring's preference. Leaders are then spread evenly.
// `existing` are the partitions of all other keyspaces, which stay where they are; owners that are
// not in `nodes` are ignored.
//
// Pure and deterministic: the order of `nodes` and `existing` does not matter. Errors:
//   kFailedPrecondition  fewer nodes than replicas; says how many are there and what to do
//   kInvalidArgument     partitions is no power of two, replicas is zero, a node appears twice
[[nodiscard]] absl::StatusOr<KeyspacePlan> PlanKeyspace(
    const std::vector<PlacementNode>& nodes, const std::vector<PartitionOwners>& existing,
    const KeyspaceToPlace& keyspace);

// A keyspace as it lies.
struct PlacedKeyspace {
  uint64_t keyspace_id = 0;
  uint32_t replicas = 0;                    // wanted of each partition
  std::vector<PartitionOwners> partitions;  // a power of two
};

// One replica has to be copied.
struct ReplicaMove {
  uint64_t keyspace_id = 0;
  uint32_t partition = 0;
  uint64_t from = 0;  // gives its place up, alive or not; 0: the partition had too few replicas
  uint64_t to = 0;
  friend bool operator==(const ReplicaMove&, const ReplicaMove&) = default;
};

struct RebalancePlan {
  std::vector<PlacedKeyspace> keyspaces;  // by id
  std::vector<ReplicaMove> moves;         // by keyspace and partition
  std::vector<PlannedLoad> loads;
  std::vector<std::string> notes;
};

// What should lie where once `nodes`, the live ones that are to stay, are the cluster: the same
// promises as above for every partition, with few moves. A replica stays unless its node is gone,
// its partition's spread can be better without it, or bounds need its place; leaders stay where
// that is even enough. Errors and determinism as above.
[[nodiscard]] absl::StatusOr<RebalancePlan> PlanRebalance(
    const std::vector<PlacementNode>& nodes, const std::vector<PlacedKeyspace>& keyspaces);

}  // namespace quorate

#endif  // SERVER_PLACEMENT_PLANNER_H_
