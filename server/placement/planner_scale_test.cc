// The planner at 1,000 nodes × 16,384 partitions × 3 replicas: balance, spread, moves, time,
// memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <map>
#include <set>
#include <string>

#include "server/placement/planner.h"

namespace quorate {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PLANNER_SCALE_SMALL
#endif
#endif
#ifdef PLANNER_SCALE_SMALL
constexpr uint32_t kNodes = 120;
constexpr uint32_t kPartitions = 2048;
#else
constexpr uint32_t kNodes = 1000;
constexpr uint32_t kPartitions = 16384;
#endif
constexpr uint32_t kReplicas = 3;
constexpr uint32_t kRegions = 3;
constexpr uint32_t kZones = 4;  // of a region

PlacementNode NodeIn(uint64_t id, uint32_t weight) {
  const uint64_t region = id % kRegions;
  const uint64_t zone = id / kRegions % kZones;
  return {.node_id = id,
          .zone = "r" + std::to_string(region) + "/z" + std::to_string(zone),
          .weight = weight};
}

std::vector<PlacementNode> Nodes(bool zones, bool weights) {
  std::vector<PlacementNode> nodes;
  for (uint64_t id = 1; id <= kNodes; ++id) {
    nodes.push_back(NodeIn(id, weights ? 1 + id % 4 : 1));
    if (!zones) nodes.back().zone.clear();
  }
  return nodes;
}

double ProcessorSeconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

int64_t PeakMemoryMib() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    int64_t kib = 0;
    if (word == "VmHWM:" && status >> kib) return kib / 1024;
  }
  return 0;
}

struct Outcome {
  std::vector<PlacedKeyspace> keyspaces;
  std::vector<std::string> notes{};
  double moved = 0;  // part of all replicas
};

// Balance and leaders; zone spread where there are zones.
void ExpectPromisesAtScale(const RebalancePlan& plan, const std::vector<PlacementNode>& nodes) {
  for (const PlannedLoad& load : plan.loads) {
    EXPECT_GE(load.replicas, load.least);
    EXPECT_LE(load.replicas, load.most);
    EXPECT_GE(static_cast<double>(load.leaders), std::floor(load.leader_share) - 1);
    EXPECT_LE(static_cast<double>(load.leaders), std::ceil(load.leader_share) + 1);
  }
  std::map<uint64_t, std::string> region;
  std::set<std::string> regions;
  for (const PlacementNode& node : nodes) {
    region[node.node_id] = node.zone.substr(0, node.zone.find('/'));
    regions.insert(region[node.node_id]);
  }
  for (const PartitionOwners& owners : plan.keyspaces.front().partitions) {
    std::set<std::string> used;
    for (const uint64_t owner : owners) used.insert(region.at(owner));
    EXPECT_EQ(used.size(), std::min<size_t>(regions.size(), kReplicas));
    EXPECT_EQ(std::set<uint64_t>(owners.begin(), owners.end()).size(), kReplicas);
  }
}

Outcome Rebalance(const std::string& what, const std::vector<PlacementNode>& nodes,
                  const std::vector<PlacedKeyspace>& keyspaces) {
  const double start = ProcessorSeconds();
  const auto plan = PlanRebalance(nodes, keyspaces);
  const double seconds = ProcessorSeconds() - start;
  EXPECT_TRUE(plan.ok()) << plan.status();
  if (!plan.ok()) return {};
  ExpectPromisesAtScale(*plan, nodes);
  double fullest = 0;
  double emptiest = 10;
  for (const PlannedLoad& load : plan->loads) {
    const double fullness = static_cast<double>(load.replicas) / load.fair_share;
    fullest = std::max(fullest, fullness);
    emptiest = std::min(emptiest, fullness);
  }
  const double moved = static_cast<double>(plan->moves.size()) / (kPartitions * kReplicas);
  std::printf(
      "%-40s %5zu moves %6.3f %%  load %.2f..%.2f of the share  %5.2f s of processor  %lld MiB "
      "peak\n",
      what.c_str(), plan->moves.size(), 100 * moved, emptiest, fullest, seconds,
      static_cast<long long>(PeakMemoryMib()));
  return {.keyspaces = plan->keyspaces, .notes = plan->notes, .moved = moved};
}

