#include "server/placement/planner_oracle.h"

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <utility>

namespace quorate {
namespace {

// "a/b" at level 0 is "a", at level 1 "a/b", below that still "a/b" with empty names.
std::string Prefix(const std::string& path, size_t level) {
  size_t end = 0;
  for (size_t i = 0; i <= level; ++i) {
    end = path.find('/', end + (i > 0 ? 1 : 0));
    if (end == std::string::npos) return path + std::string(level - i, '/');
  }
  return path.substr(0, end);
}

size_t LevelsOf(const std::vector<PlacementNode>& nodes) {
  size_t levels = 0;
  for (const PlacementNode& node : nodes) {
    const auto slashes = std::count(node.zone.begin(), node.zone.end(), '/');
    if (!node.zone.empty()) levels = std::max<size_t>(levels, slashes + 1);
  }
  return levels;
}

const PlacementNode& NodeOf(const std::vector<PlacementNode>& nodes, uint64_t id) {
  return *std::find_if(nodes.begin(), nodes.end(), [id](auto& node) { return node.node_id == id; });
}

// Successive shortest paths with Bellman-Ford.
class CostFlow {
 public:
  size_t AddVertex() {
    edges_of_.emplace_back();
    return edges_of_.size() - 1;
  }
  void AddEdge(size_t from, size_t to, int64_t capacity, int64_t cost) {
    if (capacity <= 0) return;
    edges_of_[from].push_back(edges_.size());
    edges_.push_back({to, capacity, cost});
    edges_of_[to].push_back(edges_.size());
    edges_.push_back({from, 0, -cost});
  }
  // The first `least` of the edge are worth kMust each.
  void AddBoundedEdge(size_t from, size_t to, int64_t least, int64_t most) {
    must_ += least;
    AddEdge(from, to, least, -kMust);
    AddEdge(from, to, most - least, 0);
  }
  // Cost of `amount` from source to sink, lower bounds met; -1: impossible.
  int64_t Solve(size_t source, size_t sink, int64_t amount) {
    const int64_t cost = Cost(source, sink, amount);
    return cost < kMust ? cost : -1;
  }
  // The same where it is possible, and the cost may be negative.
  int64_t Cost(size_t source, size_t sink, int64_t amount) {
    int64_t total = 0;
    for (; amount > 0; --amount) {
      const std::vector<size_t> path = CheapestPath(source, sink);
      if (path.empty()) return kMust;
      for (const size_t edge : path) {
        --edges_[edge].left;
        ++edges_[edge ^ 1].left;
        total += edges_[edge].cost;
      }
    }
    return total + must_ * kMust;
  }

 private:
  static constexpr int64_t kMust = 1'000'000;
  struct Edge {
    size_t to;
    int64_t left;
    int64_t cost;
  };

  std::vector<size_t> CheapestPath(size_t source, size_t sink) const {
    constexpr int64_t kFar = std::numeric_limits<int64_t>::max() / 2;
    std::vector<int64_t> distance(edges_of_.size(), kFar);
    std::vector<size_t> by(edges_of_.size());
    distance[source] = 0;
    for (bool changed = true; changed;) {
      changed = false;
      for (size_t from = 0; from < edges_of_.size(); ++from) {
        if (distance[from] == kFar) continue;
        for (const size_t edge : edges_of_[from]) {
          const Edge& e = edges_[edge];
          if (e.left == 0 || distance[from] + e.cost >= distance[e.to]) continue;
          distance[e.to] = distance[from] + e.cost;
          by[e.to] = edge;
          changed = true;
        }
      }
    }
    std::vector<size_t> path;
    if (distance[sink] == kFar) return path;
    for (size_t at = sink; at != source; at = edges_[by[at] ^ 1].to) path.push_back(by[at]);
    return path;
  }

