#include "server/placement/leader_balance.h"

#include <algorithm>
#include <optional>

#include "raft/check.h"

namespace quorate {
namespace {

// Two quotients that are equal on paper must not be told apart.
constexpr double kRounding = 1e-9;

}  // namespace

LeaderBalance::LeaderBalance(const std::vector<LoadBounds>& bounds, std::vector<uint64_t> leads,
                             std::vector<MovablePartition>* partitions)
    : leads_(std::move(leads)), partitions_(partitions), led_(bounds.size()) {
  for (const LoadBounds& bound : bounds) shares_.push_back(std::max(bound.leader_share, 1e-9));
}

double LeaderBalance::Fullness(NodeIndex node, uint64_t more) const {
  return static_cast<double>(leads_[node] + more) / shares_[node];
}

void LeaderBalance::Choose(size_t partition, NodeIndex leader) {
  std::vector<NodeIndex>& owners = (*partitions_)[partition].owners;
  const auto place = std::find(owners.begin(), owners.end(), leader);
  QUORATE_CHECK(place != owners.end()) << leader;
  std::rotate(owners.begin(), place, place + 1);  // the others keep their order
  led_[leader].push_back(partition);
  ++leads_[leader];
}

void LeaderBalance::Balance() {
  std::vector<size_t> open;
  for (size_t i = 0; i < partitions_->size(); ++i) {
    const MovablePartition& at = (*partitions_)[i];
    const bool stays = !at.original.empty() && std::find(at.owners.begin(), at.owners.end(),
                                                         at.original.front()) != at.owners.end();
    if (stays) {
      Choose(i, at.original.front());
    } else {
      open.push_back(i);
    }
  }
  for (const size_t partition : open) {
    const std::vector<NodeIndex>& owners = (*partitions_)[partition].owners;
    Choose(partition, *std::min_element(owners.begin(), owners.end(), [this](auto a, auto b) {
             return Fullness(a, 1) + kRounding < Fullness(b, 1);
           }));
  }
  for (bool improved = true; improved;) {
    improved = false;
    for (NodeIndex node = 0; node < leads_.size(); ++node) {
      while (Fullness(node, 0) > EvenLevel() + kRounding) {
        const std::vector<Transfer> chain = FindChain(node);
        if (chain.empty()) break;
        Apply(chain);
        improved = true;
      }
    }
  }
}

double LeaderBalance::EvenLevel() const {
  double level = Fullness(0, 1);
  for (NodeIndex node = 1; node < leads_.size(); ++node) level = std::min(level, Fullness(node, 1));
  return level;
}

std::vector<LeaderBalance::Transfer> LeaderBalance::FindChain(NodeIndex start) const {
  std::vector<std::optional<Transfer>> reached_by(leads_.size());
  std::vector<NodeIndex> queue = {start};
  for (size_t next = 0; next < queue.size(); ++next) {
    const NodeIndex from = queue[next];
    for (const uint32_t partition : led_[from]) {
      for (const NodeIndex to : (*partitions_)[partition].owners) {
        if (to == start || to == from || reached_by[to].has_value()) continue;
        reached_by[to] = Transfer{.partition = partition, .from = from, .to = to};
        queue.push_back(to);
        if (Fullness(start, 0) <= Fullness(to, 1) + kRounding) continue;
        std::vector<Transfer> chain;
        for (NodeIndex at = to; at != start; at = chain.back().from) {
          chain.push_back(*reached_by[at]);
        }
        return chain;
      }
    }
  }
  return {};
}

void LeaderBalance::Apply(const std::vector<Transfer>& chain) {
  for (const Transfer& transfer : chain) {
    std::erase(led_[transfer.from], transfer.partition);
    --leads_[transfer.from];
    Choose(transfer.partition, transfer.to);
  }
}

}  // namespace quorate
