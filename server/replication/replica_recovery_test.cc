// What a replica finds when it starts: stores that do not fit each other.
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/replication/testing/test_cluster.h"
#include "server/storage/data_store.h"

namespace quorate::testing {
namespace {

using ::testing::ElementsAre;
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
  // Node 3, stopped, has all data and the log of five writes ago.
  void RollLogBack() {
    Write(5);
    node().Stop();
    const auto before = node().CopyLog();
    node().Start();
    Write(5);
    ASSERT_TRUE(cluster_.AwaitConvergence());
    node().Stop();
    node().RestoreLog(before);
  }
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
  RollLogBack();
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

// Method: one record of node 3's log is damaged while it is down; then all nodes are told of the
// placements that build it anew, as the cluster layer does.
class RebuildTest : public ReplicaRecoveryTest {
 protected:
  static constexpr ReplicaId kOld{103};
  static constexpr ReplicaId kNew{203};

  void Place(bool moving, uint64_t epoch) {
    for (uint64_t node = 1; node <= 3; ++node) {
      ReplicaSpec spec = cluster_.SpecOf(node);
      spec.members[2].first = kNew;
      if (moving) {
        spec.members.emplace_back(kOld, 3);
      }
      spec.self = node == 3 ? kNew : spec.self;
      spec.joined = {kNew};
      spec.founding = node != 3 && moving;
      spec.target_voters = {ReplicaId(101), ReplicaId(102), kNew};
      spec.moving = moving;
      spec.placement_epoch = epoch;
      cluster_.node(node).SetReplicas({spec});
    }
  }
  std::vector<ReplicaId> Stored() { return node().data->ListReplicas().value(); }
};

TEST_F(RebuildTest, OldDataStaysUntilTheNewReplicaIsAVoter) {
  Write(20);
  ASSERT_TRUE(cluster_.AwaitConvergence());
  node().Stop();
  node().DamageLogEntry(GroupId(TestCluster::kGroup), raft::LogIndex(10));
  EXPECT_THAT(FaultAfterStart(), HasSubstr("damaged log entry 10"));
  EXPECT_THAT(node().host->Damaged(), ElementsAre(DamagedReplica{.replica = kOld, .silent = true}));
  Write(20);

  Place(/*moving=*/true, 2);
  ASSERT_TRUE(cluster_.scheduler.RunUntil([&] { return cluster_.node(1).settled_epoch == 2; }));
  EXPECT_THAT(node().host->Damaged(), ElementsAre());
  EXPECT_THAT(Stored(), ElementsAre(kOld, kNew));
  node().Stop();
  node().Start();
  cluster_.scheduler.RunFor(std::chrono::seconds(1));
  EXPECT_THAT(Stored(), ElementsAre(kOld, kNew)) << "a restart in the middle removes nothing";

  Place(/*moving=*/false, 3);
  EXPECT_TRUE(cluster_.scheduler.RunUntil([&] { return Stored().size() == 1; }));
  EXPECT_THAT(Stored(), ElementsAre(kNew));
  Write(5);
  ASSERT_TRUE(cluster_.AwaitConvergence());
  EXPECT_EQ(cluster_.Status(3, true).at(0).checksum(), cluster_.Status(1, true).at(0).checksum());
  // It makes a majority with either of the others.
  cluster_.Isolate(2);
  Write(5);
}

TEST_F(RebuildTest, WhatIsLeftOverIsRemovedAtTheNextStart) {
  Write(5);
  ASSERT_TRUE(cluster_.AwaitConvergence());
  node().Stop();
  node().DamageLogEntry(GroupId(TestCluster::kGroup), raft::LogIndex(2));
  node().Start();
  Place(/*moving=*/true, 2);
  ASSERT_TRUE(cluster_.scheduler.RunUntil([&] { return cluster_.node(1).settled_epoch == 2; }));
  // It learns of the end of the move only by its next start.
  node().Stop();
  node().Start();
  Place(/*moving=*/false, 3);
  node().Stop();
  node().Start();
  EXPECT_TRUE(cluster_.scheduler.RunUntil([&] { return Stored().size() == 1; }));
  EXPECT_THAT(Stored(), ElementsAre(kNew));
}

// Method: in each replica's data another value is damaged, at rest. Oracle: every value is read in
// the end, since two replicas have it; none is ever read as something else; and nobody is silent.
TEST_F(ReplicaRecoveryTest, all_replicas_damaged_in_different_places) {
  const auto key_of = [](uint64_t node) { return "key" + std::to_string(node); };
  for (uint64_t id = 1; id <= 3; ++id) {
    ASSERT_TRUE(cluster_.Await(cluster_.Put(1, {.key = key_of(id), .value = key_of(id)})).ok());
  }
  ASSERT_TRUE(cluster_.AwaitConvergence());
  for (uint64_t id = 1; id <= 3; ++id) {
    ASSERT_TRUE(cluster_.node(id).data->Flush().ok());
  }
  for (uint64_t id = 1; id <= 3; ++id) {
    cluster_.node(id).Stop();
    cluster_.node(id).DamageValue(ReplicaId(100 + id), key_of(id));
  }
  for (uint64_t id = 1; id <= 3; ++id) {
    cluster_.node(id).Start();
  }
  uint64_t refused = 0;
  for (uint64_t id = 1; id <= 3; ++id) {
    bool found = false;
    for (int i = 0; i < 100 && !found; ++i) {
      // One more round than there are leaders to ask would do, if none were in between.
      const auto answer = cluster_.Await(cluster_.Get(cluster_.AwaitLeader(), key_of(id)));
      found = answer.ok();
      refused += found ? 0 : 1;
      if (found) {
        EXPECT_EQ(answer->value, key_of(id));
      } else {
        cluster_.scheduler.RunFor(std::chrono::milliseconds(200));
      }
    }
    EXPECT_TRUE(found) << key_of(id);
  }
  EXPECT_GT(refused, 0u);
  for (uint64_t id = 1; id <= 3; ++id) {
    for (const DamagedReplica& damaged : cluster_.node(id).host->Damaged()) {
      EXPECT_FALSE(damaged.silent);
    }
    EXPECT_THAT(cluster_.Status(id, true).at(0).fault(), HasSubstr("checksum"));
  }
}

// Method: a value of the leader's is damaged. Oracle: it is refused once, and then another leads.
TEST_F(ReplicaRecoveryTest, ALeaderThatCannotReadItsDataHandsOver) {
  Write(3);
  ASSERT_TRUE(cluster_.AwaitConvergence());
  ASSERT_TRUE(cluster_.node(1).data->Flush().ok());
  cluster_.node(1).Stop();
  cluster_.node(1).DamageValue(ReplicaId(101), "key2");
  cluster_.node(1).Start();
  ASSERT_TRUE(cluster_.scheduler.RunUntil([&] { return cluster_.Leader() == 1; }))
      << "where leadership is wanted";
  EXPECT_FALSE(cluster_.Await(cluster_.Get(1, "key2")).ok());
  EXPECT_THAT(cluster_.node(1).host->Damaged(),
              ElementsAre(DamagedReplica{.replica = ReplicaId(101), .silent = false}));
  const uint64_t leader = cluster_.AwaitLeader(1);
  ASSERT_NE(leader, 0u);
  EXPECT_EQ(cluster_.Await(cluster_.Get(leader, "key2"))->value, std::string(1000, 'v'));

  // It is where leadership is wanted, and gets it back, but less and less often.
  uint64_t refused = 0;
  for (int i = 0; i < 600; ++i) {
    cluster_.scheduler.RunFor(std::chrono::milliseconds(500));
    refused += cluster_.Leader() == 1 && !cluster_.Await(cluster_.Get(1, "key2")).ok() ? 1 : 0;
  }
  EXPECT_GT(refused, 0u);
  EXPECT_LT(refused, 8u);
}

// Method: a power loss took the end of node 3's log, whose entries its data has.
class BufferedRecoveryTest : public ReplicaRecoveryTest {
 protected:
  void Begin(bool buffered) {
    for (uint64_t node = 1; node <= 3; ++node) {
      ReplicaSpec spec = cluster_.SpecOf(node);
      spec.buffered = buffered;
      cluster_.node(node).SetReplicas({spec});
    }
    RollLogBack();
  }
};

TEST_F(BufferedRecoveryTest, LogThatLostItsEndBeginsAnewBehindTheData) {
  Begin(/*buffered=*/true);
  node().power_losses = 1;
  EXPECT_EQ(FaultAfterStart(), "");
  Write(5);
  EXPECT_TRUE(cluster_.AwaitConvergence());
  EXPECT_EQ(cluster_.Status(3, true).at(0).checksum(), cluster_.Status(1, true).at(0).checksum());
}

// Else it would be counted as a voter where another is to be built anew.
TEST_F(BufferedRecoveryTest, NotAllHaveStartedUntilTheLastIsCured) {
  Begin(/*buffered=*/true);
  node().power_losses = 1;
  cluster_.node(1).Stop();
  cluster_.node(2).Stop();
  EXPECT_EQ(FaultAfterStart(), "");
  cluster_.scheduler.RunFor(std::chrono::seconds(5));
  EXPECT_FALSE(node().host->AllStarted());
  EXPECT_TRUE(node().host->Figures().replicas.at(0).returning);
  cluster_.node(1).Start();
  cluster_.node(2).Start();
  EXPECT_TRUE(cluster_.AwaitConvergence());
  cluster_.scheduler.RunFor(std::chrono::seconds(5));
  EXPECT_TRUE(node().host->AllStarted());
  EXPECT_FALSE(node().host->Figures().replicas.at(0).returning);
}

TEST_F(BufferedRecoveryTest, LogThatLostItsEndWithoutALossOfPowerIsQuarantined) {
  Begin(/*buffered=*/true);
  EXPECT_THAT(FaultAfterStart(), HasSubstr("the log went back"));
}

TEST_F(BufferedRecoveryTest, SyncedLogThatLostItsEndIsQuarantined) {
  Begin(/*buffered=*/false);
  node().power_losses = 1;
  EXPECT_THAT(FaultAfterStart(), HasSubstr("the log went back"));
}

}  // namespace
}  // namespace quorate::testing
