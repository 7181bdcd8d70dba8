#include "server/placement/planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "server/placement/load_balance.h"
#include "server/placement/preference_list.h"
#include "server/placement/ring.h"

namespace quorate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<PlacementNode> EqualNodes(uint64_t count, uint64_t zones = 0) {
  std::vector<PlacementNode> nodes;
  for (uint64_t id = 1; id <= count; ++id) {
    nodes.push_back({.node_id = id, .zone = zones == 0 ? "" : "z" + std::to_string(id % zones)});
  }
  return nodes;
}

std::map<uint64_t, uint64_t> Loads(const std::vector<PartitionOwners>& partitions) {
  std::map<uint64_t, uint64_t> loads;
  for (const PartitionOwners& owners : partitions) {
    for (const uint64_t node : owners) ++loads[node];
  }
  return loads;
}

std::map<uint64_t, uint64_t> Leaders(const std::vector<PartitionOwners>& partitions) {
  std::map<uint64_t, uint64_t> leaders;
  for (const PartitionOwners& owners : partitions) ++leaders[owners.front()];
  return leaders;
}

// What must hold for every plan; zones as evenly used as the nodes allow is checked by the caller.
void ExpectLegal(const KeyspacePlan& plan, const std::vector<PlacementNode>& nodes,
                 const KeyspaceToPlace& keyspace) {
  ASSERT_EQ(plan.partitions.size(), keyspace.partitions);
  std::set<uint64_t> known;
  for (const PlacementNode& node : nodes) known.insert(node.node_id);
  for (const PartitionOwners& owners : plan.partitions) {
    EXPECT_EQ(owners.size(), keyspace.replicas);
    EXPECT_EQ(std::set<uint64_t>(owners.begin(), owners.end()).size(), owners.size());
    for (const uint64_t owner : owners) EXPECT_TRUE(known.contains(owner));
  }
}

// `all` holds every keyspace's partitions, the plan's included. Without zones.
void ExpectNoMoveHelps(const KeyspacePlan& plan, const std::vector<PlacementNode>& nodes,
                       const std::vector<PartitionOwners>& all) {
  auto loads = Loads(all);
  PartitionCounts counts;
  for (const PartitionOwners& owners : all) ++counts[static_cast<uint32_t>(owners.size())];
  std::map<uint64_t, LoadBounds> bounds;
  const auto by_place = ComputeLoadBounds(nodes, counts);
  for (size_t i = 0; i < nodes.size(); ++i) bounds[nodes[i].node_id] = by_place[i];
  for (const PartitionOwners& owners : plan.partitions) {
    for (const uint64_t from : owners) {
      for (const PlacementNode& node : nodes) {
        const uint64_t to = node.node_id;
        if (std::find(owners.begin(), owners.end(), to) != owners.end()) continue;
        EXPECT_FALSE(loads[from] > bounds[from].most && loads[to] < bounds[to].most);
        EXPECT_FALSE(loads[to] < bounds[to].least && loads[from] > bounds[from].least);
      }
    }
  }
}

TEST(RingTest, WalkMeetsEachNodeOnceAndWraps) {
  const Ring ring(EqualNodes(5));
  for (const uint64_t hash : {uint64_t{0}, uint64_t{1} << 63, UINT64_MAX}) {
    std::vector<uint64_t> walk = ring.WalkFrom(hash);
    std::sort(walk.begin(), walk.end());
    EXPECT_THAT(walk, ElementsAre(1, 2, 3, 4, 5));
  }
}

TEST(RingTest, JoiningNodeMovesNothingBetweenTheOthers) {
  const Ring before(EqualNodes(6));
  const Ring after(EqualNodes(7));
  for (uint64_t i = 0; i < 256; ++i) {
    std::vector<uint64_t> walk = after.WalkFrom(i << 56);
    std::erase(walk, 7u);
    EXPECT_EQ(walk, before.WalkFrom(i << 56));
  }
}

