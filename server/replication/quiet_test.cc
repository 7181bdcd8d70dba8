// Groups that go quiet, and all that has to wake them.
#include <algorithm>
#include <map>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/replication/raft_groups/quiet_ledger.h"
#include "server/replication/testing/test_cluster.h"

namespace quorate {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::TestCluster;

ReplicaHost::Options Quiet() {
  ReplicaHost::Options options;
  options.quiet_after = seconds(2);
  return options;
}

bool IsQuiet(TestCluster& cluster, uint64_t node) {
  const HostFigures figures = cluster.node(node).host->Figures();
  return std::all_of(figures.replicas.begin(), figures.replicas.end(),
                     [](const ReplicaFigures& replica) { return replica.quiet; });
}

bool AllQuiet(TestCluster& cluster) {
  for (uint64_t node = 1; node <= cluster.size(); ++node) {
    if (cluster.node(node).up() && !IsQuiet(cluster, node)) return false;
  }
  return true;
}

// A group of three that has gone quiet, led by node 1.
void BeginQuiet(TestCluster& cluster) {
  cluster.Begin();
  ASSERT_TRUE(cluster.Await(cluster.Put(1, {.key = "k", .value = "v"})).ok());
  ASSERT_TRUE(cluster.scheduler.RunUntil([&] { return AllQuiet(cluster); }, seconds(10)));
  ASSERT_EQ(cluster.Leader(), 1u);
}

uint64_t NewLeader(TestCluster& cluster) {
  uint64_t leader = 0;
  cluster.scheduler.RunUntil([&] {
    for (uint64_t node = 2; node <= cluster.size(); ++node) {
      if (cluster.node(node).host->LeaderOf(GroupId(TestCluster::kGroup)) == node) leader = node;
    }
    return leader != 0;
  });
  return leader;
}

TEST(QuietTest, SaysNothingAndWakesOnAWrite) {
  TestCluster cluster(3, Quiet());
  BeginQuiet(cluster);
  const uint64_t sent = cluster.MessagesSent();
  cluster.scheduler.RunFor(seconds(600));
  EXPECT_EQ(cluster.MessagesSent(), sent);
  const auto written = cluster.Await(cluster.Put(1, {.key = "k", .value = "w"}));
  EXPECT_TRUE(written.ok()) << written.status();
  EXPECT_TRUE(cluster.AwaitConvergence());
  EXPECT_EQ(cluster.Leader(), 1u);
  EXPECT_TRUE(cluster.scheduler.RunUntil([&] { return AllQuiet(cluster); }, seconds(10)));
}

TEST(QuietTest, ServesNoLeaseRead) {
  TestCluster cluster(3, Quiet());
  BeginQuiet(cluster);
  EXPECT_FALSE(cluster.node(1).host->TryLeaseGet(GroupId(TestCluster::kGroup), "k").has_value());
  const auto read = cluster.Await(cluster.Get(1, "k"));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->served_by, kv::v1::SERVED_BY_LEADER_READ_INDEX);
  EXPECT_EQ(read->value, "v");
  EXPECT_TRUE(cluster.node(1).host->TryLeaseGet(GroupId(TestCluster::kGroup), "k").has_value());
}

TEST(QuietTest, DeadLeaderIsReplacedWithoutAnyRequest) {
  TestCluster cluster(3, Quiet());
  BeginQuiet(cluster);
  cluster.node(1).Stop();
  const MonotonicTime stopped = cluster.scheduler.Now();
  EXPECT_NE(NewLeader(cluster), 0u);
  EXPECT_LT(cluster.scheduler.Now() - stopped, seconds(8));
}

TEST(QuietTest, RequestAtAFollowerWakesItSooner) {
  TestCluster cluster(3, Quiet());
  BeginQuiet(cluster);
  cluster.Isolate(1);
  const MonotonicTime isolated = cluster.scheduler.Now();
  EXPECT_FALSE(cluster.Await(cluster.Get(2, "k")).ok());
  EXPECT_NE(NewLeader(cluster), 0u);
  EXPECT_LT(cluster.scheduler.Now() - isolated, milliseconds(2900));
  // The old leader sleeps on, holds no lease, and learns of its successor when it is back.
  EXPECT_FALSE(cluster.node(1).host->TryLeaseGet(GroupId(TestCluster::kGroup), "k").has_value());
  cluster.Heal(1);
  EXPECT_TRUE(cluster.AwaitConvergence());
  EXPECT_TRUE(cluster.scheduler.RunUntil([&] { return AllQuiet(cluster); }, seconds(30)));
}

TEST(QuietTest, RestartedLeaderIsNotWaitedFor) {
  TestCluster cluster(3, Quiet());
  BeginQuiet(cluster);
  cluster.node(1).Stop();
  cluster.node(1).Start();
  ASSERT_TRUE(cluster.scheduler.RunUntil([&] { return cluster.Leader() != 0; }, seconds(5)));
  EXPECT_TRUE(cluster.scheduler.RunUntil([&] { return AllQuiet(cluster); }, seconds(30)));
  EXPECT_EQ(cluster.Leader(), 1u) << "leadership went back before all was quiet";
}

