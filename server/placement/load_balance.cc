#include "server/placement/load_balance.h"

#include <algorithm>

#include "raft/check.h"

namespace quorate {
namespace {

bool Contains(const std::vector<NodeIndex>& owners, NodeIndex node) {
  return std::find(owners.begin(), owners.end(), node) != owners.end();
}

int64_t Signed(uint64_t value) { return static_cast<int64_t>(value); }

// Exchanges that all searches for chains together may look at; about a second. Chains are needed
// where zones of very different sizes meet weights, and end sooner by far.
constexpr uint64_t kChainWorkMax = 100'000'000;

}  // namespace

LoadBalance::LoadBalance(std::vector<LoadBounds> bounds, std::vector<uint64_t> loads)
    : bounds_(std::move(bounds)),
      loads_(std::move(loads)),
      held_(bounds_.size()),
      strangers_(bounds_.size()),
      chain_work_left_(kChainWorkMax) {
  for (NodeIndex node = 0; node < loads_.size(); ++node) {
    by_fullness_.emplace(Fullness(node), node);
  }
}

double LoadBalance::Fullness(NodeIndex node) const {
  return static_cast<double>(loads_[node]) / std::max(bounds_[node].fair_share, 1e-9);
}

int64_t LoadBalance::Excess(NodeIndex node) const {
  return Signed(loads_[node]) - Signed(bounds_[node].most);
}

int64_t LoadBalance::Lack(NodeIndex node) const {
  return Signed(bounds_[node].least) - Signed(loads_[node]);
}

bool LoadBalance::Helps(NodeIndex from, NodeIndex to) const {
  if (Excess(from) > 0) return Excess(from) > std::max<int64_t>(Excess(to) + 1, 0);
  return Lack(to) > std::max<int64_t>(Lack(from) + 1, 0);
}

void LoadBalance::ChangeLoad(NodeIndex node, int64_t by) {
  by_fullness_.erase({Fullness(node), node});
  loads_[node] += by;
  by_fullness_.emplace(Fullness(node), node);
}

void LoadBalance::AddReplica(size_t partition, NodeIndex node) {
  partitions_[partition].owners.push_back(node);
  held_[node].push_back(partition);
  strangers_[node] += !Contains(partitions_[partition].original, node);
  ChangeLoad(node, 1);
}

void LoadBalance::RemoveReplica(size_t partition, NodeIndex node) {
  std::erase(partitions_[partition].owners, node);
  auto& held = held_[node];
  const auto place = std::find(held.begin(), held.end(), partition);
  QUORATE_CHECK(place != held.end()) << partition;
  *place = held.back();
  held.pop_back();
  strangers_[node] -= !Contains(partitions_[partition].original, node);
  ChangeLoad(node, -1);
}

void LoadBalance::Apply(const Move& move) {
  RemoveReplica(move.partition, move.from);
  AddReplica(move.partition, move.to);
}

void LoadBalance::AddPartition(const SpreadRule& spread, std::vector<NodeIndex> original) {
  partitions_.push_back({.spread = &spread, .original = std::move(original)});
  for (const NodeIndex node : partitions_.back().original) {
    AddReplica(partitions_.size() - 1, node);
  }
}

void LoadBalance::KeepLegal() {
  for (size_t partition = 0; partition < partitions_.size(); ++partition) {
    const MovablePartition& at = partitions_[partition];
    // The subsets of best spreads are a matroid: taken in any order, as many as possible are kept.
    // Leaving to the last those that should give something away saves moves.
    std::vector<std::pair<int64_t, size_t>> order;
    for (size_t i = 0; i < at.original.size(); ++i) {
      order.emplace_back(std::max<int64_t>(Excess(at.original[i]), 0), i);
    }
    std::sort(order.begin(), order.end());
    PartialSpread kept(*at.spread);
    for (const auto& [excess, i] : order) {
      const NodeIndex node = at.original[i];
      if (kept.CanAdd(node)) {
        kept.Add(node);
      } else {
        RemoveReplica(partition, node);
      }
    }
  }
}

NodeIndex LoadBalance::LeastFull(const PartialSpread& chosen) const {
  std::optional<NodeIndex> open;
  std::optional<NodeIndex> any;
  for (const auto& [fullness, node] : by_fullness_) {
    if (!chosen.CanAdd(node)) continue;
    if (Lack(node) > 0) return node;
    if (!open.has_value() && Excess(node) < 0) open = node;
    if (!any.has_value()) any = node;
    // Whoever lacks something is below 0.95 of its share.
    if (open.has_value() && fullness >= 0.95) break;
  }
  QUORATE_CHECK(any.has_value(), "part of a best spread");
  return open.value_or(*any);
}

void LoadBalance::Fill(size_t partition, const Preference& preference) {
  const MovablePartition& at = partitions_[partition];
  PartialSpread chosen(*at.spread);
  for (const NodeIndex node : at.owners) chosen.Add(node);
  while (!chosen.complete()) {
    const std::optional<NodeIndex> next = preference();
    if (!next.has_value()) break;
    const auto load = static_cast<double>(loads_[*next]);
    if (load >= bounds_[*next].fair_share || !chosen.CanAdd(*next)) continue;
    chosen.Add(*next);
    AddReplica(partition, *next);
  }
  while (!chosen.complete()) {
    const NodeIndex node = LeastFull(chosen);
    chosen.Add(node);
    AddReplica(partition, node);
  }
}

bool LoadBalance::IsLegal(const Move& move) const {
  const MovablePartition& at = partitions_[move.partition];
  return Contains(at.owners, move.from) && !Contains(at.owners, move.to) &&
         at.spread->AllowsExchange(at.owners, move.from, move.to);
}

int LoadBalance::Cost(const Move& move) const {
  const std::vector<NodeIndex>& original = partitions_[move.partition].original;
  return int{Contains(original, move.from)} - int{Contains(original, move.to)};
}

std::optional<LoadBalance::Move> LoadBalance::Exchange(NodeIndex from, NodeIndex to,
                                                       Price price) const {
  std::optional<Move> best;
  int best_cost = price == Price::kFree ? 1 : 2;
  if (price == Price::kFree && strangers_[from] == 0) return best;
  for (const uint32_t partition : held_[from]) {
    const Move move{.partition = partition, .from = from, .to = to};
    if (const int cost = Cost(move); cost < best_cost && IsLegal(move)) {
      best = move;
      best_cost = cost;
      // Without strangers nothing is cheaper.
      if (cost < 0 || strangers_[from] == 0) break;
    }
  }
  return best;
}

bool LoadBalance::RelieveExcess(NodeIndex node) {
  // Those that lack something first: that settles two at once.
  std::vector<NodeIndex> takers;
  for (const bool lacking : {true, false}) {
    for (const auto& [fullness, taker] : by_fullness_) {
      if ((Lack(taker) > 0) == lacking && Helps(node, taker)) takers.push_back(taker);
    }
  }
  for (const NodeIndex taker : takers) {
    if (const auto move = Exchange(node, taker, Price::kAny); move.has_value()) {
      Apply(*move);
      return true;
    }
  }
  return ApplyChain(FindChain({node}, [this, node](NodeIndex goal) { return Helps(node, goal); }));
}

bool LoadBalance::GiveTo(NodeIndex node, const std::vector<NodeIndex>& givers, Price price) {
  for (const NodeIndex giver : givers) {
    if (const auto move = Exchange(giver, node, price); move.has_value()) {
      Apply(*move);
      return true;
    }
  }
  return false;
}

bool LoadBalance::RelieveLack(NodeIndex node) {
  std::vector<NodeIndex> givers;
  for (auto at = by_fullness_.rbegin(); at != by_fullness_.rend(); ++at) {
    if (Helps(at->second, node)) givers.push_back(at->second);
  }
  // What is on its way already costs nothing more; then from the fullest.
  if (GiveTo(node, givers, Price::kFree) || GiveTo(node, givers, Price::kAny)) return true;
  return ApplyChain(FindChain(givers, [node](NodeIndex goal) { return goal == node; }));
}

std::vector<LoadBalance::Move> LoadBalance::FindChain(
    const std::vector<NodeIndex>& starts, const std::function<bool(NodeIndex)>& is_goal) {
  std::vector<std::optional<Move>> reached_by(loads_.size());
  std::vector<NodeIndex> unseen;
  for (NodeIndex node = 0; node < loads_.size(); ++node) {
    if (!Contains(starts, node)) unseen.push_back(node);
  }
  std::vector<NodeIndex> queue = starts;
  for (size_t next = 0; next < queue.size(); ++next) {
    const NodeIndex from = queue[next];
    for (const uint32_t partition : held_[from]) {
      if (chain_work_left_ <= unseen.size()) return {};
      chain_work_left_ -= unseen.size();
      std::vector<NodeIndex> left;
      for (const NodeIndex to : unseen) {
        const Move move{.partition = partition, .from = from, .to = to};
        if (!IsLegal(move)) {
          left.push_back(to);
          continue;
        }
        reached_by[to] = move;
        queue.push_back(to);
        if (!is_goal(to)) continue;
        std::vector<Move> chain;
        for (NodeIndex at = to; reached_by[at].has_value(); at = chain.back().from) {
          chain.push_back(*reached_by[at]);
        }
        return chain;
      }
      unseen = std::move(left);
    }
  }
  return {};
}

bool LoadBalance::ApplyChain(const std::vector<Move>& chain) {
  for (size_t i = 0; i < chain.size(); ++i) {
    if (IsLegal(chain[i])) {
      Apply(chain[i]);
      continue;
    }
    // One that meets a partition twice may be legal move by move and not as a whole.
    for (; i > 0; --i) {
      const Move& done = chain[i - 1];
      Apply({.partition = done.partition, .from = done.to, .to = done.from});
    }
    return false;
  }
  return !chain.empty();
}

void LoadBalance::BalanceReplicas() {
  // Each success lowers the violations, or evens them out; the limit only guards the proof.
  size_t moves_left = partitions_.size() * loads_.size() + 1000;
  for (bool improved = true; improved;) {
    improved = false;
    for (NodeIndex node = 0; node < loads_.size(); ++node) {
      while (moves_left > 0 && Excess(node) > 0 && RelieveExcess(node)) {
        improved = true;
        --moves_left;
      }
    }
    for (NodeIndex node = 0; node < loads_.size(); ++node) {
      while (moves_left > 0 && Lack(node) > 0 && RelieveLack(node)) {
        improved = true;
        --moves_left;
      }
    }
  }
}

}  // namespace quorate