TEST(PreferenceListTest, KeyspacesSpreadDifferently) {
  const Ring ring(EqualNodes(5));
  int equal = 0;
  for (uint32_t partition = 0; partition < 64; ++partition) {
    equal += PreferenceList(ring, 1, partition, 64) == PreferenceList(ring, 2, partition, 64);
  }
  EXPECT_LT(equal, 16);
}

// Nodes and clients of all versions must see the same ring.
TEST(PreferenceListTest, GoldenVectors) {
  const Ring ring(EqualNodes(5));
  EXPECT_THAT(PreferenceList(ring, 1, 0, 16), ElementsAre(3, 1, 4, 2, 5));
  EXPECT_THAT(PreferenceList(ring, 1, 15, 16), ElementsAre(4, 5, 1, 3, 2));
  EXPECT_THAT(PreferenceList(ring, 99, 3, 16), ElementsAre(4, 2, 1, 3, 5));
}

TEST(LoadBoundsTest, ShareIsAtMostOneReplicaAPartition) {
  std::vector<PlacementNode> nodes = EqualNodes(4);
  nodes[0].weight = 100;
  const auto bounds = ComputeLoadBounds(nodes, {{3, 10}});
  EXPECT_DOUBLE_EQ(bounds[0].fair_share, 10);
  EXPECT_DOUBLE_EQ(bounds[1].fair_share, 20.0 / 3);
  EXPECT_EQ(bounds[0].most, 11u);
  EXPECT_EQ(bounds[0].least, 9u);
}

TEST(LoadBoundsTest, ShareIsAtMostWhatTheSpreadOverZonesPermits) {
  // Two replicas of each partition lie in different zones, so zone b's node has one of each.
  const std::vector<PlacementNode> nodes = {{.node_id = 1, .zone = "a", .weight = 3},
                                            {.node_id = 2, .zone = "a", .weight = 1},
                                            {.node_id = 3, .zone = "b", .weight = 1}};
  const auto bounds = ComputeLoadBounds(nodes, {{2, 100}});
  EXPECT_NEAR(bounds[0].fair_share, 75, 1e-9);
  EXPECT_NEAR(bounds[1].fair_share, 25, 1e-9);
  EXPECT_NEAR(bounds[2].fair_share, 100, 1e-9);
  EXPECT_NEAR(bounds[0].share_by_weight, 100, 1e-9);
  EXPECT_NEAR(bounds[2].share_by_weight, 50, 1e-9);
}

// Node 0 holds one too many, always beside node 3, the only one with room: node 1 has to hand
// something on to node 3 before it can take over from node 0.
TEST(LoadBalanceTest, RelievesANodeThroughAnother) {
  const LoadBounds one{.fair_share = 1, .least = 0, .most = 1};
  const LoadBounds three{.fair_share = 3, .least = 0, .most = 3};
  const ZoneTree tree(EqualNodes(4));
  const SpreadRule spread(tree, 2);
  LoadBalance balance({one, one, one, three}, {0, 0, 0, 0});
  balance.AddPartition(spread, {0, 3});
  balance.AddPartition(spread, {0, 3});
  balance.AddPartition(spread, {1, 2});
  ASSERT_EQ(balance.load(0), 2u);
  balance.BalanceReplicas();
  EXPECT_EQ(balance.load(0), 1u);
  EXPECT_EQ(balance.load(1), 1u);
  EXPECT_EQ(balance.load(2), 1u);
  EXPECT_EQ(balance.load(3), 3u);
  for (const MovablePartition& at : balance.partitions()) EXPECT_NE(at.owners[0], at.owners[1]);
}

TEST(PlannerTest, ThreeNodesThreeReplicasIsEverywhereWithEvenLeaders) {
  const KeyspaceToPlace keyspace{.keyspace_id = 1, .partitions = 16, .replicas = 3};
  const auto plan = PlanKeyspace(EqualNodes(3), {}, keyspace);
  ASSERT_TRUE(plan.ok());
  ExpectLegal(*plan, EqualNodes(3), keyspace);
  EXPECT_THAT(plan->notes, IsEmpty());
  for (const auto& [node, leaders] : Leaders(plan->partitions)) {
    EXPECT_GE(leaders, 5u) << node;
    EXPECT_LE(leaders, 6u) << node;
  }
}

