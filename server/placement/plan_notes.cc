#include "server/placement/plan_notes.h"

#include <fmt/format.h>

#include "server/placement/zone_tree.h"

namespace quorate {
namespace {

constexpr size_t kNotesMax = 20;

struct ZoneSum {
  uint64_t replicas = 0;
  double fair_share = 0;
  double share_by_weight = 0;
  [[nodiscard]] double Ratio() const { return fair_share / share_by_weight; }
};

// Zones whose share the spread decides, rather than the weights; one inside another only where it
// differs from that one.
void ExplainZones(const std::vector<PlacementNode>& nodes, const std::vector<LoadBounds>& bounds,
                  const std::vector<PlannedLoad>& loads, std::vector<std::string>* notes) {
  const ZoneTree tree(nodes);
  const auto& vertices = tree.vertices();
  std::vector<ZoneSum> sums(vertices.size());
  for (NodeIndex i = 0; i < nodes.size(); ++i) {
    sums[tree.leaf(i)] = {.replicas = loads[i].replicas,
                          .fair_share = bounds[i].fair_share,
                          .share_by_weight = bounds[i].share_by_weight};
  }
  for (size_t v = vertices.size() - 1; v > ZoneTree::kRoot; --v) {
    ZoneSum& parent = sums[vertices[v].parent];
    parent.replicas += sums[v].replicas;
    parent.fair_share += sums[v].fair_share;
    parent.share_by_weight += sums[v].share_by_weight;
  }
  for (ZoneTree::VertexIndex v = 1; v < vertices.size(); ++v) {
    const ZoneTree::Vertex& at = vertices[v];
    const double change = sums[v].Ratio() / sums[at.parent].Ratio();
    if (at.children.empty() || (change >= 0.95 && change <= 1.10)) continue;
    notes->push_back(fmt::format(
        "zone \"{}\": its {} {} will hold {} replicas, {:.2f} times the {:.0f} that go with {} "
        "weight: spreading every partition over zones comes first",
        at.path, at.nodes, at.nodes == 1 ? "node" : "nodes", sums[v].replicas,
        static_cast<double>(sums[v].replicas) / sums[v].share_by_weight, sums[v].share_by_weight,
        at.nodes == 1 ? "its" : "their"));
  }
}

}  // namespace

std::vector<std::string> ExplainPlan(const std::vector<PlacementNode>& nodes,
                                     const std::vector<LoadBounds>& bounds,
                                     const std::vector<PlannedLoad>& loads) {
  std::vector<std::string> notes;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (loads[i].replicas >= loads[i].least && loads[i].replicas <= loads[i].most) continue;
    notes.push_back(fmt::format(
        "node {} (zone \"{}\", weight {}) will hold {} replicas, outside its bounds {} to {}: "
        "what lies already stays, and the spread over zones leaves no better place for the rest",
        nodes[i].node_id, nodes[i].zone, nodes[i].weight, loads[i].replicas, loads[i].least,
        loads[i].most));
  }
  ExplainZones(nodes, bounds, loads, &notes);
  if (notes.size() > kNotesMax) {
    const size_t more = notes.size() - kNotesMax + 1;
    notes.resize(kNotesMax - 1);
    notes.push_back(fmt::format("and {} more like these", more));
  }
  return notes;
}

}  // namespace quorate
