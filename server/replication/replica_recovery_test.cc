// What a replica finds when it starts: stores that do not fit each other.
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/replication/testing/test_cluster.h"

namespace quorate::testing {
namespace {

using ::testing::HasSubstr;

// Method: node 3's log is exchanged, while it is down, for what it was at an earlier time; its data
// stays. Oracle: the replica serves again only if a crash could have left the two like this.
class ReplicaRecoveryTest : public ::testing::Test {
 protected:
  ReplicaRecoveryTest() : cluster_(3, ShortLogs()) { cluster_.Begin(); }

  static ReplicaHost::Options ShortLogs() {
    ReplicaHost::Options options;
    options.log_keep_bytes = 16 << 10;
    return options;
  }
  void Write(int count) {
    for (int i = 0; i < count; ++i) {
      const auto answer = cluster_.Await(cluster_.Put(
          1, {.key = "key" + std::to_string(++written_ % 50), .value = std::string(1000, 'v')}));
      ASSERT_TRUE(answer.ok()) << answer.status();
    }
  }
  // Node 3 was down for longer than the logs reach, and gets a snapshot. Returns its log of before.
  std::map<std::string, std::string> InstallSnapshot() {
    node().Stop();
    auto log = node().CopyLog();
    Write(200);
    EXPECT_TRUE(cluster_.scheduler.RunUntil(
        [&] { return cluster_.Status(1, false).at(0).log_bytes() < uint64_t{32} << 10; }));
    node().Start();
    EXPECT_TRUE(cluster_.AwaitConvergence());
    EXPECT_EQ(node().metrics->Sum("quorate_snapshots_installed_total"), 1);
    return log;
  }
  TestNode& node() { return cluster_.node(3); }
  std::string FaultAfterStart() {
    node().Start();
    EXPECT_TRUE(cluster_.scheduler.RunUntil([&] { return !cluster_.Status(3, false).empty(); }));
    return cluster_.Status(3, false).at(0).fault();
  }

  TestCluster cluster_;
  int written_ = 0;
};

TEST_F(ReplicaRecoveryTest, ACrashBetweenASnapshotsDataAndItsLogIsMended) {
  Write(5);
  const auto before = InstallSnapshot();
  node().Stop();
  node().RestoreLog(before);
  EXPECT_EQ(FaultAfterStart(), "");
  Write(5);
  EXPECT_TRUE(cluster_.AwaitConvergence());
  EXPECT_EQ(cluster_.Status(3, true).at(0).checksum(), cluster_.Status(1, true).at(0).checksum());
}

TEST_F(ReplicaRecoveryTest, rolled_back_log_is_quarantined) {
  Write(5);
  node().Stop();
  const auto before = node().CopyLog();
  node().Start();
  Write(5);
  ASSERT_TRUE(cluster_.AwaitConvergence());
  node().Stop();
  node().RestoreLog(before);
  EXPECT_THAT(FaultAfterStart(), HasSubstr("the log went back"));
  Write(5);  // the others go on
}

TEST_F(ReplicaRecoveryTest, ALogRolledBackBehindASnapshotThatWasFollowedIsQuarantined) {
  Write(5);
  const auto before = InstallSnapshot();
  Write(1);
  ASSERT_TRUE(cluster_.AwaitConvergence());
  node().Stop();
  node().RestoreLog(before);
  EXPECT_THAT(FaultAfterStart(), HasSubstr("the log went back"));
}

}  // namespace
}  // namespace quorate::testing
