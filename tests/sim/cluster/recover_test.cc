// Partitions that lost their majority for good, and go on from one replica (RecoverPartition).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "tests/sim/cluster/whole_nodes.h"

namespace quorate::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr char kRecoveredKeyspace[] = "orders";
constexpr int kRecoveredKeys = 40;

class Recovering : protected WholeNodes {
 protected:
  Recovering(uint64_t seed, uint32_t machines) : WholeNodes(seed, machines) {}

  client::KeyspaceInfo Keyspace() {
    const auto answer = Await<client::ClusterStateResult>(
        [&](auto done) { client_.core().GetClusterState({}, done); });
    for (const client::KeyspaceInfo& keyspace : answer.state.keyspaces) {
      if (keyspace.name == kRecoveredKeyspace) return keyspace;
    }
    ADD_FAILURE() << answer.status;
    return {};
  }
  // As its node says; nothing: the machine is off, or holds none.
  std::optional<client::ReplicaStatus> ReplicaOn(uint32_t machine, uint32_t partition) {
    if (!cluster_.IsRunning(machine)) return std::nullopt;
    for (const client::ReplicaStatus& replica : ReplicasOn(machine, kRecoveredKeyspace)) {
      if (replica.partition == partition) return replica;
    }
    return std::nullopt;
  }
  // The machine whose replica's log has the most; 0: none has one.
  uint32_t Fullest(uint32_t partition) {
    uint32_t best = 0;
    std::tuple<uint64_t, uint64_t> most;
    for (uint32_t machine = 1; machine <= cluster_.size(); ++machine) {
      const auto replica = ReplicaOn(machine, partition);
      if (replica && (best == 0 || std::tuple(replica->last_term, replica->last_index) > most)) {
        best = machine;
        most = {replica->last_term, replica->last_index};
      }
    }
    return best;
  }
  client::PartitionRecovery RecoveryFrom(uint32_t machine, uint32_t partition) {
    const auto replica = ReplicaOn(machine, partition);
    const auto answer = Await<client::ListReplicasResult>([&](auto done) {
      client_.core().ListReplicas(SimCluster::AddressOf(machine), kRecoveredKeyspace, false, {},
                                  done);
    });
    return {.keyspace = kRecoveredKeyspace,
            .partition = partition,
            .from_node = answer.node_id,
            .incarnation = replica.value_or(client::ReplicaStatus()).incarnation,
            .accept_loss = true};
  }
  client::RecoverPartitionResult Recover(const client::PartitionRecovery& recovery) {
    return Await<client::RecoverPartitionResult>(
        [&](auto done) { client_.core().RecoverPartition(recovery, {}, done); });
  }
  // All partitions have three replicas again, and no move is open.
  bool AwaitWhole() {
    return scheduler_.RunUntilTrue(
        [&] {
          const auto view = cluster_.node(RunningMachine())->cluster_view();
          for (const kv::v1::Keyspace& keyspace : view->state().keyspaces()) {
            for (const kv::v1::PartitionPlacement& placement : keyspace.partitions()) {
              if (placement.replicas_size() != 3 || placement.coming_size() > 0) return false;
            }
          }
          return true;
        },
        seconds(60));
  }
  uint32_t RunningMachine() {
    uint32_t machine = 1;
    while (!cluster_.IsRunning(machine)) ++machine;
    return machine;
  }
  void ExpectEqualReplicas() {
    scheduler_.RunFor(seconds(2));
    std::map<uint32_t, std::set<uint64_t>> checksums;
    for (uint32_t machine = 1; machine <= cluster_.size(); ++machine) {
      if (!cluster_.IsRunning(machine)) continue;
      for (const client::ReplicaStatus& replica : ReplicasOn(machine, kRecoveredKeyspace)) {
        EXPECT_EQ(replica.fault, "") << machine;
        checksums[replica.partition].insert(replica.checksum);
      }
    }
    for (const auto& [partition, sums] : checksums) EXPECT_EQ(sums.size(), 1u) << partition;
  }
};

class RecoverTest : public testing::TestWithParam<uint64_t>, protected Recovering {
 protected:
  RecoverTest() : Recovering(GetParam(), 5) {}
};

