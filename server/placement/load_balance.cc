#include "server/placement/load_balance.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <utility>

#include "raft/check.h"

namespace quorate {
namespace {

bool Contains(const std::vector<size_t>& owners, size_t node) {
  return std::find(owners.begin(), owners.end(), node) != owners.end();
}

constexpr size_t kNoPartition = SIZE_MAX;

int64_t Signed(uint64_t value) { return static_cast<int64_t>(value); }

}  // namespace

LoadBalance::LoadBalance(const std::vector<PlacementNode>& nodes, std::vector<LoadBounds> bounds,
                         std::vector<uint64_t> loads, std::vector<uint64_t> leads)
    : bounds_(std::move(bounds)), loads_(std::move(loads)), leads_(std::move(leads)) {
  std::map<std::string, size_t> zone_numbers;
  for (const PlacementNode& node : nodes) {
    zones_.push_back(zone_numbers.emplace(node.zone, zone_numbers.size()).first->second);
    weights_.push_back(std::max<uint32_t>(node.weight, 1));
  }
}

size_t LoadBalance::PickNode(const std::vector<size_t>& preference,
                             const std::vector<size_t>& owners) const {
  std::vector<size_t> zone_use(zones_.size());
  for (const size_t owner : owners) ++zone_use[zones_[owner]];
  // Smaller is better: uses of the zone, then how full the node is.
  using Rank = std::pair<size_t, double>;
  std::optional<Rank> best;
  size_t pick = 0;
  for (const size_t node : preference) {
    if (Contains(owners, node)) continue;
    const bool room = loads_[node] < bounds_[node].most;
    const double fullness =
        static_cast<double>(loads_[node] + 1) / std::max(bounds_[node].fair_share, 1e-9);
    const Rank rank{zone_use[zones_[node]], room ? 0.0 : fullness};
    if (!best.has_value() || rank < *best) {
      best = rank;
      pick = node;
    }
  }
  QUORATE_CHECK(best.has_value(), "more nodes than replicas");
  return pick;
}

void LoadBalance::AddPartition(const std::vector<size_t>& preference, size_t replicas) {
  std::vector<size_t> owners;
  while (owners.size() < replicas) {
    owners.push_back(PickNode(preference, owners));
    ++loads_[owners.back()];
  }
  partitions_.push_back(std::move(owners));
}

bool LoadBalance::KeepsZones(const std::vector<size_t>& owners, size_t from, size_t to) const {
  if (zones_[from] == zones_[to]) return true;
  // The spread is judged by the sum of the squares of how often each zone is used.
  int64_t in_from = 0;
  int64_t in_to = 0;
  for (const size_t owner : owners) {
    in_from += zones_[owner] == zones_[from];
    in_to += zones_[owner] == zones_[to];
  }
  return in_to + 1 <= in_from;
}

std::vector<size_t> LoadBalance::MovesByPair(bool leaders) const {
  const size_t nodes = zones_.size();
  std::vector<size_t> moves(nodes * nodes, kNoPartition);
  for (size_t partition = 0; partition < partitions_.size(); ++partition) {
    const std::vector<size_t>& owners = partitions_[partition];
    if (leaders) {
      for (const size_t to : owners) moves[owners.front() * nodes + to] = partition;
      continue;
    }
    for (size_t to = 0; to < nodes; ++to) {
      if (Contains(owners, to)) continue;
      for (const size_t from : owners) {
        size_t& move = moves[from * nodes + to];
        if (move == kNoPartition && KeepsZones(owners, from, to)) move = partition;
      }
    }
  }
  return moves;
}

std::vector<LoadBalance::Move> LoadBalance::FindChain(size_t start,
                                                      const std::function<bool(size_t)>& is_goal,
                                                      const std::vector<size_t>& moves) const {
  const size_t nodes = zones_.size();
  std::vector<Move> reached_by(nodes, {.partition = kNoPartition, .from = 0, .to = 0});
  std::deque<size_t> queue = {start};
  while (!queue.empty()) {
    const size_t from = queue.front();
    queue.pop_front();
    for (size_t to = 0; to < nodes; ++to) {
      const size_t partition = moves[from * nodes + to];
      if (to == start || partition == kNoPartition) continue;
      if (reached_by[to].partition != kNoPartition) continue;
      reached_by[to] = {.partition = partition, .from = from, .to = to};
      if (!is_goal(to)) {
        queue.push_back(to);
        continue;
      }
      std::vector<Move> chain;
      for (size_t at = to; at != start; at = chain.back().from) chain.push_back(reached_by[at]);
      return chain;
    }
  }
  return {};
}

bool LoadBalance::MoveReplicas(const std::vector<Move>& chain) {
  std::vector<std::pair<size_t, std::vector<size_t>>> before;
  for (const Move& move : chain) {
    before.emplace_back(move.partition, partitions_[move.partition]);
    std::vector<size_t>& owners = partitions_[move.partition];
    const auto place = std::find(owners.begin(), owners.end(), move.from);
    // A chain that meets one partition twice may be legal move by move and not as a whole.
    if (place == owners.end() || Contains(owners, move.to) ||
        !KeepsZones(owners, move.from, move.to)) {
      for (; !before.empty(); before.pop_back()) {
        partitions_[before.back().first] = std::move(before.back().second);
      }
      return false;
    }
    *place = move.to;
  }
  for (const Move& move : chain) {
    --loads_[move.from];
    ++loads_[move.to];
  }
  return true;
}

int64_t LoadBalance::Excess(size_t node) const {
  return Signed(loads_[node]) - Signed(bounds_[node].most);
}

int64_t LoadBalance::Lack(size_t node) const {
  return Signed(bounds_[node].least) - Signed(loads_[node]);
}

bool LoadBalance::RelieveDirectly(size_t node) {
  for (size_t partition = 0; partition < partitions_.size(); ++partition) {
    const std::vector<size_t>& owners = partitions_[partition];
    const bool owns = Contains(owners, node);
    if (owns && Excess(node) > 0) {
      for (size_t to = 0; to < zones_.size(); ++to) {
        if (Excess(node) <= Excess(to) + 1 || Contains(owners, to)) continue;
        if (KeepsZones(owners, node, to)) return MoveReplicas({{partition, node, to}});
      }
    } else if (!owns && Lack(node) > 0) {
      for (const size_t from : owners) {
        if (Lack(node) <= Lack(from) + 1 || !KeepsZones(owners, from, node)) continue;
        return MoveReplicas({{partition, from, node}});
      }
    }
  }
  return false;
}

bool LoadBalance::RelieveNode(size_t node) {
  if (Excess(node) <= 0 && Lack(node) <= 0) return false;
  if (RelieveDirectly(node)) return true;
  const std::vector<size_t> moves = MovesByPair(false);
  if (Excess(node) > 0) {
    const std::vector<Move> chain =
        FindChain(node, [&](size_t goal) { return Excess(node) > Excess(goal) + 1; }, moves);
    return !chain.empty() && MoveReplicas(chain);
  }
  for (size_t giver = 0; giver < loads_.size(); ++giver) {
    if (Lack(node) <= Lack(giver) + 1) continue;
    const std::vector<Move> chain =
        FindChain(giver, [node](size_t goal) { return goal == node; }, moves);
    if (!chain.empty() && MoveReplicas(chain)) return true;
  }
  return false;
}

void LoadBalance::BalanceReplicas() {
  // Each success lowers the violations, or evens them out; the limit only guards the proof.
  size_t moves_left = partitions_.size() * zones_.size() + 1000;
  for (bool improved = true; improved;) {
    improved = false;
    for (size_t node = 0; node < loads_.size(); ++node) {
      while (moves_left > 0 && RelieveNode(node)) {
        improved = true;
        --moves_left;
      }
    }
  }
}

bool LoadBalance::LeadsMore(size_t a, size_t b, uint64_t extra_b) const {
  return leads_[a] * weights_[b] > (leads_[b] + extra_b) * weights_[a];
}

void LoadBalance::MoveLeaders(const std::vector<Move>& chain) {
  for (const Move& move : chain) {
    std::vector<size_t>& owners = partitions_[move.partition];
    const auto place = std::find(owners.begin(), owners.end(), move.to);
    QUORATE_CHECK(owners.front() == move.from && place != owners.end());
    // The others keep their order.
    std::rotate(owners.begin(), place, place + 1);
    --leads_[move.from];
    ++leads_[move.to];
  }
}

void LoadBalance::BalanceLeaders() {
  for (const std::vector<size_t>& owners : partitions_) ++leads_[owners.front()];
  for (bool improved = true; improved;) {
    improved = false;
    for (size_t node = 0; node < leads_.size(); ++node) {
      const std::vector<Move> chain = FindChain(
          node, [this, node](size_t goal) { return LeadsMore(node, goal, 1); }, MovesByPair(true));
      if (chain.empty()) continue;
      MoveLeaders(chain);
      improved = true;
    }
  }
}

}  // namespace quorate