TEST(PlannerTest, RefusesFewerNodesThanReplicasAndSaysWhatToDo) {
  const auto plan =
      PlanKeyspace(EqualNodes(2), {}, {.keyspace_id = 1, .partitions = 16, .replicas = 3});
  EXPECT_EQ(plan.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(plan.status().ToString(), HasSubstr("the cluster has 2 nodes. Start 1 more"));
}

TEST(PlannerTest, RefusesMalformedRequests) {
  const auto code = [](const std::vector<PlacementNode>& nodes, uint32_t partitions,
                       uint32_t replicas) {
    return PlanKeyspace(nodes, {},
                        {.keyspace_id = 1, .partitions = partitions, .replicas = replicas})
        .status()
        .code();
  };
  EXPECT_EQ(code(EqualNodes(3), 12, 3), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(EqualNodes(3), 0, 3), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(EqualNodes(3), 16, 0), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({{.node_id = 1}, {.node_id = 1}, {.node_id = 2}}, 16, 1),
            absl::StatusCode::kInvalidArgument);
}

TEST(PlannerTest, EqualNodesStayWithinBoundsOverManyKeyspaces) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    std::mt19937_64 random(seed);
    const std::vector<PlacementNode> nodes = EqualNodes(3 + random() % 15);
    std::vector<PartitionOwners> existing;
    for (uint64_t id = 1; id <= 4; ++id) {
      const uint32_t replicas = std::vector<uint32_t>{1, 3, 3, 5}[random() % 4];
      const KeyspaceToPlace keyspace{
          .keyspace_id = id,
          .partitions = uint32_t{1} << (random() % 8),
          .replicas = std::min<uint32_t>(replicas, static_cast<uint32_t>(nodes.size()))};
      const auto plan = PlanKeyspace(nodes, existing, keyspace);
      ASSERT_TRUE(plan.ok()) << plan.status();
      ExpectLegal(*plan, nodes, keyspace);
      existing.insert(existing.end(), plan->partitions.begin(), plan->partitions.end());
      if (id == 1) EXPECT_THAT(plan->notes, IsEmpty()) << "seed " << seed;
      // Later ones cannot move what lies already, but no move of theirs may be left that helps.
      ExpectNoMoveHelps(*plan, nodes, existing);
    }
  }
}

TEST(PlannerTest, LeadersOfAKeyspaceAreEven) {
  for (uint64_t count = 3; count <= 20; ++count) {
    const auto plan = PlanKeyspace(EqualNodes(count), {},
                                   {.keyspace_id = count, .partitions = 64, .replicas = 3});
    ASSERT_TRUE(plan.ok());
    auto leaders = Leaders(plan->partitions);
    for (uint64_t node = 1; node <= count; ++node) {
      EXPECT_GE(leaders[node], 64 / count) << node << " of " << count;
      EXPECT_LE(leaders[node], (64 + count - 1) / count) << node << " of " << count;
    }
  }
}

TEST(PlannerTest, WeightsDecideTheShares) {
  std::vector<PlacementNode> nodes = EqualNodes(6);
  nodes[0].weight = 3;
  const auto plan = PlanKeyspace(nodes, {}, {.keyspace_id = 5, .partitions = 256, .replicas = 2});
  ASSERT_TRUE(plan.ok());
  EXPECT_THAT(plan->notes, IsEmpty());
  auto loads = Loads(plan->partitions);
  EXPECT_GE(loads[1], 182u);  // 512 × 3/8 = 192
  EXPECT_LE(loads[1], 212u);
}

TEST(PlannerTest, ReplicasUseAsManyZonesAsThereAre) {
  for (const uint64_t zones : {2, 3, 5}) {
    const std::vector<PlacementNode> nodes = EqualNodes(10, zones);
    for (const uint32_t replicas : {2u, 3u, 5u}) {
      const auto plan =
          PlanKeyspace(nodes, {}, {.keyspace_id = 3, .partitions = 64, .replicas = replicas});
      ASSERT_TRUE(plan.ok());
      for (const PartitionOwners& owners : plan->partitions) {
        std::map<uint64_t, uint64_t> use;
        for (const uint64_t owner : owners) ++use[owner % zones];
        EXPECT_EQ(use.size(), std::min<uint64_t>(zones, replicas));
        for (const auto& [zone, count] : use) EXPECT_LE(count, (replicas + zones - 1) / zones);
      }
    }
  }
}