// Method: two of five machines never come back, and with them the majority of some partitions.
// Oracle: those are down until they are recovered; then all that was acknowledged is there, since
// the replicas that are left had heard of it, and each partition has three replicas again.
TEST_P(RecoverTest, TwoOfFiveMachinesAreLost) {
  Found(kRecoveredKeyspace, 8);
  WriteKeys(kRecoveredKeyspace, kRecoveredKeys, "v");
  scheduler_.RunFor(seconds(2));
  cluster_.Crash(4, CrashKind::kPowerLossWorst);
  cluster_.Crash(5, CrashKind::kPowerLossWorst);
  scheduler_.RunFor(seconds(5));
  int recovered = 0;
  for (uint32_t partition = 0; partition < 8; ++partition) {
    int left = 0;
    for (uint32_t machine = 1; machine <= 3; ++machine) {
      left += ReplicaOn(machine, partition).has_value() ? 1 : 0;
    }
    if (left > 1) continue;
    const auto result = Recover(RecoveryFrom(Fullest(partition), partition));
    EXPECT_TRUE(result.ok() && result.changed) << result.status;
    ++recovered;
  }
  EXPECT_GT(recovered, 0) << "the machines held no majority of any partition";
  ExpectKeys(kRecoveredKeyspace, kRecoveredKeys, "v");
  WriteKeys(kRecoveredKeyspace, kRecoveredKeys, "w");
  EXPECT_TRUE(AwaitWhole()) << "made anew from the one";
  // The lost come back after all: what they hold is of no group any more.
  ASSERT_TRUE(cluster_.Start(4).ok());
  ASSERT_TRUE(cluster_.Start(5).ok());
  ExpectKeys(kRecoveredKeyspace, kRecoveredKeys, "w");
  ExpectEqualReplicas();
}

INSTANTIATE_TEST_SUITE_P(Seeds, RecoverTest, testing::Range<uint64_t>(1, 4));

class PowerLossWhileRecovering : protected Recovering {
 public:
  explicit PowerLossWhileRecovering(uint64_t operation)
      : Recovering(operation, 3), operation_(operation) {}

  // True: the survivor's machine lost power after the recovery was asked for.
  bool Run();

 private:
  void LosePower(bool* crashed);

  const uint64_t operation_;
};

bool PowerLossWhileRecovering::Run() {
  bool crashed = false;
  LosePower(&crashed);
  scheduler_.SetAfterEvent(nullptr);
  return crashed;
}

void PowerLossWhileRecovering::LosePower(bool* crashed) {
  Found(kRecoveredKeyspace, 1, client::Durability::kBuffered);
  WriteKeys(kRecoveredKeyspace, kRecoveredKeys, "old");
  // What is flushed or synced along the way is there to stay.
  CreateKeyspace("other", 1);
  CrashAll(CrashKind::kPowerLoss);
  StartAll();
  scheduler_.RunFor(seconds(5));
  EXPECT_FALSE(Read(kRecoveredKeyspace, KeyOf(0), seconds(2)).ok()) << "down until it is recovered";
  const uint32_t survivor = Fullest(0);
  ASSERT_NE(survivor, 0u);
  const client::PartitionRecovery recovery = RecoveryFrom(survivor, 0);
  cluster_.machine(survivor).ArmCrashAtDiskOperation(operation_);
  scheduler_.SetAfterEvent([&] { cluster_.CollectArmedCrashes(); });
  EXPECT_NE(Recover(recovery).outcome, client::Outcome::kNotDone);
  scheduler_.RunFor(seconds(2));
  if (!cluster_.IsRunning(survivor)) {
    ASSERT_TRUE(cluster_.Start(survivor).ok());
    *crashed = true;
    scheduler_.RunFor(seconds(2));
  }
  // Its log was its own already, and it was alone: it may have lost what it had just written.
  if (const auto replica = ReplicaOn(survivor, 0); replica.value().returning) {
    const auto again = Recover(RecoveryFrom(survivor, 0));
    EXPECT_TRUE(again.ok()) << again.status;
  }
  WriteKeys(kRecoveredKeyspace, kRecoveredKeys, "new");
  EXPECT_TRUE(AwaitWhole());
  ExpectKeys(kRecoveredKeyspace, kRecoveredKeys, "new");
  ExpectEqualReplicas();
}

// Method: all machines of a buffered keyspace lose power at once; the partition is recovered, and
// meanwhile the survivor's machine loses power again in the middle of a change of its disk, another
// one in each round. Oracle: a loss after it had begun to serve alone takes the partition down once
// more; else it serves, and three equal replicas come of it.
TEST(RecoverBufferedTest, PowerLossInTheMiddleIsTakenUpAgain) {
  int crashes = 0;
  for (uint64_t operation = 1; operation <= 80; ++operation) {
    SCOPED_TRACE(operation);
    crashes += PowerLossWhileRecovering(operation).Run() ? 1 : 0;
  }
  EXPECT_GT(crashes, 40) << "the situation was hardly reached";
}

}  // namespace
}  // namespace quorate::sim
