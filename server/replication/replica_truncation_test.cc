// What whole hosts cut off their logs, and what holds them back.
#include <string>

#include "gtest/gtest.h"
#include "raft/log_storage.h"
#include "raft/raft_node.h"
#include "server/replication/testing/test_cluster.h"

namespace quorate::testing {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

ReplicaHost::Options LogsKeptShort() {
  ReplicaHost::Options options;
  options.log_keep_bytes = 16 << 10;
  options.log_age_max = minutes(1);
  return options;
}

class ReplicaTruncationTest : public ::testing::Test {
 protected:
  ReplicaTruncationTest() : cluster_(3, LogsKeptShort()) { cluster_.Begin(); }

  void Write(int count) {
    for (int i = 0; i < count; ++i) {
      const auto put = cluster_.Put(1, {.key = "k", .value = std::string(1000, 'v')});
      ASSERT_TRUE(cluster_.Await(put).ok());
    }
  }
  // Behind this entry the log begins.
  [[nodiscard]] uint64_t Begin(uint64_t node) {
    uint64_t index = 0;
    cluster_.node(node).host->Inspect(
        [&](const ReplicaSpec&, const raft::RaftNode&, const raft::LogStorage& log) {
          index = log.CompactedIndex().value();
        });
    return index;
  }
  // What the leader knows of a follower.
  [[nodiscard]] raft::FollowerProgress Follower(uint64_t node) {
    raft::FollowerProgress found;
    cluster_.node(1).host->Inspect(
        [&](const ReplicaSpec&, const raft::RaftNode& leader, const auto&) {
          for (const raft::FollowerProgress& follower : leader.Status().followers) {
            if (follower.replica == ReplicaId(100 + node)) found = follower;
          }
        });
    return found;
  }

  TestCluster cluster_;
};

// Method: the disk of a follower hangs, so it is heard of and acknowledges nothing, while more is
// written than logs keep. Oracle: the other follower cuts its log, the leader does not, before the
// slow one has got it all.
TEST_F(ReplicaTruncationTest, AFollowerInSightHoldsTheLeadersLog) {
  Write(3);
  ASSERT_TRUE(cluster_.AwaitConvergence());
  cluster_.node(3).log_loop->Pause();
  Write(60);
  ASSERT_TRUE(cluster_.scheduler.RunUntil([&] { return Begin(2) > 10; }));
  cluster_.scheduler.RunFor(seconds(5));
  ASSERT_TRUE(Follower(3).recently_active);
  const uint64_t acknowledged = Follower(3).match.value();
  ASSERT_LT(acknowledged, 10u);
  EXPECT_LE(Begin(1), acknowledged);
  cluster_.node(3).log_loop->Resume();
  EXPECT_TRUE(cluster_.scheduler.RunUntil([&] { return Begin(1) > 10; }));
}

// A log that is far below the bound on its size.
TEST_F(ReplicaTruncationTest, WhatIsOldGoes) {
  Write(3);
  ASSERT_TRUE(cluster_.AwaitConvergence());
  for (uint64_t node = 1; node <= 3; ++node) {
    ASSERT_TRUE(cluster_.node(node).data->Flush().ok());
  }
  cluster_.scheduler.RunFor(seconds(55));
  for (uint64_t node = 1; node <= 3; ++node) {
    EXPECT_EQ(Begin(node), 0u) << node;
  }
  cluster_.scheduler.RunFor(seconds(15));
  for (uint64_t node = 1; node <= 3; ++node) {
    EXPECT_GE(Begin(node), 4u) << node;
  }
}

}  // namespace
}  // namespace quorate::testing
