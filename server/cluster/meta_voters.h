// Which nodes should hold the meta group's voters. Pure.
#ifndef SERVER_CLUSTER_META_VOTERS_H_
#define SERVER_CLUSTER_META_VOTERS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "server/placement/placement_node.h"

namespace quorate {

// How many, in a cluster of so many nodes: 1, from three nodes on 3, from five on 5. Always odd: an
// even number survives no more losses than the odd one below it.
[[nodiscard]] size_t MetaVotersWanted(size_t nodes);

// `wanted` nodes (or the largest odd number that there are nodes for), sorted: those of `voters`,
// and of `candidates` as few as that many and an even spread over zones need. At a tie candidates
// with a low id come, and voters with a high one go.
[[nodiscard]] std::vector<uint64_t> ChooseMetaVoters(const std::vector<PlacementNode>& voters,
                                                     const std::vector<PlacementNode>& candidates,
                                                     size_t wanted);

}  // namespace quorate

#endif  // SERVER_CLUSTER_META_VOTERS_H_
