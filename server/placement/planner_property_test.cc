// The planner's promises over random clusters, each held against a slow, obvious answer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <random>
#include <set>
#include <string>

#include "server/placement/planner.h"
#include "server/placement/planner_oracle.h"
#include "server/placement/spread_rule.h"

namespace quorate {
namespace {

using testing::IsEmpty;

// Up to three levels, of up to three zones each; some paths are shorter than others.
std::string RandomZone(std::mt19937_64& random, size_t levels) {
  std::string zone;
  for (size_t level = 0; level < levels; ++level) {
    if (random() % 12 == 0) break;
    zone += (level > 0 ? "/" : "") + std::string(1, static_cast<char>('a' + random() % 3));
  }
  return zone;
}

struct Topology {
  size_t levels = 0;
  bool weighted = false;
  uint64_t next_id = 1;
  std::vector<PlacementNode> nodes{};

  void Join(std::mt19937_64& random) {
    nodes.push_back({.node_id = next_id++,
                     .zone = RandomZone(random, levels),
                     .weight = weighted ? static_cast<uint32_t>(1 + random() % 4) : 1});
  }
};

Topology RandomTopology(std::mt19937_64& random, size_t nodes_min, size_t nodes_max) {
  Topology topology{.levels = random() % 4, .weighted = random() % 2 == 0};
  const size_t count = nodes_min + random() % (nodes_max - nodes_min + 1);
  while (topology.nodes.size() < count) topology.Join(random);
  return topology;
}

// In the order of `nodes`, as the rule numbers them.
PartitionOwners Ids(const std::vector<PlacementNode>& nodes, const std::vector<NodeIndex>& set) {
  PartitionOwners ids;
  for (const NodeIndex i : set) ids.push_back(nodes[i].node_id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

TEST(SpreadRuleTest, ItsRangesAreExactlyTheBestSpreads) {
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    std::mt19937_64 random(seed);
    const Topology topology = RandomTopology(random, 1, 8);
    const auto replicas = static_cast<uint32_t>(1 + random() % topology.nodes.size());
    const ZoneTree tree(topology.nodes);
    const SpreadRule rule(tree, replicas);
    const std::vector<PartitionOwners> best = BestSpreads(topology.nodes, replicas);
    for (const PartitionOwners& set : AllSets(topology.nodes, replicas)) {
      std::vector<uint32_t> use(tree.vertices().size());
      for (const uint64_t id : set) {
        for (size_t step = 0; step < tree.height(); ++step) ++use[tree.Above(id - 1, step)];
      }
      bool within = true;
      for (size_t v = 1; v < use.size(); ++v) {
        within = within && use[v] >= rule.Least(v) && use[v] <= rule.Most(v);
      }
      ASSERT_EQ(within, std::find(best.begin(), best.end(), set) != best.end()) << "seed " << seed;
    }
  }
}

TEST(SpreadRuleTest, PartIsExtendedExactlyWhereABestSpreadGoesOn) {
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    std::mt19937_64 random(seed);
    const Topology topology = RandomTopology(random, 1, 8);
    const auto replicas = static_cast<uint32_t>(1 + random() % topology.nodes.size());
    const ZoneTree tree(topology.nodes);
    const SpreadRule rule(tree, replicas);
    const std::vector<PartitionOwners> best = BestSpreads(topology.nodes, replicas);
    PartialSpread part(rule);
    for (int round = 0; round < 3; ++round, part.Clear()) {
      while (!part.complete()) {
        std::vector<NodeIndex> addable;
        for (NodeIndex node = 0; node < topology.nodes.size(); ++node) {
          std::vector<NodeIndex> set = part.owners();
          const bool is_in = std::find(set.begin(), set.end(), node) != set.end();
          set.push_back(node);
          const PartitionOwners ids = Ids(topology.nodes, set);
          const bool goes_on = !is_in && std::any_of(best.begin(), best.end(), [&](auto& whole) {
            return std::includes(whole.begin(), whole.end(), ids.begin(), ids.end());
          });
          ASSERT_EQ(part.CanAdd(node), goes_on) << "seed " << seed << " node " << node;
          if (goes_on) addable.push_back(node);
        }
        ASSERT_FALSE(addable.empty()) << "seed " << seed;
        part.Add(addable[random() % addable.size()]);
      }
      // And from a best spread, an exchange is allowed exactly where it leads to another.
      const std::vector<NodeIndex> owners = part.owners();
      for (const NodeIndex from : owners) {
        for (NodeIndex to = 0; to < topology.nodes.size(); ++to) {
          if (std::find(owners.begin(), owners.end(), to) != owners.end()) continue;
          std::vector<NodeIndex> set = owners;
          std::replace(set.begin(), set.end(), from, to);
          const bool is_best =
              std::find(best.begin(), best.end(), Ids(topology.nodes, set)) != best.end();
          ASSERT_EQ(rule.AllowsExchange(owners, from, to), is_best) << "seed " << seed;
        }
      }
    }
  }
}

// Distinct nodes that are there, spread as well as can be, and every node within its bounds.
void ExpectPromises(const RebalancePlan& plan, const std::vector<PlacementNode>& nodes) {
  std::map<uint64_t, uint64_t> loads;
  std::map<uint64_t, uint64_t> leaders;
  for (const PlacedKeyspace& keyspace : plan.keyspaces) {
    const auto best = Unevenness(nodes, BestSpreads(nodes, keyspace.replicas).front());
    for (const PartitionOwners& owners : keyspace.partitions) {
      ASSERT_EQ(owners.size(), keyspace.replicas);
      ASSERT_EQ(std::set<uint64_t>(owners.begin(), owners.end()).size(), owners.size());
      for (const uint64_t owner : owners) {
        ASSERT_TRUE(std::any_of(nodes.begin(), nodes.end(),
                                [owner](auto& node) { return node.node_id == owner; }));
        ++loads[owner];
      }
      ++leaders[owners.front()];
      ASSERT_EQ(Unevenness(nodes, owners), best);
    }
  }
  ASSERT_EQ(plan.loads.size(), nodes.size());
  for (const PlannedLoad& load : plan.loads) {
    EXPECT_EQ(load.replicas, loads[load.node_id]);
    EXPECT_EQ(load.leaders, leaders[load.node_id]);
    EXPECT_GE(load.replicas, load.least) << load.node_id;
    EXPECT_LE(load.replicas, load.most) << load.node_id;
  }
}

// Leadership could not go over to a node that would still lead less of its share.
void ExpectEvenLeaders(const RebalancePlan& plan) {
  std::map<uint64_t, double> share;
  std::map<uint64_t, uint64_t> leaders;
  for (const PlannedLoad& load : plan.loads) {
    share[load.node_id] = load.leader_share;
    leaders[load.node_id] = load.leaders;
  }
  for (const PlacedKeyspace& keyspace : plan.keyspaces) {
    for (const PartitionOwners& owners : keyspace.partitions) {
      const uint64_t from = owners.front();
      for (const uint64_t to : owners) {
        EXPECT_LE(static_cast<double>(leaders[from]) / share[from],
                  static_cast<double>(leaders[to] + 1) / share[to] + 1e-6)
            << from << " leads too much beside " << to;
      }
    }
  }
}

struct MoveTally {
  int64_t plans = 0;
  int64_t fewest = 0;  // plans that are as good as the oracle's
  int64_t moves = 0;
  int64_t needed = 0;
  int64_t worst = 0;  // moves of one plan too many
};

// Joins, leaves, changes a weight or moves a node to another zone.
void Disturb(std::mt19937_64& random, size_t nodes_min, Topology* topology) {
  const size_t victim = random() % topology->nodes.size();
  switch (random() % 5) {
    case 0:
    case 1:
      if (topology->nodes.size() < 9) return topology->Join(random);
      [[fallthrough]];
    case 2:
      if (topology->nodes.size() > nodes_min) {
        topology->nodes.erase(topology->nodes.begin() + static_cast<ptrdiff_t>(victim));
        return;
      }
      return topology->Join(random);
    case 3:
      topology->nodes[victim].weight = static_cast<uint32_t>(1 + random() % 4);
      return;
    default:
      topology->nodes[victim].zone = RandomZone(random, topology->levels);
  }
}

void RunHistory(uint64_t seed, MoveTally* tally) {
  std::mt19937_64 random(seed);
  Topology topology = RandomTopology(random, 3, 8);
  std::vector<PlacedKeyspace> keyspaces;
  const size_t keyspace_count = 1 + random() % 2;
  for (uint64_t id = 1; id <= keyspace_count; ++id) {
    keyspaces.push_back({.keyspace_id = id,
                         .replicas = static_cast<uint32_t>(1 + random() % 3),
                         .partitions = std::vector<PartitionOwners>(size_t{1} << random() % 5)});
  }
  for (int step = 0; step < 6; ++step) {
    const auto plan = PlanRebalance(topology.nodes, keyspaces);
    ASSERT_TRUE(plan.ok()) << plan.status();
    ExpectPromises(*plan, topology.nodes);
    ExpectEvenLeaders(*plan);
    if (step > 0) {
      const int64_t needed = FewestMoves(topology.nodes, keyspaces, plan->loads);
      ASSERT_GE(needed, 0) << "the bounds cannot be kept";
      const auto moves = static_cast<int64_t>(plan->moves.size());
      ASSERT_GE(moves, needed);
      ++tally->plans;
      tally->fewest += moves == needed;
      tally->moves += moves;
      tally->needed += needed;
      tally->worst = std::max(tally->worst, moves - needed);
    }
    // What is as it should be stays as it is.
    const auto again = PlanRebalance(topology.nodes, plan->keyspaces);
    ASSERT_TRUE(again.ok());
    EXPECT_THAT(again->moves, IsEmpty());
    keyspaces = plan->keyspaces;
    Disturb(random, 3, &topology);
  }
}

TEST(RebalanceTest, KeepsAllPromisesWithNearlyTheFewestMoves) {
  MoveTally tally;
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    RunHistory(seed, &tally);
    if (HasFatalFailure() || HasNonfatalFailure()) FAIL() << "seed " << seed;
  }
  std::printf("%lld plans: %lld with the fewest moves; %lld moves, %lld needed; worst +%lld\n",
              static_cast<long long>(tally.plans), static_cast<long long>(tally.fewest),
              static_cast<long long>(tally.moves), static_cast<long long>(tally.needed),
              static_cast<long long>(tally.worst));
  // A greedy choice more or less shows here: the seeds are fixed.
  EXPECT_GE(tally.fewest * 1000, tally.plans * 992);
  EXPECT_LE(tally.worst, 1);
}

// What lies already was placed on other nodes, so that bounds cannot always be kept.
TEST(PlanKeyspaceTest, IsAsNearToTheBoundsAsWhatLiesAlreadyPermits) {
  int violated = 0;
  int worse = 0;
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    std::mt19937_64 random(seed);
    Topology topology = RandomTopology(random, 3, 8);
    std::vector<PartitionOwners> existing;
    for (uint64_t id = 1; id <= 3; ++id) {
      const KeyspaceToPlace keyspace{.keyspace_id = id,
                                     .partitions = uint32_t{1} << (random() % 4),
                                     .replicas = static_cast<uint32_t>(1 + random() % 3)};
      const auto plan = PlanKeyspace(topology.nodes, existing, keyspace);
      ASSERT_TRUE(plan.ok()) << plan.status();
      const auto best =
          Unevenness(topology.nodes, BestSpreads(topology.nodes, keyspace.replicas).front());
      for (const PartitionOwners& owners : plan->partitions) {
        ASSERT_EQ(Unevenness(topology.nodes, owners), best) << "seed " << seed;
      }
      int64_t violation = 0;
      for (const PlannedLoad& load : plan->loads) {
        const auto replicas = static_cast<int64_t>(load.replicas);
        violation += std::max<int64_t>(static_cast<int64_t>(load.least) - replicas, 0) +
                     std::max<int64_t>(replicas - static_cast<int64_t>(load.most), 0);
      }
      const int64_t least = LeastViolation(topology.nodes, existing, keyspace, plan->loads);
      ASSERT_GE(violation, least) << "seed " << seed;
      violated += least > 0;
      worse += violation > least;
      if (violation > 0) EXPECT_FALSE(plan->notes.empty()) << "seed " << seed;
      existing.insert(existing.end(), plan->partitions.begin(), plan->partitions.end());
      // Nodes come, and their zones and weights change; what lies stays.
      if (topology.nodes.size() < 9) topology.Join(random);
      topology.nodes[random() % topology.nodes.size()].zone = RandomZone(random, topology.levels);
    }
  }
  std::printf("%d plans could not keep all bounds; %d are further from them than needed\n",
              violated, worse);
  EXPECT_GT(violated, 100) << "else the test shows nothing";
  EXPECT_EQ(worse, 0);
}

