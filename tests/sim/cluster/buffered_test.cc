// Keyspaces with durability = buffered on whole nodes: what they promise when processes die and
// machines lose power, and that the promise ends where it says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "raft/raft_node.h"
#include "server/storage/log_writer.h"
#include "tests/sim/checkers/linearizability.h"
#include "tests/sim/cluster/raft_observer.h"
#include "tests/sim/cluster/register_workload.h"
#include "tests/sim/cluster/whole_nodes.h"

namespace quorate::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr char kBufferedKeyspace[] = "buffered";
constexpr char kSyncedKeyspace[] = "synced";
constexpr uint32_t kMachines = 3;

class BufferedTest : public testing::TestWithParam<uint64_t>, protected WholeNodes {
 protected:
  BufferedTest() : WholeNodes(GetParam(), kMachines) {
    Found(kBufferedKeyspace, 1, client::Durability::kBuffered);
    CreateKeyspace(kSyncedKeyspace, 1);
  }

  // All of them anew; each is acknowledged.
  void WriteAll(const std::string& keyspace, const std::string& value) {
    WriteKeys(keyspace, kKeys, value);
  }
  void ExpectAll(const std::string& keyspace, const std::string& value) {
    ExpectKeys(keyspace, kKeys, value);
  }

  // How many replicas of the buffered keyspace return from a power loss, as they know themselves.
  int Returning() {
    int returning = 0;
    ForEachReplica([&](uint32_t /*machine*/, const raft::RaftNode& replica) {
      returning += replica.returning() ? 1 : 0;
    });
    return returning;
  }
  // Of the buffered keyspace, that run.
  uint32_t Replicas() {
    uint32_t replicas = 0;
    ForEachReplica([&](uint32_t /*machine*/, const raft::RaftNode& /*replica*/) { ++replicas; });
    return replicas;
  }
  // Until nothing is fsynced for other reasons than writes: groups have leaders, where they are
  // wanted.
  void Settle() { scheduler_.RunFor(seconds(5)); }
  // Of the replica there.
  raft::LogIndex LogEnd(uint32_t machine) {
    raft::LogIndex end;
    ForEachReplica([&](uint32_t each, const raft::RaftNode& replica) {
      if (each == machine) end = replica.Status().last_index;
    });
    return end;
  }
  // The machine of its leader; 0: none.
  uint32_t Leader() {
    uint32_t leader = 0;
    ForEachReplica([&](uint32_t machine, const raft::RaftNode& replica) {
      if (replica.role() == raft::Role::kLeader) leader = machine;
    });
    return leader;
  }
  template <class See>
  void ForEachReplica(const See& see) {
    for (uint32_t machine = 1; machine <= kMachines; ++machine) {
      if (!cluster_.IsRunning(machine)) continue;
      cluster_.node(machine)->replica_host()->Inspect([&](const ReplicaSpec& spec,
                                                          const raft::RaftNode& replica,
                                                          const raft::LogStorage& /*log*/) {
        if (spec.keyspace == kBufferedKeyspace) see(machine, replica);
      });
    }
  }
  void ExpectEqualReplicas() {
    scheduler_.RunFor(seconds(2));
    std::map<uint64_t, int> checksums;
    for (uint32_t machine = 1; machine <= kMachines; ++machine) {
      for (const client::ReplicaStatus& replica : ReplicasOn(machine, kBufferedKeyspace)) {
        EXPECT_EQ(replica.fault, "") << machine;
        ++checksums[replica.checksum];
      }
    }
    EXPECT_EQ(checksums.size(), 1u);
  }
  static RegisterWorkloadOptions OnBuffered() {
    RegisterWorkloadOptions options;
    options.keyspace = kBufferedKeyspace;
    return options;
  }
  // In the end, and with a last look at every key.
  void ExpectLinearizable(RegisterWorkload* workload) {
    workload->Stop();
    EXPECT_TRUE(scheduler_.RunUntilTrue([&] { return workload->Idle(); }, seconds(10)));
    workload->ReadAll();
    EXPECT_TRUE(scheduler_.RunUntilTrue([&] { return workload->Idle(); }, seconds(10)));
    const LinearizabilityResult result = CheckLinearizability(workload->history());
    EXPECT_TRUE(result.ok) << result.explanation;
  }
  uint64_t Syncs() {
    uint64_t syncs = 0;
    for (uint32_t machine = 1; machine <= kMachines; ++machine) {
      syncs += cluster_.machine(machine).disk().counts().syncs;
    }
    return syncs;
  }
  // Returns what a client is told.
  std::string ExpectNothingServed() {
    const auto written = Write(kBufferedKeyspace, "k0", "late", seconds(2));
    EXPECT_EQ(written.outcome, client::Outcome::kNotDone) << written.status;
    EXPECT_EQ(written.reason, client::Reason::kCannotServe) << written.status;
    EXPECT_FALSE(Read(kBufferedKeyspace, "k0", seconds(2)).ok());
    EXPECT_EQ(Leader(), 0u);
    return written.status.ToString();
  }

