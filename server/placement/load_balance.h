// The planner's working state: who holds what, and moves that bring loads into bounds.
#ifndef SERVER_PLACEMENT_LOAD_BALANCE_H_
#define SERVER_PLACEMENT_LOAD_BALANCE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "server/placement/load_bounds.h"
#include "server/placement/spread_rule.h"

namespace quorate {

// One partition that may be placed anew.
struct MovablePartition {
  const SpreadRule* spread = nullptr;
  // Where it lies; a move that leaves these costs, one between others does not.
  std::vector<NodeIndex> original{};
  std::vector<NodeIndex> owners{};  // the first is the leader
};

// Moves replicas, each step a direct exchange where one helps and else the shortest chain of
// exchanges (an augmenting path of the flow from partitions through zones to nodes). Within every
// step the choice is greedy; how near that comes to the fewest moves is measured by planner_test.
// Used by one call of the planner; one thread.
class LoadBalance {
 public:
  // `loads`: replicas that each node holds and that stay.
  LoadBalance(std::vector<LoadBounds> bounds, std::vector<uint64_t> loads);

  // `original` may be empty, and no best spread. Counted as load until Fill().
  void AddPartition(const SpreadRule& spread, std::vector<NodeIndex> original);
  // Keeps as many of each partition's replicas as some best spread can have.
  void KeepLegal();
  // Nodes in the order in which a partition would have them, with repetitions; nullopt: no more.
  using Preference = std::function<std::optional<NodeIndex>()>;
  // Completes the partition: along `preference` nodes that are below their fair share, then the
  // least full ones.
  void Fill(size_t partition, const Preference& preference);
  // Moves replicas until every node is within its bounds or no move helps.
  void BalanceReplicas();

  [[nodiscard]] std::vector<MovablePartition>& partitions() { return partitions_; }
  [[nodiscard]] uint64_t load(NodeIndex node) const { return loads_[node]; }
  [[nodiscard]] const std::vector<LoadBounds>& bounds() const { return bounds_; }

 private:
  struct Move {
    size_t partition;
    NodeIndex from;
    NodeIndex to;
  };
  enum class Price : uint8_t { kFree, kAny };

  void AddReplica(size_t partition, NodeIndex node);
  void RemoveReplica(size_t partition, NodeIndex node);
  void Apply(const Move& move);
  void ChangeLoad(NodeIndex node, int64_t by);
  [[nodiscard]] double Fullness(NodeIndex node) const;
  [[nodiscard]] NodeIndex LeastFull(const PartialSpread& chosen) const;
  // How far above its upper, below its lower bound a node is; negative: how far within.
  [[nodiscard]] int64_t Excess(NodeIndex node) const;
  [[nodiscard]] int64_t Lack(NodeIndex node) const;
  // Whether a replica fewer here and one more there brings one nearer to its bounds and the other
  // not as far from its own.
  [[nodiscard]] bool Helps(NodeIndex from, NodeIndex to) const;

  [[nodiscard]] bool IsLegal(const Move& move) const;
  // -1, 0 or 1: how many more of the partition's replicas will have left their original nodes.
  [[nodiscard]] int Cost(const Move& move) const;
  // The cheapest legal exchange between the two.
  [[nodiscard]] std::optional<Move> Exchange(NodeIndex from, NodeIndex to, Price price) const;
  bool RelieveExcess(NodeIndex node);
  bool RelieveLack(NodeIndex node);
  bool GiveTo(NodeIndex node, const std::vector<NodeIndex>& givers, Price price);
  // The shortest chain of moves that starts at one of `starts` and ends where `is_goal`.
  [[nodiscard]] std::vector<Move> FindChain(const std::vector<NodeIndex>& starts,
                                            const std::function<bool(NodeIndex)>& is_goal);
  bool ApplyChain(const std::vector<Move>& chain);

  std::vector<LoadBounds> bounds_;
  std::vector<uint64_t> loads_;
  std::set<std::pair<double, NodeIndex>> by_fullness_;
  std::vector<MovablePartition> partitions_;
  std::vector<std::vector<uint32_t>> held_;  // by node: movable partitions
  std::vector<uint64_t> strangers_;          // by node: replicas held that were elsewhere before
  uint64_t chain_work_left_;
};

}  // namespace quorate

#endif  // SERVER_PLACEMENT_LOAD_BALANCE_H_
