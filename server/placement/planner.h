// Decides which nodes hold the partitions of a new keyspace.
#ifndef SERVER_PLACEMENT_PLANNER_H_
#define SERVER_PLACEMENT_PLANNER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/placement/ring.h"

namespace quorate {

// Node ids of one partition's replicas; the first is where leadership is wanted.
using PartitionOwners = std::vector<uint64_t>;

struct KeyspaceToPlace {
  uint64_t keyspace_id = 0;
  uint32_t partitions = 0;  // a power of two
  uint32_t replicas = 0;    // of each partition, at least 1
};

struct KeyspacePlan {
  std::vector<PartitionOwners> partitions;
  // For people: bounds that could not be kept, and why. Empty: all are kept.
  std::vector<std::string> notes;
};

// How many replicas one node should hold, over all keyspaces.
struct LoadBounds {
  double fair_share = 0;
  uint64_t least = 0;  // floor(0.95 × fair share)
  uint64_t most = 0;   // ceil(1.10 × fair share)
};

// By weight; a share is at most one replica a partition, the excess goes to the other nodes
// (consistent hashing with bounded loads: Mirrokni, Thorup and Zadimoghaddam, SODA 2018). In the
// order of `nodes`.
[[nodiscard]] std::vector<LoadBounds> ComputeLoadBounds(const std::vector<PlacementNode>& nodes,
                                                        uint64_t total_replicas,
                                                        uint64_t total_partitions);

// In this order of importance: distinct nodes (always), replicas of a partition spread over zones
// as evenly as there are zones, every node within its bounds over all keyspaces, the ring's
// preference. Leaders are then spread evenly by weight. `existing` are the partitions of all other
// keyspaces; owners that are not in `nodes` are ignored.
//
// Pure and deterministic: the order of `nodes` and `existing` does not matter. Errors:
//   kFailedPrecondition  fewer nodes than replicas; says how many are there and what to do
//   kInvalidArgument     partitions is no power of two, replicas is zero, a node appears twice
[[nodiscard]] absl::StatusOr<KeyspacePlan> PlanKeyspace(
    const std::vector<PlacementNode>& nodes, const std::vector<PartitionOwners>& existing,
    const KeyspaceToPlace& keyspace);

}  // namespace quorate

#endif  // SERVER_PLACEMENT_PLANNER_H_