  static constexpr int kKeys = 20;
};

// Method: all processes die at once, again and again, right after writes were acknowledged. Oracle:
// all of them are there, and no replica takes itself for one that lost something.
TEST_P(BufferedTest, ProcessCrashOfAllNodesLosesNothing) {
  for (int round = 0; round < 4; ++round) {
    const std::string value = "round " + std::to_string(round);
    WriteAll(kBufferedKeyspace, value);
    CrashAll(CrashKind::kProcess);
    StartAll();
    ExpectAll(kBufferedKeyspace, value);
    EXPECT_EQ(Returning(), 0);
  }
}

// The point of it all; and the others still do.
TEST_P(BufferedTest, WritesCostNoFsync) {
  WriteAll(kBufferedKeyspace, "before");  // leaders are elected, and known
  WriteAll(kSyncedKeyspace, "before");
  const uint64_t before = Syncs();
  WriteAll(kBufferedKeyspace, "v");
  const uint64_t buffered = Syncs() - before;
  WriteAll(kSyncedKeyspace, "v");
  const uint64_t synced = Syncs() - before - buffered;
  EXPECT_LT(buffered, kKeys / 4);
  EXPECT_GE(synced, kKeys * 2u);
}

// Method: a follower loses power, with all that is not on its disk: right after a write, and as
// long after as the bound says and the disk may take. It starts where nobody can give it anything.
// Oracle: the first time its log lacks something, and the second time nothing.
TEST_P(BufferedTest, WritesAreOnTheDiskASecondLater) {
  cluster_.replication().held_at_start = false;
  for (const bool waits : {false, true}) {
    Settle();
    WriteAll(kBufferedKeyspace, "v");
    const uint32_t loser = Leader() % kMachines + 1;
    if (waits) scheduler_.RunFor(LogWriter::kUnsyncedMax + milliseconds(2));
    const raft::LogIndex written = LogEnd(loser);
    cluster_.Crash(loser, CrashKind::kPowerLossWorst);
    ASSERT_TRUE(cluster_.Inject({.kind = FaultKind::kIsolate, .node = loser}).ok());
    ASSERT_TRUE(cluster_.Start(loser).ok());
    scheduler_.RunFor(milliseconds(100));
    EXPECT_EQ(LogEnd(loser) == written, waits) << LogEnd(loser).value();
    ASSERT_TRUE(cluster_.Inject({.kind = FaultKind::kHeal}).ok());
    ASSERT_TRUE(scheduler_.RunUntilTrue([&] { return Returning() == 0; }, seconds(10)));
  }
}

// Nobody writes any more, so nobody is told but the operator.
TEST_P(BufferedTest, ASyncThatFailsBehindTheBackIsNoticed) {
  Settle();
  WriteAll(kBufferedKeyspace, "v");
  const uint32_t follower = Leader() % kMachines + 1;
  cluster_.machine(follower).disk().FailSyncs(1);
  EXPECT_TRUE(scheduler_.RunUntilTrue(
      [&] { return !cluster_.node(follower)->health().causes.empty(); }, seconds(2)));
  ExpectAll(kBufferedKeyspace, "v");
}