TEST(PlannerTest, ZonesGoBeforeBoundsAndTheViolationIsExplained) {
  // Zones a and b have one node each, so these must hold a replica of everything.
  const std::vector<PlacementNode> nodes = {
      {.node_id = 1, .zone = "a"}, {.node_id = 2, .zone = "b"}, {.node_id = 3, .zone = "c"},
      {.node_id = 4, .zone = "c"}, {.node_id = 5, .zone = "c"}, {.node_id = 6, .zone = "c"}};
  const auto plan = PlanKeyspace(nodes, {}, {.keyspace_id = 1, .partitions = 32, .replicas = 3});
  ASSERT_TRUE(plan.ok());
  auto loads = Loads(plan->partitions);
  EXPECT_EQ(loads[1], 32u);
  EXPECT_EQ(loads[2], 32u);
  for (const uint64_t node : {3, 4, 5, 6}) EXPECT_EQ(loads[node], 8u) << node;
  ASSERT_FALSE(plan->notes.empty());
  EXPECT_THAT(plan->notes[0],
              HasSubstr("zone \"a\": its 1 node will hold 32 replicas, 2.00 times the 16"));
}

TEST(PlannerTest, ExplainsWhatLiesAlreadyAndCannotBeEvened) {
  const auto first =
      PlanKeyspace(EqualNodes(3), {}, {.keyspace_id = 1, .partitions = 32, .replicas = 3});
  const auto second = PlanKeyspace(EqualNodes(4), first->partitions,
                                   {.keyspace_id = 2, .partitions = 4, .replicas = 1});
  ASSERT_TRUE(second.ok());
  ASSERT_EQ(second->loads.size(), 4u);
  EXPECT_EQ(second->loads[3].replicas, 4u);  // all of the new one
  EXPECT_EQ(second->loads[3].least, 23u);    // of 100 / 4
  ASSERT_FALSE(second->notes.empty());
  EXPECT_THAT(second->notes.back(),
              HasSubstr("node 4 (zone \"\", weight 1) will hold 4 replicas, outside its bounds 23 "
                        "to 28: what lies already stays"));
}

TEST(PlannerTest, NewKeyspaceFillsUpNodesThatJoinedLater) {
  const auto first =
      PlanKeyspace(EqualNodes(3), {}, {.keyspace_id = 1, .partitions = 32, .replicas = 3});
  const auto second = PlanKeyspace(EqualNodes(6), first->partitions,
                                   {.keyspace_id = 2, .partitions = 32, .replicas = 3});
  ASSERT_TRUE(second.ok());
  auto loads = Loads(second->partitions);
  for (const uint64_t node : {4, 5, 6}) EXPECT_GE(loads[node], 30u);
}

TEST(PlannerTest, IsDeterministicWhateverTheOrderOfItsInput) {
  std::vector<PlacementNode> nodes = EqualNodes(9, 3);
  std::vector<PartitionOwners> existing = {{1, 2, 3}, {4, 5, 6}, {1, 5, 9}};
  const KeyspaceToPlace keyspace{.keyspace_id = 7, .partitions = 64, .replicas = 3};
  const auto plan = PlanKeyspace(nodes, existing, keyspace);
  std::reverse(nodes.begin(), nodes.end());
  std::reverse(existing.begin(), existing.end());
  EXPECT_EQ(PlanKeyspace(nodes, existing, keyspace)->partitions, plan->partitions);
}

TEST(PlannerTest, LargestKeyspaceIsPlannedInTime) {
  const auto plan =
      PlanKeyspace(EqualNodes(50, 5), {}, {.keyspace_id = 1, .partitions = 4096, .replicas = 5});
  ASSERT_TRUE(plan.ok());
  EXPECT_THAT(plan->notes, IsEmpty());
}

}  // namespace
}  // namespace quorate
