// Chooses each partition's leader among its owners.
#ifndef SERVER_PLACEMENT_LEADER_BALANCE_H_
#define SERVER_PLACEMENT_LEADER_BALANCE_H_

#include <cstdint>
#include <vector>

#include "server/placement/load_balance.h"

namespace quorate {

// Leaders are spread by the nodes' shares of them: it ends when no chain of transfers takes a
// leader from a node to one that would still lead less of its share. A partition keeps its leader
// where that is even enough. Used by one call of the planner; one thread.
class LeaderBalance {
 public:
  // `leads`: partitions that each node leads and that stay.
  LeaderBalance(const std::vector<LoadBounds>& bounds, std::vector<uint64_t> leads,
                std::vector<MovablePartition>* partitions);

  void Balance();
  [[nodiscard]] uint64_t leads(NodeIndex node) const { return leads_[node]; }

 private:
  struct Transfer {
    size_t partition;
    NodeIndex from;
    NodeIndex to;
  };

  [[nodiscard]] double Fullness(NodeIndex node, uint64_t more) const;
  void Choose(size_t partition, NodeIndex leader);
  // The fullest node is at most as full as the least full one would be with one more.
  [[nodiscard]] double EvenLevel() const;
  [[nodiscard]] std::vector<Transfer> FindChain(NodeIndex start) const;
  void Apply(const std::vector<Transfer>& chain);

  std::vector<double> shares_;
  std::vector<uint64_t> leads_;
  std::vector<MovablePartition>* partitions_;
  std::vector<std::vector<uint32_t>> led_;  // by node
};

}  // namespace quorate

#endif  // SERVER_PLACEMENT_LEADER_BALANCE_H_
