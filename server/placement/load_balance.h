// The planner's working state: who holds what, and moves that bring loads into bounds.
#ifndef SERVER_PLACEMENT_LOAD_BALANCE_H_
#define SERVER_PLACEMENT_LOAD_BALANCE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "server/placement/planner.h"
#include "server/placement/ring.h"

namespace quorate {

// Nodes are named by their place in `nodes` here. Used by one call of PlanKeyspace.
class LoadBalance {
 public:
  // `loads` and `leads`: replicas and leaders that each node holds in other keyspaces.
  LoadBalance(const std::vector<PlacementNode>& nodes, std::vector<LoadBounds> bounds,
              std::vector<uint64_t> loads, std::vector<uint64_t> leads);

  // Adds a partition with `replicas` owners, chosen along `preference`: the zone used least so far,
  // then a node below its upper bound, then the preference; where all are full, the least full.
  void AddPartition(const std::vector<size_t>& preference, size_t replicas);

  // Moves single replicas of the added partitions, also along chains of nodes, until every node is
  // within its bounds or no move helps. Never worsens a partition's spread over zones.
  void BalanceReplicas();
  // Chooses each partition's leader (the first owner) so that leaders per weight are even. Last.
  void BalanceLeaders();

  [[nodiscard]] const std::vector<std::vector<size_t>>& partitions() const { return partitions_; }
  [[nodiscard]] uint64_t load(size_t node) const { return loads_[node]; }
  [[nodiscard]] const LoadBounds& bounds(size_t node) const { return bounds_[node]; }

 private:
  // One replica, or leadership, of a partition goes from one node to another.
  struct Move {
    size_t partition;
    size_t from;
    size_t to;
  };

  [[nodiscard]] size_t PickNode(const std::vector<size_t>& preference,
                                const std::vector<size_t>& owners) const;
  [[nodiscard]] bool KeepsZones(const std::vector<size_t>& owners, size_t from, size_t to) const;
  // For each pair (from, to) a partition in which that move is legal, at from × nodes + to.
  [[nodiscard]] std::vector<size_t> MovesByPair(bool leaders) const;
  // The shortest chain of moves from `start` to a node that `is_goal` accepts; empty: none.
  [[nodiscard]] std::vector<Move> FindChain(size_t start,
                                            const std::function<bool(size_t)>& is_goal,
                                            const std::vector<size_t>& moves) const;
  // False, and nothing changed: the moves together would break what each keeps alone.
  bool MoveReplicas(const std::vector<Move>& chain);
  // How far above its upper, below its lower bound a node is; negative: how far within.
  [[nodiscard]] int64_t Excess(size_t node) const;
  [[nodiscard]] int64_t Lack(size_t node) const;
  // By one move, without building anything.
  bool RelieveDirectly(size_t node);
  // Brings a node outside its bounds one replica nearer. False: it is within, or nothing helps.
  bool RelieveNode(size_t node);
  void MoveLeaders(const std::vector<Move>& chain);
  // Leaders per weight, compared without division: (leads + extra) × weight of the other.
  [[nodiscard]] bool LeadsMore(size_t a, size_t b, uint64_t extra_b) const;

  std::vector<size_t> zones_;  // by node: the zone's number
  std::vector<uint32_t> weights_;
  std::vector<LoadBounds> bounds_;
  std::vector<uint64_t> loads_;
  std::vector<uint64_t> leads_;
  std::vector<std::vector<size_t>> partitions_;
};

}  // namespace quorate

#endif  // SERVER_PLACEMENT_LOAD_BALANCE_H_