Outcome Place(const std::string& what, const std::vector<PlacementNode>& nodes) {
  const double start = ProcessorSeconds();
  const auto plan =
      PlanKeyspace(nodes, {}, {.keyspace_id = 1, .partitions = kPartitions, .replicas = kReplicas});
  const double seconds = ProcessorSeconds() - start;
  EXPECT_TRUE(plan.ok()) << plan.status();
  if (!plan.ok()) return {};
  EXPECT_THAT(plan->notes, IsEmpty());
  std::printf(
      "%-40s new keyspace                              %5.2f s of processor  %lld MiB peak\n",
      what.c_str(), seconds, static_cast<long long>(PeakMemoryMib()));
  std::vector<PlacedKeyspace> placed = {
      {.keyspace_id = 1, .replicas = kReplicas, .partitions = plan->partitions}};
  // A new keyspace lies where a rebalance would have it.
  const auto settled = PlanRebalance(nodes, placed);
  EXPECT_TRUE(settled.ok());
  EXPECT_THAT(settled->moves, IsEmpty());
  return {.keyspaces = std::move(placed)};
}

void RunEvents(const std::string& what, const std::vector<PlacementNode>& nodes) {
  const Outcome placed = Place(what, nodes);
  double weights = 0;
  for (const PlacementNode& node : nodes) weights += node.weight;

  std::vector<PlacementNode> joined = nodes;
  joined.push_back(NodeIn(kNodes + 1, nodes.front().weight));
  if (nodes.front().zone.empty()) joined.back().zone.clear();
  const double fair = joined.back().weight / (weights + joined.back().weight);
  const Outcome join = Rebalance(what + ": one joins", joined, placed.keyspaces);
  EXPECT_GE(join.moved, 0.9 * fair);
  EXPECT_LE(join.moved, 1.25 * fair);
  EXPECT_THAT(join.notes, IsEmpty());

  std::vector<PlacementNode> left = nodes;
  left.erase(left.begin() + kNodes / 2);
  const uint64_t gone = nodes[kNodes / 2].node_id;
  uint64_t held = 0;
  for (const PartitionOwners& owners : placed.keyspaces.front().partitions) {
    held += std::count(owners.begin(), owners.end(), gone);
  }
  const Outcome leave = Rebalance(what + ": one leaves", left, placed.keyspaces);
  EXPECT_EQ(std::llround(leave.moved * kPartitions * kReplicas), held);
}

TEST(PlannerScaleTest, EqualNodes) { RunEvents("equal", Nodes(false, false)); }

TEST(PlannerScaleTest, UnevenWeights) { RunEvents("weights 1..4", Nodes(false, true)); }

TEST(PlannerScaleTest, RegionsAndZones) { RunEvents("3 regions x 4 zones", Nodes(true, false)); }

TEST(PlannerScaleTest, RegionsZonesAndWeights) {
  RunEvents("3 x 4 zones, weights 1..4", Nodes(true, true));
}

TEST(PlannerScaleTest, LostZoneMovesWhatItHeld) {
  const std::vector<PlacementNode> nodes = Nodes(true, false);
  const Outcome placed = Place("3 regions x 4 zones", nodes);
  std::vector<PlacementNode> left = nodes;
  std::erase_if(left, [](const PlacementNode& node) { return node.zone == "r1/z2"; });
  const Outcome lost = Rebalance("3 regions x 4 zones: zone lost", left, placed.keyspaces);
  // The other zones of its region take over all of it; nothing else has to move.
  EXPECT_NEAR(lost.moved, 1.0 / (kRegions * kZones), 0.01);
  EXPECT_THAT(lost.notes, SizeIs(kRegions));
  EXPECT_THAT(lost.notes, Contains(HasSubstr("zone \"r1\"")));
  const Outcome back = Rebalance("3 regions x 4 zones: zone returns", nodes, lost.keyspaces);
  EXPECT_LE(back.moved, 1.0 / (kRegions * kZones) + 0.01);
}

TEST(PlannerScaleTest, LostRegion) {
  const std::vector<PlacementNode> nodes = Nodes(true, false);
  const Outcome placed = Place("3 regions x 4 zones", nodes);
  std::vector<PlacementNode> left = nodes;
  std::erase_if(left, [](const PlacementNode& node) { return node.zone.starts_with("r1/"); });
  const Outcome lost = Rebalance("3 regions x 4 zones: region lost", left, placed.keyspaces);
  EXPECT_LE(lost.moved, 1.02 / kRegions);
}

}  // namespace
}  // namespace quorate