  std::vector<Edge> edges_;
  std::vector<std::vector<size_t>> edges_of_;
  int64_t must_ = 0;
};

// How many replicas of a best spread are in each zone, at least and at most.
std::map<std::string, std::pair<int64_t, int64_t>> ZoneRanges(
    const std::vector<PlacementNode>& nodes, uint32_t replicas) {
  std::map<std::string, std::pair<int64_t, int64_t>> ranges;
  for (const PartitionOwners& owners : BestSpreads(nodes, replicas)) {
    for (size_t level = 0; level < LevelsOf(nodes); ++level) {
      std::map<std::string, int64_t> use;
      for (const PlacementNode& node : nodes) use[Prefix(node.zone, level)];
      for (const uint64_t owner : owners) ++use[Prefix(NodeOf(nodes, owner).zone, level)];
      for (const auto& [zone, count] : use) {
        const auto [place, is_new] = ranges.try_emplace(std::to_string(level) + zone, count, count);
        place->second.first = std::min(place->second.first, count);
        place->second.second = std::max(place->second.second, count);
      }
    }
  }
  return ranges;
}

}  // namespace

std::vector<uint64_t> Unevenness(const std::vector<PlacementNode>& nodes,
                                 const std::vector<uint64_t>& owners) {
  std::vector<uint64_t> unevenness;
  for (size_t level = 0; level < LevelsOf(nodes); ++level) {
    std::map<std::string, uint64_t> use;
    for (const uint64_t owner : owners) ++use[Prefix(NodeOf(nodes, owner).zone, level)];
    uint64_t sum = 0;
    for (const auto& [zone, count] : use) sum += count * count;
    unevenness.push_back(sum);
  }
  return unevenness;
}

std::vector<PartitionOwners> AllSets(const std::vector<PlacementNode>& nodes, uint32_t size) {
  std::vector<PartitionOwners> sets = {{}};
  for (uint32_t i = 0; i < size; ++i) {
    std::vector<PartitionOwners> larger;
    for (const PartitionOwners& set : sets) {
      for (const PlacementNode& node : nodes) {
        if (!set.empty() && node.node_id <= set.back()) continue;
        larger.push_back(set);
        larger.back().push_back(node.node_id);
      }
    }
    sets = std::move(larger);
  }
  return sets;
}

std::vector<PartitionOwners> BestSpreads(const std::vector<PlacementNode>& nodes,
                                         uint32_t replicas) {
  std::map<std::vector<uint64_t>, std::vector<PartitionOwners>> by_unevenness;
  for (const PartitionOwners& owners : AllSets(nodes, replicas)) {
    by_unevenness[Unevenness(nodes, owners)].push_back(owners);
  }
  return by_unevenness.begin()->second;
}

namespace {

// A partition's vertex, with an edge through its zones to every node; one to a node that is not in
// `owners` costs `move_cost`.
void AddPartition(const std::vector<PlacementNode>& nodes, uint32_t replicas,
                  const PartitionOwners& owners, int64_t move_cost, size_t source,
                  std::map<uint64_t, size_t>& by_node, CostFlow* flow) {
  auto ranges = ZoneRanges(nodes, replicas);
  const size_t partition = flow->AddVertex();
  flow->AddEdge(source, partition, replicas, 0);
  std::map<std::string, size_t> zones;
  for (const PlacementNode& node : nodes) {
    size_t at = partition;
    for (size_t level = 0; level < LevelsOf(nodes); ++level) {
      const std::string zone = std::to_string(level) + Prefix(node.zone, level);
      if (!zones.contains(zone)) {
        zones[zone] = flow->AddVertex();
        flow->AddBoundedEdge(at, zones[zone], ranges[zone].first, ranges[zone].second);
      }
      at = zones[zone];
    }
    const bool is_there = std::find(owners.begin(), owners.end(), node.node_id) != owners.end();
    flow->AddEdge(at, by_node[node.node_id], 1, is_there ? 0 : move_cost);
  }
}

}  // namespace

int64_t FewestMoves(const std::vector<PlacementNode>& nodes,
                    const std::vector<PlacedKeyspace>& keyspaces,
                    const std::vector<PlannedLoad>& loads) {
  CostFlow flow;
  const size_t source = flow.AddVertex();
  const size_t sink = flow.AddVertex();
  std::map<uint64_t, size_t> by_node;
  for (const PlannedLoad& load : loads) {
    by_node[load.node_id] = flow.AddVertex();
    flow.AddBoundedEdge(by_node[load.node_id], sink, static_cast<int64_t>(load.least),
                        static_cast<int64_t>(load.most));
  }
  int64_t amount = 0;
  for (const PlacedKeyspace& keyspace : keyspaces) {
    for (const PartitionOwners& owners : keyspace.partitions) {
      AddPartition(nodes, keyspace.replicas, owners, 1, source, by_node, &flow);
      amount += keyspace.replicas;
    }
  }
  return flow.Solve(source, sink, amount);
}

int64_t LeastViolation(const std::vector<PlacementNode>& nodes,
                       const std::vector<PartitionOwners>& existing,
                       const KeyspaceToPlace& keyspace, const std::vector<PlannedLoad>& loads) {
  std::map<uint64_t, int64_t> there;
  for (const PartitionOwners& owners : existing) {
    for (const uint64_t owner : owners) ++there[owner];
  }
  CostFlow flow;
  const size_t source = flow.AddVertex();
  const size_t sink = flow.AddVertex();
  std::map<uint64_t, size_t> by_node;
  int64_t violation = 0;
  for (const PlannedLoad& load : loads) {
    const size_t node = by_node[load.node_id] = flow.AddVertex();
    const int64_t had = there[load.node_id];
    const auto least = static_cast<int64_t>(load.least);
    const auto most = static_cast<int64_t>(load.most);
    violation += std::max<int64_t>(least - had, 0) + std::max<int64_t>(had - most, 0);
    flow.AddEdge(node, sink, least - had, -1);  // each of these fills a lack
    flow.AddEdge(node, sink, most - std::max(had, least), 0);
    flow.AddEdge(node, sink, keyspace.partitions, 1);
  }
  for (uint32_t partition = 0; partition < keyspace.partitions; ++partition) {
    AddPartition(nodes, keyspace.replicas, {}, 0, source, by_node, &flow);
  }
  return violation + flow.Cost(source, sink, int64_t{keyspace.partitions} * keyspace.replicas);
}

}  // namespace quorate