TEST(RebalanceTest, IsDeterministicWhateverTheOrderOfItsInput) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    std::mt19937_64 random(seed);
    Topology topology = RandomTopology(random, 5, 20);
    std::vector<PlacedKeyspace> keyspaces = {
        {.keyspace_id = 4, .replicas = 2, .partitions = std::vector<PartitionOwners>(16)},
        {.keyspace_id = 9, .replicas = 3, .partitions = std::vector<PartitionOwners>(32)}};
    for (int round = 0; round < 3; ++round) {
      const auto plan = PlanRebalance(topology.nodes, keyspaces);
      ASSERT_TRUE(plan.ok());
      std::shuffle(topology.nodes.begin(), topology.nodes.end(), random);
      std::reverse(keyspaces.begin(), keyspaces.end());
      const auto same = PlanRebalance(topology.nodes, keyspaces);
      ASSERT_TRUE(same.ok());
      ASSERT_EQ(same->moves, plan->moves) << "seed " << seed;
      for (size_t i = 0; i < keyspaces.size(); ++i) {
        ASSERT_EQ(same->keyspaces[i].partitions, plan->keyspaces[i].partitions) << "seed " << seed;
      }
      keyspaces = plan->keyspaces;
      Disturb(random, 5, &topology);
    }
  }
}