// Method: a follower acknowledges writes that the other one does not get, and loses all of them, or
// may have. Then the leader stands still: the two that are left, a majority, lack them. Oracle:
// they serve nothing, until the leader is back; then all writes are there and the follower is
// cured.
class LostWritesTest : public BufferedTest {
 protected:
  // `lose(follower)` ends its process.
  template <class Lose>
  void ExpectNotOutvoted(const Lose& lose) {
    WriteAll(kBufferedKeyspace, "old");
    const uint32_t leader = Leader();
    ASSERT_NE(leader, 0u);
    const uint32_t loser = leader % kMachines + 1;
    const uint32_t lagging = loser % kMachines + 1;
    ASSERT_TRUE(cluster_.Inject({.kind = FaultKind::kIsolate, .node = lagging}).ok());
    Settle();
    WriteAll(kBufferedKeyspace, "new");
    lose(loser);
    cluster_.machine(leader).Pause();
    network_.HealAll();
    ASSERT_TRUE(cluster_.Start(loser).ok());
    scheduler_.RunFor(seconds(10));
    EXPECT_EQ(Returning(), 1);
    EXPECT_EQ(Leader(), leader);  // which knows of nothing
    cluster_.machine(leader).Resume();
    ExpectAll(kBufferedKeyspace, "new");
    EXPECT_TRUE(scheduler_.RunUntilTrue([&] { return Returning() == 0; }, seconds(10)));
  }
};

TEST_P(LostWritesTest, LostWritesAreNotOutvoted) {
  ExpectNotOutvoted([this](uint32_t loser) {
    cluster_.Crash(loser, CrashKind::kPowerLossWorst);
    ASSERT_GT(cluster_.machine(loser).disk().counts().bytes_lost, 0u);
  });
}

// The machine goes on, so the boot id is the same.
TEST_P(LostWritesTest, failed_fsync_counts_as_power_loss) {
  ExpectNotOutvoted([this](uint32_t loser) {
    cluster_.machine(loser).disk().FailSyncs(1);
    ASSERT_TRUE(scheduler_.RunUntilTrue(
        [&] { return !cluster_.node(loser)->health().causes.empty(); }, seconds(2)));
    cluster_.Crash(loser, CrashKind::kProcess);
  });
}

INSTANTIATE_TEST_SUITE_P(Seeds, LostWritesTest, testing::Range<uint64_t>(1, 4));

// Method: all nodes are stopped cleanly while clients write on, and then all machines lose power.
// Oracle: what the clients saw is linearizable, and no replica takes itself for one that lost
// something.
TEST_P(BufferedTest, PowerLossAfterACleanStopLosesNothing) {
  RegisterWorkload workload(&scheduler_, &network_, &cluster_, OnBuffered());
  workload.Begin();
  scheduler_.RunFor(seconds(1));
  for (uint32_t machine = 1; machine <= kMachines; ++machine) {
    cluster_.Stop(machine, CrashKind::kPowerLossWorst);
  }
  EXPECT_TRUE(scheduler_.RunUntilTrue([&] { return cluster_.counts().clean_stops == kMachines; },
                                      seconds(10)));
  StartAll();
  scheduler_.RunFor(seconds(2));
  EXPECT_EQ(Returning(), 0);
  ExpectLinearizable(&workload);
  EXPECT_GT(workload.counts().ok, 100u);
}

