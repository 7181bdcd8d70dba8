#include "server/placement/planner.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>

#include "raft/check.h"
#include "server/placement/load_balance.h"
#include "server/placement/preference_list.h"

namespace quorate {
namespace {

// 1.10 × 10 is a little more than 11 in floating point.
constexpr double kRounding = 1e-9;

absl::Status CheckRequest(const std::vector<PlacementNode>& nodes,
                          const KeyspaceToPlace& keyspace) {
  if (!std::has_single_bit(keyspace.partitions)) {
    return absl::InvalidArgumentError(
        fmt::format("partitions: {} is not a power of two", keyspace.partitions));
  }
  if (keyspace.replicas == 0) return absl::InvalidArgumentError("replicas: must be at least 1");
  for (size_t i = 1; i < nodes.size(); ++i) {
    if (nodes[i].node_id == nodes[i - 1].node_id) {
      return absl::InvalidArgumentError(fmt::format("node {} appears twice", nodes[i].node_id));
    }
  }
  if (nodes.size() < keyspace.replicas) {
    const size_t missing = keyspace.replicas - nodes.size();
    return absl::FailedPreconditionError(fmt::format(
        "replicas: {} copies on distinct nodes are wanted, and the cluster has {} {}. Start {} "
        "more, or ask for fewer replicas",
        keyspace.replicas, nodes.size(), nodes.size() == 1 ? "node" : "nodes", missing));
  }
  return absl::OkStatus();
}

std::vector<std::string> ExplainViolations(const LoadBalance& balance,
                                           const std::vector<PlacementNode>& nodes) {
  std::vector<std::string> notes;
  for (size_t i = 0; i < nodes.size(); ++i) {
    const LoadBounds& bounds = balance.bounds(i);
    const uint64_t load = balance.load(i);
    if (load >= bounds.least && load <= bounds.most) continue;
    notes.push_back(fmt::format(
        "node {} (zone \"{}\", weight {}) will hold {} replicas, outside its bounds {} to {}: "
        "distinct nodes and zones, or what it already holds, leave no better place",
        nodes[i].node_id, nodes[i].zone, nodes[i].weight, load, bounds.least, bounds.most));
  }
  return notes;
}

}  // namespace

std::vector<LoadBounds> ComputeLoadBounds(const std::vector<PlacementNode>& nodes,
                                          uint64_t total_replicas, uint64_t total_partitions) {
  std::vector<LoadBounds> bounds(nodes.size());
  std::vector<bool> capped(nodes.size());
  // Each round caps at least one more node, or ends.
  for (bool again = true; again;) {
    again = false;
    double weight = 0;
    auto left = static_cast<double>(total_replicas);
    for (size_t i = 0; i < nodes.size(); ++i) {
      if (capped[i]) {
        left -= static_cast<double>(total_partitions);
      } else {
        weight += std::max<uint32_t>(nodes[i].weight, 1);
      }
    }
    for (size_t i = 0; i < nodes.size(); ++i) {
      const double share = left * std::max<uint32_t>(nodes[i].weight, 1) / std::max(weight, 1.0);
      if (capped[i]) continue;
      bounds[i].fair_share = std::max(share, 0.0);
      if (share > static_cast<double>(total_partitions)) {
        bounds[i].fair_share = static_cast<double>(total_partitions);
        capped[i] = again = true;
      }
    }
  }
  for (LoadBounds& bound : bounds) {
    bound.least = static_cast<uint64_t>(std::floor(0.95 * bound.fair_share + kRounding));
    bound.most = static_cast<uint64_t>(std::ceil(1.10 * bound.fair_share - kRounding));
  }
  return bounds;
}

absl::StatusOr<KeyspacePlan> PlanKeyspace(const std::vector<PlacementNode>& nodes,
                                          const std::vector<PartitionOwners>& existing,
                                          const KeyspaceToPlace& keyspace) {
  std::vector<PlacementNode> sorted = nodes;
  std::sort(sorted.begin(), sorted.end(),
            [](const PlacementNode& a, const PlacementNode& b) { return a.node_id < b.node_id; });
  if (absl::Status status = CheckRequest(sorted, keyspace); !status.ok()) return status;

  std::map<uint64_t, size_t> places;
  for (size_t i = 0; i < sorted.size(); ++i) places[sorted[i].node_id] = i;
  std::vector<uint64_t> loads(sorted.size());
  std::vector<uint64_t> leads(sorted.size());
  uint64_t total = uint64_t{keyspace.partitions} * keyspace.replicas;
  for (const PartitionOwners& owners : existing) {
    for (size_t i = 0; i < owners.size(); ++i) {
      const auto place = places.find(owners[i]);
      if (place == places.end()) continue;
      ++loads[place->second];
      if (i == 0) ++leads[place->second];
      ++total;
    }
  }

  LoadBalance balance(sorted,
                      ComputeLoadBounds(sorted, total, existing.size() + keyspace.partitions),
                      std::move(loads), std::move(leads));
  const Ring ring(sorted);
  for (uint32_t partition = 0; partition < keyspace.partitions; ++partition) {
    std::vector<size_t> preference;
    for (const uint64_t node_id :
         PreferenceList(ring, keyspace.keyspace_id, partition, keyspace.partitions)) {
      preference.push_back(places[node_id]);
    }
    balance.AddPartition(preference, keyspace.replicas);
  }
  balance.BalanceReplicas();
  balance.BalanceLeaders();

  KeyspacePlan plan;
  for (const std::vector<size_t>& owners : balance.partitions()) {
    PartitionOwners ids;
    for (const size_t owner : owners) ids.push_back(sorted[owner].node_id);
    plan.partitions.push_back(std::move(ids));
  }
  plan.notes = ExplainViolations(balance, sorted);
  return plan;
}

}  // namespace quorate