TEST(RebalanceTest, ReplacesWhatIsMissing) {
  const std::vector<PlacementNode> nodes = {{.node_id = 1}, {.node_id = 2}, {.node_id = 4}};
  const auto plan = PlanRebalance(
      nodes, {{.keyspace_id = 1, .replicas = 3, .partitions = {{3, 2, 1}, {1, 2}, {2, 1, 4}}}});
  // Three is no power of two.
  EXPECT_EQ(plan.status().code(), absl::StatusCode::kInvalidArgument);
  const auto two =
      PlanRebalance(nodes, {{.keyspace_id = 1, .replicas = 3, .partitions = {{3, 2, 1}, {1, 2}}}});
  ASSERT_TRUE(two.ok());
  const ReplicaMove instead{.keyspace_id = 1, .partition = 0, .from = 3, .to = 4};
  const ReplicaMove added{.keyspace_id = 1, .partition = 1, .from = 0, .to = 4};
  EXPECT_THAT(two->moves, testing::ElementsAre(instead, added));
}

TEST(RebalanceTest, RefusesFewerNodesThanReplicas) {
  const auto plan = PlanRebalance({{.node_id = 1}, {.node_id = 2}},
                                  {{.keyspace_id = 1, .replicas = 3, .partitions = {{1, 2, 3}}}});
  EXPECT_EQ(plan.status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace quorate
