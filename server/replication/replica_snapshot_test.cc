// Followers that are too far behind for the log, through whole hosts.
#include <string>

#include "gtest/gtest.h"
#include "server/replication/testing/test_cluster.h"

namespace quorate::testing {
namespace {

ReplicaHost::Options ShortLogs() {
  ReplicaHost::Options options;
  options.log_keep_bytes = 16 << 10;
  return options;
}

// Method: one node is cut off, or down, while the others write more than their logs keep. Oracle:
// afterwards all replicas have the same data, request memory and rolling hash, and the node says
// that it installed a snapshot.
class ReplicaSnapshotTest : public ::testing::Test {
 protected:
  ReplicaSnapshotTest() : cluster_(3, ShortLogs()) { cluster_.Begin(); }

  void Write(uint64_t to, int count) {
    for (int i = 0; i < count; ++i) {
      ++written_;
      const auto answer = cluster_.Await(
          cluster_.Put(to, {.key = "key" + std::to_string(written_ % 200),
                            .value = std::string(1000, static_cast<char>('a' + written_ % 26)),
                            .id = MakeRequestId('c', static_cast<uint64_t>(written_), 1000)}));
      ASSERT_TRUE(answer.ok()) << answer.status();
    }
  }
  // Until its log no longer holds what was written.
  void AwaitTruncation(uint64_t leader) {
    const uint64_t bound = ShortLogs().log_keep_bytes * 2;
    ASSERT_TRUE(cluster_.scheduler.RunUntil([&] {
      return cluster_.Status(leader, false).at(0).log_bytes() < bound;
    })) << cluster_.Status(leader, false).at(0).log_bytes();
  }
  [[nodiscard]] uint64_t Installed(uint64_t node) {
    return static_cast<uint64_t>(
        cluster_.node(node).metrics->Sum("quorate_snapshots_installed_total"));
  }
  void ExpectAllEqual() {
    ASSERT_TRUE(cluster_.AwaitConvergence());
    const auto first = cluster_.Status(1, true).at(0);
    for (uint64_t node = 2; node <= cluster_.size(); ++node) {
      const auto status = cluster_.Status(node, true).at(0);
      EXPECT_EQ(status.checksum(), first.checksum()) << node;
      EXPECT_EQ(status.applied_hash(), first.applied_hash()) << node;
      EXPECT_EQ(status.fault(), "") << node;
    }
  }

  TestCluster cluster_;
  int written_ = 0;
};

TEST_F(ReplicaSnapshotTest, AFollowerBehindTheLogIsCaughtUp) {
  Write(1, 5);
  cluster_.Isolate(3);
  Write(1, 300);
  AwaitTruncation(1);
  cluster_.Heal(3);
  ExpectAllEqual();
  EXPECT_EQ(Installed(3), 1u);
  EXPECT_EQ(Installed(2), 0u);
  // What follows comes by the log again.
  Write(1, 5);
  ExpectAllEqual();
  EXPECT_EQ(Installed(3), 1u);

  // It can lead from what it got, and knows the writes that were answered before.
  cluster_.Isolate(1);
  const uint64_t leader = cluster_.AwaitLeader(1);
  ASSERT_NE(leader, 0u);
  const auto again = cluster_.Await(cluster_.Put(
      leader, {.key = "key100", .value = "other", .id = MakeRequestId('c', 100, 1000)}));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->repeated);
}

TEST_F(ReplicaSnapshotTest, SurvivesARestartAfterwards) {
  cluster_.node(3).Stop();
  Write(1, 300);
  AwaitTruncation(1);
  cluster_.node(3).Start();
  ExpectAllEqual();
  EXPECT_EQ(Installed(3), 1u);
  cluster_.node(3).Stop();
  cluster_.node(3).Start();
  Write(1, 3);
  ExpectAllEqual();
  EXPECT_EQ(Installed(3), 1u);
}

}  // namespace
}  // namespace quorate::testing
