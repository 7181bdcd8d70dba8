// Which sets of nodes are the best spread over zones for one partition.
#ifndef SERVER_PLACEMENT_SPREAD_RULE_H_
#define SERVER_PLACEMENT_SPREAD_RULE_H_

#include <cstdint>
#include <vector>

#include "server/placement/zone_tree.h"

namespace quorate {

// The best spread of `replicas` over a zone tree: as even as possible over the widest level, then,
// among those, over the next, and so on, always on distinct nodes. Evenness of a level is the sum
// of the squares of how many replicas each of its zones has.
//
// The sum of convex functions over a laminar family is M-natural-convex (Murota, "Discrete Convex
// Analysis", 2003, chapter 6), from which the two things follow that this class rests on: a greedy
// choice finds the best spread, and all best spreads are exactly the sets of nodes that give every
// vertex of the tree between Least and Most replicas, two numbers that differ by at most one. They
// are the bases of a matroid, so a set that can be completed can be completed from any side.
//
// A constant value that refers to the tree; any thread.
class SpreadRule {
 public:
  // At most as many replicas as the tree has nodes.
  SpreadRule(const ZoneTree& tree, uint32_t replicas);

  [[nodiscard]] uint32_t replicas() const { return replicas_; }
  [[nodiscard]] uint32_t Least(ZoneTree::VertexIndex vertex) const { return least_[vertex]; }
  [[nodiscard]] uint32_t Most(ZoneTree::VertexIndex vertex) const { return most_[vertex]; }

  // How much of one partition each node should hold: by weight, as far as the spread permits. What
  // a zone or node cannot take goes to the others by weight. Between 0 and 1; sums to replicas.
  [[nodiscard]] std::vector<double> FairShares() const;

  // `owners` are a best spread that holds `from` and not `to`: are they still with `to` instead?
  [[nodiscard]] bool AllowsExchange(const std::vector<NodeIndex>& owners, NodeIndex from,
                                    NodeIndex to) const;

 private:
  friend class PartialSpread;
  using Marginal = std::vector<uint32_t>;

  [[nodiscard]] std::vector<std::vector<Marginal>> SortedMarginals() const;
  [[nodiscard]] double Response(ZoneTree::VertexIndex vertex, double level) const;

  const ZoneTree& tree_;
  uint32_t replicas_;
  std::vector<uint32_t> least_;  // by vertex
  std::vector<uint32_t> most_;
  std::vector<uint32_t> base_;  // the children's least together
};

// A partition's owners while they are being chosen: a subset of some best spread. One thread.
class PartialSpread {
 public:
  explicit PartialSpread(const SpreadRule& rule) : rule_(rule), used_(rule.base_) {}

  // Whether the set with `node` is still part of a best spread; false for one that is in it.
  [[nodiscard]] bool CanAdd(NodeIndex node) const;
  void Add(NodeIndex node);  // CanAdd(node)
  void Clear();
  [[nodiscard]] const std::vector<NodeIndex>& owners() const { return owners_; }
  [[nodiscard]] bool complete() const { return owners_.size() == rule_.replicas(); }

 private:
  const SpreadRule& rule_;
  std::vector<NodeIndex> owners_;
  // By vertex: replicas that its children have or still must get.
  std::vector<uint32_t> used_;
};

}  // namespace quorate

#endif  // SERVER_PLACEMENT_SPREAD_RULE_H_
