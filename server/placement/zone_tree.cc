#include "server/placement/zone_tree.h"

#include <algorithm>
#include <map>
#include <utility>

namespace quorate {
namespace {

std::vector<std::string> Levels(const std::string& path) {
  std::vector<std::string> levels;
  for (size_t begin = 0; begin < path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    levels.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return levels;
}

}  // namespace

ZoneTree::ZoneTree(const std::vector<PlacementNode>& nodes) : vertices_(1) {
  for (const PlacementNode& node : nodes) height_ = std::max(height_, Levels(node.zone).size() + 1);
  // Ordered by parent and name, so that equal nodes give an equal tree.
  std::map<std::pair<VertexIndex, std::string>, VertexIndex> known;
  for (const PlacementNode& node : nodes) {
    std::vector<std::string> levels = Levels(node.zone);
    levels.resize(height_ - 1);
    VertexIndex at = kRoot;
    for (const std::string& level : levels) {
      const auto next = static_cast<VertexIndex>(vertices_.size());
      const auto [place, is_new] = known.try_emplace({at, level}, next);
      if (is_new) {
        std::string path = vertices_[at].path;
        if (!level.empty()) path += (path.empty() ? "" : "/") + level;
        vertices_[at].children.push_back(next);
        vertices_.push_back({.parent = at, .path = std::move(path)});
      }
      at = place->second;
    }
    const auto leaf = static_cast<VertexIndex>(vertices_.size());
    leaves_.push_back(leaf);
    vertices_[at].children.push_back(leaf);
    vertices_.push_back({.parent = at,
                         .weight = static_cast<double>(std::max<uint32_t>(node.weight, 1)),
                         .nodes = 1,
                         .path = vertices_[at].path});
    for (VertexIndex up = leaf; up != kRoot; up = vertices_[up].parent) above_.push_back(up);
  }
  for (size_t i = vertices_.size() - 1; i > kRoot; --i) {
    Vertex& parent = vertices_[vertices_[i].parent];
    parent.weight += vertices_[i].weight;
    parent.nodes += vertices_[i].nodes;
  }
}

}  // namespace quorate
