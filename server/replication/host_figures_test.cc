// What a host tells of its replicas and of single requests.
#include <algorithm>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/replication/testing/test_cluster.h"

namespace quorate {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using testing::TestCluster;

internal::v1::Command PutCommand() {
  internal::v1::Command command;
  command.mutable_put()->set_key("k");
  command.mutable_put()->set_value("v");
  return command;
}

// A write at node 1 under a trace; true once it is answered.
std::shared_ptr<bool> TracedWrite(TestCluster& cluster, RequestTrace* trace, Duration timeout) {
  auto answered = std::make_shared<bool>(false);
  cluster.node(1).host->Write(GroupId(TestCluster::kGroup), PutCommand(),
                              {.deadline = cluster.scheduler.Now() + timeout, .trace = trace},
                              [answered](const auto&) { *answered = true; });
  return answered;
}

ReplicaFigures FiguresOf(TestCluster& cluster, uint64_t node) {
  // Long enough for figures to be published anew.
  cluster.scheduler.RunFor(seconds(2));
  const HostFigures figures = cluster.node(node).host->Figures();
  EXPECT_EQ(figures.replicas.size(), 1);
  return figures.replicas.at(0);
}

TEST(HostFiguresTest, WriteIsTracedThroughItsStages) {
  TestCluster cluster(3);
  cluster.Begin();
  RequestTrace trace;
  const auto answered = TracedWrite(cluster, &trace, seconds(5));
  ASSERT_TRUE(cluster.scheduler.RunUntil([&] { return *answered; }));
  const auto handed_over = trace.stages.At(RequestStage::kHandedOver);
  const auto taken = trace.stages.At(RequestStage::kTaken);
  const auto committed = trace.stages.At(RequestStage::kCommitted);
  ASSERT_TRUE(handed_over && taken && committed);
  EXPECT_LE(*handed_over, *taken);
  EXPECT_LE(*taken, *committed);
  EXPECT_LE(*committed, cluster.scheduler.Now());
  EXPECT_TRUE(trace.stages.At(RequestStage::kDurable));
}

TEST(HostFiguresTest, WriteThatFindsNoMajorityHasNoCommit) {
  TestCluster cluster(3);
  cluster.Begin();
  cluster.Isolate(2);
  cluster.Isolate(3);
  RequestTrace trace;
  const auto answered = TracedWrite(cluster, &trace, milliseconds(200));
  ASSERT_TRUE(cluster.scheduler.RunUntil([&] { return *answered; }));
  EXPECT_TRUE(trace.stages.At(RequestStage::kTaken));
  EXPECT_TRUE(trace.stages.At(RequestStage::kDurable)) << "its own log had it";
  EXPECT_FALSE(trace.stages.At(RequestStage::kCommitted));
}

TEST(HostFiguresTest, TellsRolesTermsAndLags) {
  TestCluster cluster(3);
  cluster.Begin();
  cluster.Isolate(3);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(cluster.Await(cluster.Put(1, {.key = "k", .value = "v"})).ok());
  }
  const ReplicaFigures leader = FiguresOf(cluster, 1);
  EXPECT_EQ(leader.role, kv::v1::REPLICA_ROLE_LEADER);
  EXPECT_EQ(leader.leader_node, 1);
  EXPECT_GE(leader.term, 1);
  EXPECT_GE(leader.follower_lag, 20) << "node 3 lacks them";
  EXPECT_EQ(leader.apply_lag, 0);
  EXPECT_EQ(leader.commit_lag, 0);
  EXPECT_EQ(leader.open_writes, 0);
  EXPECT_GT(leader.log_bytes, 0);
  EXPECT_FALSE(leader.quarantined);
  EXPECT_EQ(FiguresOf(cluster, 2).role, kv::v1::REPLICA_ROLE_FOLLOWER);
  EXPECT_EQ(FiguresOf(cluster, 3).leader_node, 0) << "it is cut off";
  cluster.Heal(3);
  ASSERT_TRUE(cluster.AwaitConvergence());
  EXPECT_EQ(FiguresOf(cluster, cluster.AwaitLeader()).follower_lag, 0);
}

TEST(HostFiguresTest, CountsWritesReadsAndElections) {
  TestCluster cluster(1);
  cluster.Begin();
  ASSERT_TRUE(cluster.Await(cluster.Put(1, {.key = "k", .value = "v"})).ok());
  Counter& by_lease =
      cluster.node(1)
          .metrics
          ->CounterFamily({.name = "quorate_reads_total", .help = "", .labels = {"served_by"}})
          .With({"lease"});
  const uint64_t before = by_lease.value();
  ASSERT_TRUE(cluster.node(1).host->TryLeaseGet(GroupId(TestCluster::kGroup), "k").has_value());
  EXPECT_EQ(by_lease.value(), before + 1);
  const std::string told = cluster.node(1).metrics->Expose();
  for (const char* line :
       {"quorate_raft_campaigns_total{kind=\"vote\"} 1\n", "quorate_raft_leader_changes_total 1\n",
        "quorate_write_stage_duration_seconds_count{stage=\"apply\"} 1\n",
        "quorate_write_stage_duration_seconds_count{stage=\"log\"} 1\n"}) {
    EXPECT_THAT(told, HasSubstr(line));
  }
  EXPECT_THAT(told, ::testing::Not(HasSubstr("quorate_log_writer_batch_entries_count 0\n")));
}

}  // namespace
}  // namespace quorate
