#include "server/placement/load_bounds.h"

#include <cmath>

#include "server/placement/spread_rule.h"
#include "server/placement/zone_tree.h"

namespace quorate {
namespace {

// 1.10 × 10 is a little more than 11 in floating point.
constexpr double kShareRounding = 1e-9;

}  // namespace

std::vector<LoadBounds> ComputeLoadBounds(const std::vector<PlacementNode>& nodes,
                                          const PartitionCounts& partitions) {
  std::vector<PlacementNode> without_zones = nodes;
  for (PlacementNode& node : without_zones) node.zone.clear();
  const ZoneTree tree(nodes);
  const ZoneTree flat(without_zones);
  std::vector<LoadBounds> bounds(nodes.size());
  for (const auto& [replicas, count] : partitions) {
    if (replicas == 0) continue;
    const auto times = static_cast<double>(count);
    const std::vector<double> fair = SpreadRule(tree, replicas).FairShares();
    const std::vector<double> by_weight = SpreadRule(flat, replicas).FairShares();
    for (size_t i = 0; i < nodes.size(); ++i) {
      bounds[i].fair_share += times * fair[i];
      bounds[i].leader_share += times * fair[i] / replicas;
      bounds[i].share_by_weight += times * by_weight[i];
    }
  }
  for (LoadBounds& bound : bounds) {
    bound.least = static_cast<uint64_t>(std::floor(0.95 * bound.fair_share + kShareRounding));
    bound.most = static_cast<uint64_t>(std::ceil(1.10 * bound.fair_share - kShareRounding));
  }
  return bounds;
}

}  // namespace quorate
