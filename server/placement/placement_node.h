// A node as placement sees it.
#ifndef SERVER_PLACEMENT_PLACEMENT_NODE_H_
#define SERVER_PLACEMENT_PLACEMENT_NODE_H_

#include <cstdint>
#include <string>

namespace quorate {

struct PlacementNode {
  uint64_t node_id = 0;
  // A path such as "region/zone/rack", the widest level first; may be empty.
  std::string zone{};
  // Share of the data relative to other nodes; 0 counts as 1.
  uint32_t weight = 1;
};

// Inside one call of the planner a node is named by its place in the list sorted by id.
using NodeIndex = uint32_t;

}  // namespace quorate

#endif  // SERVER_PLACEMENT_PLACEMENT_NODE_H_
