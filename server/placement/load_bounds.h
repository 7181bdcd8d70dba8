// How many replicas each node should hold, and how far from that it may be.
#ifndef SERVER_PLACEMENT_LOAD_BOUNDS_H_
#define SERVER_PLACEMENT_LOAD_BOUNDS_H_

#include <cstdint>
#include <map>
#include <vector>

#include "server/placement/placement_node.h"

namespace quorate {

// Over all keyspaces.
struct LoadBounds {
  // By weight, as far as one replica a partition and the spread over zones permit; what a node or a
  // zone cannot take goes to the others.
  double fair_share = 0;
  double leader_share = 0;  // the part of fair_share that should lead
  // The same as if there were no zones: what people expect.
  double share_by_weight = 0;
  uint64_t least = 0;  // floor(0.95 × fair_share)
  uint64_t most = 0;   // ceil(1.10 × fair_share)
};

// How many partitions there are with so many replicas each.
using PartitionCounts = std::map<uint32_t, uint64_t>;

// Consistent hashing with bounded loads (Mirrokni, Thorup and Zadimoghaddam, SODA 2018), with
// weights and zones. Some placement always keeps all bounds: the shares are averages of best
// spreads, and a flow with fractions between whole bounds has a whole one between the same.
// In the order of `nodes`, which are at least as many as the most replicas.
[[nodiscard]] std::vector<LoadBounds> ComputeLoadBounds(const std::vector<PlacementNode>& nodes,
                                                        const PartitionCounts& partitions);

}  // namespace quorate

#endif  // SERVER_PLACEMENT_LOAD_BOUNDS_H_