TEST_P(BufferedTest, MajorityWithoutItsWritesServesNothingMeanwhile) {
  WriteAll(kBufferedKeyspace, "v");
  const uint32_t leader = Leader();
  ASSERT_NE(leader, 0u);
  const uint32_t loser = leader % kMachines + 1;
  cluster_.Crash(loser, CrashKind::kPowerLossWorst);
  cluster_.Crash(leader, CrashKind::kProcess);
  ASSERT_TRUE(cluster_.Start(loser).ok());
  scheduler_.RunFor(seconds(5));
  ExpectNothingServed();
  ASSERT_TRUE(cluster_.Start(leader).ok());
  ExpectAll(kBufferedKeyspace, "v");
}

// Method: two or all of three machines lose power at once. Oracle: the partition stays down, and
// its replicas say why; the keyspace beside it, whose writes are synced, has all of them.
TEST_P(BufferedTest, PowerLossOfAMajorityStaysDown) {
  WriteAll(kBufferedKeyspace, "v");
  WriteAll(kSyncedKeyspace, "v");
  const uint32_t survivor = GetParam() % 2 == 0 ? Leader() % kMachines + 1 : 0;  // a follower
  CrashAll(CrashKind::kPowerLossWorst, survivor);
  StartAll();
  ExpectAll(kSyncedKeyspace, "v");
  scheduler_.RunFor(seconds(20));
  EXPECT_EQ(Returning(), survivor == 0 ? 3 : 2);
  const std::string answer = ExpectNothingServed();
  if (survivor == 0) {
    EXPECT_THAT(answer, testing::HasSubstr("lost power"));
  }
  int told = 0;
  for (uint32_t machine = 1; machine <= kMachines; ++machine) {
    for (const client::ReplicaStatus& replica : ReplicasOn(machine, kBufferedKeyspace)) {
      EXPECT_EQ(replica.fault, "");
      told += replica.returning ? 1 : 0;
    }
  }
  EXPECT_EQ(told, Returning());
}

// Method: one machine after the other loses power, at a random moment or in the middle of a random
// change of its disk, the next one when the one before is whole again. Oracle: what the clients saw
// is linearizable, each machine comes back whole, and in the end all replicas are equal.
TEST_P(BufferedTest, OneMachineAfterTheOtherLosesPower) {
  RegisterWorkload workload(&scheduler_, &network_, &cluster_, OnBuffered());
  SeededRandom random = scheduler_.ForkRandom();
  workload.Begin();
  RaftObserver observer(&cluster_);
  scheduler_.SetAfterEvent([&] {
    cluster_.CollectArmedCrashes();
    observer.AfterEvent();
  });
  uint64_t returned = 0;
  for (int round = 0; round < 8; ++round) {
    scheduler_.RunFor(UniformDuration(random, milliseconds(100), milliseconds(1500)));
    const auto machine = static_cast<uint32_t>(1 + UniformBelow(random, kMachines));
    if (Chance(random, 0.5)) {
      cluster_.machine(machine).ArmCrashAtDiskOperation(1 + UniformBelow(random, 100));
      scheduler_.RunFor(seconds(1));
    }
    cluster_.Crash(machine, CrashKind::kPowerLoss);
    scheduler_.RunFor(UniformDuration(random, milliseconds(1), milliseconds(2000)));
    const absl::Status started = cluster_.Start(machine);
    ASSERT_TRUE(started.ok()) << "round " << round << ": " << started;
    scheduler_.RunFor(milliseconds(20));
    returned += static_cast<uint64_t>(Returning());
    ASSERT_TRUE(scheduler_.RunUntilTrue([&] { return Replicas() == kMachines && Returning() == 0; },
                                        seconds(20)))
        << "round " << round << ": machine " << machine << " is not cured";
  }
  ExpectLinearizable(&workload);
  scheduler_.SetAfterEvent(nullptr);
  EXPECT_THAT(observer.violations(), testing::IsEmpty());
  EXPECT_GT(returned, 0u);
  EXPECT_GT(workload.counts().ok, 500u);
  ExpectEqualReplicas();
}

INSTANTIATE_TEST_SUITE_P(Seeds, BufferedTest, testing::Range<uint64_t>(1, 4));

}  // namespace
}  // namespace quorate::sim
