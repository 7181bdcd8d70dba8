// The nodes' zone paths as a tree: the cluster, its regions, their zones, …, the nodes.
#ifndef SERVER_PLACEMENT_ZONE_TREE_H_
#define SERVER_PLACEMENT_ZONE_TREE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "server/placement/placement_node.h"

namespace quorate {

// Every node is as deep as the longest path has levels: where a path is shorter, its missing levels
// are one zone without a name, so nodes that do not say where they stand count as standing
// together. A constant value; any thread.
class ZoneTree {
 public:
  using VertexIndex = uint32_t;
  static constexpr VertexIndex kRoot = 0;

  struct Vertex {
    VertexIndex parent = kRoot;
    std::vector<VertexIndex> children{};
    double weight = 0;  // of all nodes below
    uint32_t nodes = 0;
    std::string path{};  // of a zone; a node's vertex has its zone's
  };

  explicit ZoneTree(const std::vector<PlacementNode>& nodes);

  // A parent comes before its children.
  [[nodiscard]] const std::vector<Vertex>& vertices() const { return vertices_; }
  [[nodiscard]] size_t node_count() const { return leaves_.size(); }
  // Edges between the root and any node.
  [[nodiscard]] size_t height() const { return height_; }
  // A node's vertex (step 0) and those above it, without the root: step < height().
  [[nodiscard]] VertexIndex Above(NodeIndex node, size_t step) const {
    return above_[node * height_ + step];
  }
  [[nodiscard]] VertexIndex leaf(NodeIndex node) const { return leaves_[node]; }

 private:
  std::vector<Vertex> vertices_;
  std::vector<VertexIndex> leaves_;  // by node
  std::vector<VertexIndex> above_;   // node × height + step
  size_t height_ = 1;
};

}  // namespace quorate

#endif  // SERVER_PLACEMENT_ZONE_TREE_H_
