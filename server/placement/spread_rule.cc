#include "server/placement/spread_rule.h"

#include <algorithm>

#include "raft/check.h"

namespace quorate {
namespace {

using VertexIndex = ZoneTree::VertexIndex;

// Halvings of an interval of length one: more than a double can tell apart.
constexpr int kBisections = 80;

}  // namespace

SpreadRule::SpreadRule(const ZoneTree& tree, uint32_t replicas)
    : tree_(tree),
      replicas_(replicas),
      least_(tree.vertices().size()),
      most_(tree.vertices().size()),
      base_(tree.vertices().size()) {
  QUORATE_CHECK(replicas <= tree.node_count()) << replicas << " on " << tree.node_count();
  const auto& vertices = tree.vertices();
  const std::vector<std::vector<Marginal>> marginals = SortedMarginals();
  least_[ZoneTree::kRoot] = most_[ZoneTree::kRoot] = replicas;
  for (VertexIndex v = 0; v < vertices.size(); ++v) {
    if (most_[v] == 0 || vertices[v].children.empty()) continue;
    // The children's marginals merge into their parent's; what lies below the last one taken is
    // needed, what equals it is free to be taken or not.
    std::vector<Marginal> merged;
    for (const VertexIndex child : vertices[v].children) {
      merged.insert(merged.end(), marginals[child].begin(), marginals[child].end());
    }
    std::sort(merged.begin(), merged.end());
    const Marginal& last = merged[most_[v] - 1];
    for (const VertexIndex child : vertices[v].children) {
      const auto& own = marginals[child];
      least_[child] = std::lower_bound(own.begin(), own.end(), last) - own.begin();
      most_[child] = std::upper_bound(own.begin(), own.end(), last) - own.begin();
    }
  }
  for (VertexIndex v = 1; v < vertices.size(); ++v) base_[vertices[v].parent] += least_[v];
}

// By vertex: what the first, second, … replica in it adds to the unevenness of its own level, of
// the next, and so on. Ascending, since the unevenness is convex.
std::vector<std::vector<SpreadRule::Marginal>> SpreadRule::SortedMarginals() const {
  const auto& vertices = tree_.vertices();
  std::vector<std::vector<Marginal>> marginals(vertices.size());
  for (size_t v = vertices.size() - 1; v > ZoneTree::kRoot; --v) {
    if (vertices[v].children.empty()) {
      marginals[v] = {{1}};
      continue;
    }
    std::vector<Marginal> merged;
    for (const VertexIndex child : vertices[v].children) {
      merged.insert(merged.end(), marginals[child].begin(), marginals[child].end());
    }
    std::sort(merged.begin(), merged.end());
    if (merged.size() > replicas_) merged.resize(replicas_);
    for (uint32_t k = 0; k < merged.size(); ++k) merged[k].insert(merged[k].begin(), 2 * k + 1);
    marginals[v] = std::move(merged);
  }
  return marginals;
}

double SpreadRule::Response(VertexIndex vertex, double level) const {
  const ZoneTree::Vertex& at = tree_.vertices()[vertex];
  double wanted = 0;
  if (at.children.empty()) wanted = level * at.weight;
  for (const VertexIndex child : at.children) wanted += Response(child, level);
  return std::clamp<double>(wanted, least_[vertex], most_[vertex]);
}

// The shares minimise the sum of share² ÷ weight between Least and Most of every vertex: level by
// level from the root, a common level is sought at which the children's responses add up.
std::vector<double> SpreadRule::FairShares() const {
  const auto& vertices = tree_.vertices();
  std::vector<double> share(vertices.size());
  share[ZoneTree::kRoot] = replicas_;
  for (VertexIndex v = 0; v < vertices.size(); ++v) {
    double low = 0;
    double high = 1;  // weights are at least 1: every node is full
    for (int i = 0; i < kBisections; ++i) {
      const double level = (low + high) / 2;
      double sum = 0;
      for (const VertexIndex child : vertices[v].children) sum += Response(child, level);
      (sum < share[v] ? low : high) = level;
    }
    for (const VertexIndex child : vertices[v].children) share[child] = Response(child, high);
  }
  std::vector<double> shares;
  for (NodeIndex node = 0; node < tree_.node_count(); ++node) {
    shares.push_back(share[tree_.leaf(node)]);
  }
  return shares;
}

bool SpreadRule::AllowsExchange(const std::vector<NodeIndex>& owners, NodeIndex from,
                                NodeIndex to) const {
  for (size_t step = 0; step < tree_.height(); ++step) {
    const VertexIndex left = tree_.Above(from, step);
    const VertexIndex entered = tree_.Above(to, step);
    if (left == entered) return true;
    uint32_t in_left = 0;
    uint32_t in_entered = 0;
    for (const NodeIndex owner : owners) {
      in_left += tree_.Above(owner, step) == left;
      in_entered += tree_.Above(owner, step) == entered;
    }
    if (in_left <= least_[left] || in_entered >= most_[entered]) return false;
  }
  return true;
}

bool PartialSpread::CanAdd(NodeIndex node) const {
  for (size_t step = 0; step < rule_.tree_.height(); ++step) {
    const VertexIndex v = rule_.tree_.Above(node, step);
    if (used_[v] >= rule_.most_[v]) return false;
    // It takes a place that was being kept for this zone.
    if (used_[v] < rule_.least_[v]) return true;
  }
  return used_[ZoneTree::kRoot] < rule_.replicas_;
}

void PartialSpread::Add(NodeIndex node) {
  QUORATE_CHECK(CanAdd(node)) << node;
  owners_.push_back(node);
  for (size_t step = 0; step < rule_.tree_.height(); ++step) {
    const VertexIndex v = rule_.tree_.Above(node, step);
    if (++used_[v] <= rule_.least_[v]) return;
  }
  ++used_[ZoneTree::kRoot];
}

void PartialSpread::Clear() {
  const std::vector<NodeIndex> owners = std::move(owners_);
  owners_.clear();
  for (const NodeIndex owner : owners) {
    for (size_t step = 0; step < rule_.tree_.height(); ++step) {
      const VertexIndex v = rule_.tree_.Above(owner, step);
      used_[v] = rule_.base_[v];
    }
  }
  used_[ZoneTree::kRoot] = rule_.base_[ZoneTree::kRoot];
}

}  // namespace quorate
