// Slow, obvious answers to hold the planner's against. For tests only.
#ifndef SERVER_PLACEMENT_PLANNER_ORACLE_H_
#define SERVER_PLACEMENT_PLANNER_ORACLE_H_

#include <cstdint>
#include <vector>

#include "server/placement/planner.h"

namespace quorate {

// How unevenly the nodes use each level of the zone paths, the widest level first: the sum of the
// squares of how many of `owners` are in each zone. Smaller is better. From the paths alone.
[[nodiscard]] std::vector<uint64_t> Unevenness(const std::vector<PlacementNode>& nodes,
                                               const std::vector<uint64_t>& owners);

// All sets of so many nodes, ascending.
[[nodiscard]] std::vector<PartitionOwners> AllSets(const std::vector<PlacementNode>& nodes,
                                                   uint32_t size);

// Those of them that are the least uneven.
[[nodiscard]] std::vector<PartitionOwners> BestSpreads(const std::vector<PlacementNode>& nodes,
                                                       uint32_t replicas);

// The fewest replicas that have to be copied so that every partition has a best spread and every
// node is within the bounds of `loads`; by a flow of minimal cost through the paths' zones.
// -1: there is no such placement. For a few nodes and partitions.
[[nodiscard]] int64_t FewestMoves(const std::vector<PlacementNode>& nodes,
                                  const std::vector<PlacedKeyspace>& keyspaces,
                                  const std::vector<PlannedLoad>& loads);

// By how many replicas all nodes together are outside the bounds of `loads` at least, once the new
// keyspace has the best spreads and what lies already stays.
[[nodiscard]] int64_t LeastViolation(const std::vector<PlacementNode>& nodes,
                                     const std::vector<PartitionOwners>& existing,
                                     const KeyspaceToPlace& keyspace,
                                     const std::vector<PlannedLoad>& loads);

}  // namespace quorate

#endif  // SERVER_PLACEMENT_PLANNER_ORACLE_H_