TEST(QuietTest, RestartedFollowerHearsOfItsLeader) {
  TestCluster cluster(3, Quiet());
  BeginQuiet(cluster);
  const uint64_t term = cluster.Status(1, false).at(0).term();
  cluster.node(3).Stop();
  cluster.scheduler.RunFor(seconds(100));
  EXPECT_TRUE(IsQuiet(cluster, 1));
  cluster.node(3).Start();
  ASSERT_TRUE(cluster.scheduler.RunUntil(
      [&] { return cluster.node(3).host->LeaderOf(GroupId(TestCluster::kGroup)) == 1; },
      seconds(5)));
  EXPECT_EQ(cluster.Status(1, false).at(0).term(), term) << "no election for that";
}

// The node of the leader lives, but its replica is gone, so that no message to it wakes anything.
// Its digest tells.
TEST(QuietTest, heartbeat_for_unknown_group) {
  TestCluster cluster(3, Quiet());
  BeginQuiet(cluster);
  cluster.node(1).SetReplicas({});
  const MonotonicTime removed = cluster.scheduler.Now();
  EXPECT_NE(NewLeader(cluster), 0u);
  EXPECT_LT(cluster.scheduler.Now() - removed, seconds(5));
  // What the new leader says to the replica that is not there does no harm, nor keeps it from
  // serving.
  const auto read = cluster.Await(cluster.Get(NewLeader(cluster), "k"));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->value, "v");
}

// Thousands of groups lose their leader at one moment. They campaign one after the other.
TEST(QuietTest, campaign_storm_is_spread) {
  constexpr uint64_t kGroups = 200;
  TestCluster cluster(3, Quiet());
  for (uint64_t node = 1; node <= 3; ++node) {
    std::vector<ReplicaSpec> specs;
    for (uint64_t group = 1; group <= kGroups; ++group) {
      specs.push_back(cluster.SpecOf(node, 1000 * group));
      specs.back().group = GroupId(group);
    }
    cluster.node(node).SetReplicas(specs);
  }
  ASSERT_TRUE(cluster.scheduler.RunUntil(
      [&] {
        const auto leaders = cluster.node(3).host->Leaders();
        return leaders.size() == kGroups && AllQuiet(cluster);
      },
      seconds(20)));
  // Campaigns of one group count once: the first one.
  std::map<uint64_t, MonotonicTime> first;
  cluster.on_message = [&](const internal::v1::RaftMessage& message) {
    if (message.has_pre_vote_request()) {
      first.try_emplace(message.group_id(), cluster.scheduler.Now());
    }
  };
  cluster.node(1).Stop();
  cluster.scheduler.RunFor(seconds(10));
  EXPECT_EQ(first.size(), kGroups);
  std::map<int64_t, size_t> windows;
  for (const auto& [group, when] : first) {
    ++windows[std::chrono::duration_cast<milliseconds>(when.time_since_epoch()).count() / 50];
  }
  for (const auto& [window, campaigns] : windows) {
    EXPECT_LT(campaigns, kGroups / 3) << "in 50 ms";
  }
  EXPECT_EQ(cluster.node(2).host->Leaders().size(), kGroups);
}

TEST(QuietLedgerTest, DigestsAreEqualForEqualSetsOnly) {
  QuietLedger led;
  QuietLedger followed;
  for (uint64_t group = 1; group <= 3; ++group) led.Add(2, {GroupId(group), 7});
  for (uint64_t group = 3; group >= 1; --group) followed.Add(2, {GroupId(group), 7});
  EXPECT_EQ(led.Digest(2), followed.Digest(2));
  EXPECT_EQ(led.Digest(2).groups, 3u);
  led.Remove(2, {GroupId(3), 7});
  EXPECT_NE(led.Digest(2), followed.Digest(2));
  led.Add(2, {GroupId(3), 8});
  EXPECT_NE(led.Digest(2), followed.Digest(2)) << "another term";
  led.Remove(2, {GroupId(3), 7});
  EXPECT_EQ(led.Digest(2).groups, 3u) << "what is not there is not removed";
  EXPECT_TRUE(led.Holds(2, {GroupId(3), 8}));
  EXPECT_FALSE(led.Holds(2, {GroupId(3), 7}));
  EXPECT_FALSE(led.Holds(1, {GroupId(3), 8}));
  EXPECT_THAT(led.Nodes(), ElementsAre(2));
  for (const QuietGroup& group : led.List(2)) led.Remove(2, group);
  EXPECT_EQ(led.Digest(2), QuietDigest());
  EXPECT_THAT(led.Nodes(), IsEmpty());
}

}  // namespace
}  // namespace quorate
