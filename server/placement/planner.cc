#include "server/placement/planner.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <map>
#include <optional>
#include <utility>

#include "server/placement/leader_balance.h"
#include "server/placement/load_balance.h"
#include "server/placement/plan_notes.h"
#include "server/placement/preference_list.h"
#include "server/placement/ring.h"

namespace quorate {
namespace {

// Steps of a walk along the ring until the least full node is taken instead; a walk that finds
// nobody below a fair share would go round.
constexpr size_t kRingStepsMax = 4096;

absl::Status CheckNodes(const std::vector<PlacementNode>& nodes) {
  for (size_t i = 1; i < nodes.size(); ++i) {
    if (nodes[i].node_id == nodes[i - 1].node_id) {
      return absl::InvalidArgumentError(fmt::format("node {} appears twice", nodes[i].node_id));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckKeyspace(size_t nodes, size_t partitions, uint32_t replicas) {
  if (!std::has_single_bit(partitions)) {
    return absl::InvalidArgumentError(
        fmt::format("partitions: {} is not a power of two", partitions));
  }
  if (replicas == 0) return absl::InvalidArgumentError("replicas: must be at least 1");
  if (nodes < replicas) {
    return absl::FailedPreconditionError(fmt::format(
        "replicas: {} copies on distinct nodes are wanted, and the cluster has {} {}. Start {} "
        "more, or ask for fewer replicas",
        replicas, nodes, nodes == 1 ? "node" : "nodes", replicas - nodes));
  }
  return absl::OkStatus();
}

// The parts of one call: nodes by index, and a rule for each number of replicas.
class Draft {
 public:
  explicit Draft(std::vector<PlacementNode> nodes)
      : nodes_(Sorted(std::move(nodes))), tree_(nodes_) {}

  [[nodiscard]] const std::vector<PlacementNode>& nodes() const { return nodes_; }

  [[nodiscard]] std::vector<NodeIndex> IndexesOf(const PartitionOwners& owners) const {
    std::vector<NodeIndex> indexes;
    for (const uint64_t owner : owners) {
      const std::optional<NodeIndex> index = IndexOf(owner);
      if (index.has_value() && std::find(indexes.begin(), indexes.end(), *index) == indexes.end()) {
        indexes.push_back(*index);
      }
    }
    return indexes;
  }

  [[nodiscard]] std::optional<NodeIndex> IndexOf(uint64_t node_id) const {
    const auto place =
        std::lower_bound(nodes_.begin(), nodes_.end(), PlacementNode{.node_id = node_id}, ById);
    if (place == nodes_.end() || place->node_id != node_id) return std::nullopt;
    return static_cast<NodeIndex>(place - nodes_.begin());
  }

  [[nodiscard]] const SpreadRule& Spread(uint32_t replicas) {
    return rules_.try_emplace(replicas, tree_, replicas).first->second;
  }

  [[nodiscard]] std::vector<PlannedLoad> Loads(const LoadBalance& balance,
                                               const LeaderBalance& leaders) const {
    std::vector<PlannedLoad> loads;
    for (NodeIndex i = 0; i < nodes_.size(); ++i) {
      const LoadBounds& bounds = balance.bounds()[i];
      loads.push_back({.node_id = nodes_[i].node_id,
                       .replicas = balance.load(i),
                       .leaders = leaders.leads(i),
                       .fair_share = bounds.fair_share,
                       .least = bounds.least,
                       .most = bounds.most,
                       .leader_share = bounds.leader_share});
    }
    return loads;
  }

  [[nodiscard]] PartitionOwners IdsOf(const MovablePartition& partition) const {
    PartitionOwners ids;
    for (const NodeIndex owner : partition.owners) ids.push_back(nodes_[owner].node_id);
    return ids;
  }

 private:
  static bool ById(const PlacementNode& a, const PlacementNode& b) { return a.node_id < b.node_id; }
  static std::vector<PlacementNode> Sorted(std::vector<PlacementNode> nodes) {
    std::sort(nodes.begin(), nodes.end(), ById);
    return nodes;
  }

  std::vector<PlacementNode> nodes_;
  ZoneTree tree_;
  std::map<uint32_t, SpreadRule> rules_;
};

// Replicas that come and those that go, paired.
void ListMoves(uint64_t keyspace_id, uint32_t partition, const PartitionOwners& before,
               const PartitionOwners& after, std::vector<ReplicaMove>* moves) {
  const auto contains = [](const PartitionOwners& owners, uint64_t node) {
    return std::find(owners.begin(), owners.end(), node) != owners.end();
  };
  auto gone = before.begin();
  for (const uint64_t to : after) {
    if (contains(before, to)) continue;
    while (gone != before.end() && contains(after, *gone)) ++gone;
    const uint64_t from = gone == before.end() ? 0 : *gone++;
    moves->push_back({.keyspace_id = keyspace_id, .partition = partition, .from = from, .to = to});
  }
}

}  // namespace

absl::StatusOr<KeyspacePlan> PlanKeyspace(const std::vector<PlacementNode>& nodes,
                                          const std::vector<PartitionOwners>& existing,
                                          const KeyspaceToPlace& keyspace) {
  if (absl::Status status = CheckKeyspace(nodes.size(), keyspace.partitions, keyspace.replicas);
      !status.ok()) {
    return status;
  }
  Draft draft(nodes);
  if (absl::Status status = CheckNodes(draft.nodes()); !status.ok()) return status;

  std::vector<uint64_t> loads(nodes.size());
  std::vector<uint64_t> leads(nodes.size());
  PartitionCounts counts = {{keyspace.replicas, keyspace.partitions}};
  for (const PartitionOwners& owners : existing) {
    const std::vector<NodeIndex> indexes = draft.IndexesOf(owners);
    for (const NodeIndex owner : indexes) ++loads[owner];
    if (!indexes.empty() && draft.IndexOf(owners.front()) == indexes.front()) {
      ++leads[indexes.front()];
    }
    ++counts[static_cast<uint32_t>(indexes.size())];
  }

  LoadBalance balance(ComputeLoadBounds(draft.nodes(), counts), std::move(loads));
  const Ring ring(draft.nodes());
  for (uint32_t partition = 0; partition < keyspace.partitions; ++partition) {
    balance.AddPartition(draft.Spread(keyspace.replicas), {});
    Ring::Walk walk(ring, PreferenceStart(keyspace.keyspace_id, partition, keyspace.partitions));
    size_t steps = 0;
    balance.Fill(partition, [&]() -> std::optional<NodeIndex> {
      if (++steps > kRingStepsMax) return std::nullopt;
      return draft.IndexOf(walk.Next());
    });
  }
  balance.BalanceReplicas();
  LeaderBalance leaders(balance.bounds(), std::move(leads), &balance.partitions());
  leaders.Balance();

  KeyspacePlan plan;
  for (const MovablePartition& at : balance.partitions()) {
    plan.partitions.push_back(draft.IdsOf(at));
  }
  plan.loads = draft.Loads(balance, leaders);
  plan.notes = ExplainPlan(draft.nodes(), balance.bounds(), plan.loads);
  return plan;
}

absl::StatusOr<RebalancePlan> PlanRebalance(const std::vector<PlacementNode>& nodes,
                                            const std::vector<PlacedKeyspace>& keyspaces) {
  Draft draft(nodes);
  if (absl::Status status = CheckNodes(draft.nodes()); !status.ok()) return status;
  RebalancePlan plan;
  plan.keyspaces = keyspaces;
  std::sort(plan.keyspaces.begin(), plan.keyspaces.end(),
            [](const auto& a, const auto& b) { return a.keyspace_id < b.keyspace_id; });
  PartitionCounts counts;
  for (const PlacedKeyspace& keyspace : plan.keyspaces) {
    absl::Status status =
        CheckKeyspace(nodes.size(), keyspace.partitions.size(), keyspace.replicas);
    if (!status.ok()) return status;
    counts[keyspace.replicas] += keyspace.partitions.size();
  }
  if (counts.empty()) return plan;

  LoadBalance balance(ComputeLoadBounds(draft.nodes(), counts),
                      std::vector<uint64_t>(nodes.size()));
  for (const PlacedKeyspace& keyspace : plan.keyspaces) {
    for (const PartitionOwners& owners : keyspace.partitions) {
      balance.AddPartition(draft.Spread(keyspace.replicas), draft.IndexesOf(owners));
    }
  }
  balance.KeepLegal();
  for (size_t i = 0; i < balance.partitions().size(); ++i) {
    balance.Fill(i, [] { return std::nullopt; });
  }
  balance.BalanceReplicas();
  LeaderBalance leaders(balance.bounds(), std::vector<uint64_t>(nodes.size()),
                        &balance.partitions());
  leaders.Balance();

  size_t next = 0;
  for (PlacedKeyspace& keyspace : plan.keyspaces) {
    for (uint32_t partition = 0; partition < keyspace.partitions.size(); ++partition) {
      PartitionOwners after = draft.IdsOf(balance.partitions()[next++]);
      ListMoves(keyspace.keyspace_id, partition, keyspace.partitions[partition], after,
                &plan.moves);
      keyspace.partitions[partition] = std::move(after);
    }
  }
  plan.loads = draft.Loads(balance, leaders);
  plan.notes = ExplainPlan(draft.nodes(), balance.bounds(), plan.loads);
  return plan;
}

}  // namespace quorate
