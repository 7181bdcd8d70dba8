// Nodes that come back: interrupted in the middle of it again and again, or to find that they were
// given up meanwhile.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "tests/sim/cluster/whole_nodes.h"

namespace quorate::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr char kRejoinKeyspace[] = "rejoin";

class RejoinTest : public testing::Test, protected WholeNodes {
 protected:
  RejoinTest(uint64_t seed, uint32_t nodes) : WholeNodes(seed, nodes) { Found(kRejoinKeyspace, 2); }

  void Write(const std::string& key, const std::string& value) {
    const auto written = WholeNodes::Write(kRejoinKeyspace, key, value);
    ASSERT_TRUE(written.ok()) << key << ": " << written.status;
    written_[key] = value;
  }
  void ExpectAllThere() {
    for (const auto& [key, value] : written_) {
      const auto read = Read(kRejoinKeyspace, key);
      ASSERT_TRUE(read.ok()) << key << ": " << read.status;
      EXPECT_EQ(read.value, value) << key;
    }
  }
  std::vector<client::ReplicaStatus> ReplicasOn(uint32_t machine) {
    return WholeNodes::ReplicasOn(machine, kRejoinKeyspace);
  }

  std::map<std::string, std::string> written_;
};

// Method: node 2 is one of the two that have acknowledged the last writes. Both lose power, the
// other one for long. Node 2 starts and loses power at the first change of its disk, then at the
// second, and so on, until it comes through whole. Oracle: each start gets on or is cut short, and
// none is refused; in the end node 2 and the one that lacks those writes serve them all.
class CrashDuringRecoveryTest : public RejoinTest, public testing::WithParamInterface<uint64_t> {
 protected:
  CrashDuringRecoveryTest() : RejoinTest(GetParam(), 3) {}

  // Whether the crash came before all was at rest.
  bool StartAndCrashAt(uint64_t step) {
    cluster_.machine(2).Restart();
    cluster_.machine(2).ArmCrashAtDiskOperation(step);
    const absl::Status started = cluster_.Start(2);
    EXPECT_TRUE(started.ok()) << "step " << step << ": " << started;
    scheduler_.SetAfterEvent([this] { cluster_.CollectArmedCrashes(); });
    scheduler_.RunFor(milliseconds(300));
    scheduler_.SetAfterEvent(nullptr);
    return !cluster_.IsRunning(2);
  }
};

TEST_P(CrashDuringRecoveryTest, crash_during_recovery) {
  for (int i = 0; i < 20; ++i) Write("old" + std::to_string(i), std::string(100, 'o'));
  cluster_.Crash(3, CrashKind::kPowerLoss);
  for (int i = 0; i < 20; ++i) Write("new" + std::to_string(i), std::string(100, 'n'));
  cluster_.Crash(1, CrashKind::kPowerLoss);
  cluster_.Crash(2, CrashKind::kPowerLossWorst);
  uint64_t step = 1;
  while (step < 500 && StartAndCrashAt(step) && !HasFailure()) ++step;
  EXPECT_GT(step, 20u) << "the recovery changed next to nothing";
  ASSERT_TRUE(cluster_.IsRunning(2)) << step;
  cluster_.machine(2).disk().DisarmCrash();
  ASSERT_TRUE(cluster_.Start(3).ok());
  ExpectAllThere();
  ASSERT_TRUE(cluster_.Start(1).ok());
  Write("last", "l");
  scheduler_.RunFor(seconds(5));
  std::map<uint64_t, uint64_t> checksums;
  for (const uint32_t node : {1, 2, 3}) {
    for (const client::ReplicaStatus& replica : ReplicasOn(node)) {
      EXPECT_EQ(replica.fault, "") << node;
      EXPECT_EQ(checksums.emplace(replica.group_id, replica.checksum).first->second,
                replica.checksum)
          << node;
    }
  }
  EXPECT_EQ(checksums.size(), 2u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, CrashDuringRecoveryTest, testing::Values(1, 2));

// Method: a replica's node is down, or cut off, while the replica is moved to another one. Oracle:
// back again, it gives the replica up by itself within 10 s, and the group does not notice: its
// leader and term stay.
class ZombieTest : public RejoinTest {
 protected:
  explicit ZombieTest(uint32_t nodes = 4) : RejoinTest(1, nodes) { Write("k", "v"); }

  client::Partition Placement() {
    const auto answer = Await<client::ClusterStateResult>(
        [&](auto done) { client_.core().GetClusterState({}, done); });
    EXPECT_TRUE(answer.ok()) << answer.status;
    for (const client::KeyspaceInfo& keyspace : answer.state.keyspaces) {
      if (keyspace.name == kRejoinKeyspace) return keyspace.partitions.at(0);
    }
    return {};
  }
  static bool Holds(const client::Partition& partition, uint64_t node) {
    return std::any_of(partition.replicas.begin(), partition.replicas.end(),
                       [&](const client::ReplicaRef& each) { return each.node_id == node; });
  }
  // A node with a replica that follows, and the one without.
  void Choose() {
    const client::Partition partition = Placement();
    group_ = partition.group_id;
    const uint64_t leader = cluster_.node(1)->replica_host()->Leaders()[GroupId(group_)];
    for (uint32_t node = 1; node <= cluster_.size(); ++node) {
      ids_[node] = cluster_.node(node)->identity().node_id;
      if (!Holds(partition, ids_[node])) {
        other_ = node;
      } else if (node != 1 && ids_[node] != leader) {
        zombie_ = node;
      }
    }
    ASSERT_TRUE(zombie_ != 0 && other_ != 0);
  }
  void MoveAway() { Move(zombie_, other_); }
  void Move(uint32_t from, uint32_t to) {
    const auto moved = Await<client::MovePartitionResult>([&](auto done) {
      client_.core().MovePartition({.keyspace = kRejoinKeyspace,
                                    .partition = 0,
                                    .from_node = ids_[from],
                                    .to_node = ids_[to]},
                                   false, {}, done);
    });
    ASSERT_TRUE(moved.ok()) << moved.status;
    for (int i = 0; i < 100 && (Holds(Placement(), ids_[from]) || !Placement().coming.empty());
         ++i) {
      scheduler_.RunFor(milliseconds(200));
    }
    ASSERT_FALSE(Holds(Placement(), ids_[from]));
  }
  [[nodiscard]] bool HasReplica(uint32_t node) {
    const auto replicas = ReplicasOn(node);
    return std::any_of(replicas.begin(), replicas.end(),
                       [&](const client::ReplicaStatus& each) { return each.group_id == group_; });
  }
  // (leader, term) as the newcomer sees it.
  std::pair<uint64_t, uint64_t> Leadership() {
    for (const client::ReplicaStatus& each : ReplicasOn(other_)) {
      if (each.group_id == group_) return {each.leader_node, each.term};
    }
    return {};
  }
  void ExpectGivenUp(const std::pair<uint64_t, uint64_t>& leadership) {
    bool has_it = true;
    for (int i = 0; i < 50 && has_it; ++i) {
      scheduler_.RunFor(milliseconds(200));
      has_it = HasReplica(zombie_);
    }
    EXPECT_FALSE(has_it) << "it does not know";
    EXPECT_EQ(Leadership(), leadership) << "it disturbed the group";
    ExpectAllThere();
  }

  uint64_t group_ = 0;
  std::map<uint32_t, uint64_t> ids_;  // of nodes, by machine
  uint32_t zombie_ = 0;               // machines
  uint32_t other_ = 0;
};

TEST_F(ZombieTest, zombie_replica_learns_it_was_removed) {
  Choose();
  cluster_.Crash(zombie_, CrashKind::kPowerLoss);
  MoveAway();
  const auto leadership = Leadership();
  ASSERT_TRUE(cluster_.Start(zombie_).ok());
  ExpectGivenUp(leadership);
}

TEST_F(ZombieTest, OneThatRanAllTheTimeLearnsItToo) {
  Choose();
  ASSERT_TRUE(cluster_.Inject({.kind = FaultKind::kIsolate, .node = zombie_}).ok());
  MoveAway();
  const auto leadership = Leadership();
  EXPECT_TRUE(HasReplica(zombie_)) << "who told it?";
  ASSERT_TRUE(cluster_.HealAll().ok());
  ExpectGivenUp(leadership);
}

// Method: a replica's node is down while both other replicas are moved, and then the nodes that had
// them are: its log names voters of whom nobody knows any more where they are. Oracle: back again,
// it makes a majority with one of the new ones and elects.
class LeftBehindTest : public ZombieTest {
 protected:
  LeftBehindTest() : ZombieTest(5) {}

  client::ReplicaStatus StatusThere() {
    for (client::ReplicaStatus& each : ReplicasOn(zombie_)) {
      if (each.group_id == group_) return std::move(each);
    }
    return {};
  }
};

TEST_F(LeftBehindTest, ItAsksTheMembersThatThereAreNow) {
  Choose();
  std::vector<uint32_t> leaving;
  std::vector<uint32_t> coming;
  for (uint32_t node = 1; node <= cluster_.size(); ++node) {
    if (node != zombie_) (Holds(Placement(), ids_[node]) ? leaving : coming).push_back(node);
  }
  ASSERT_EQ(leaving.size(), coming.size());
  cluster_.Crash(zombie_, CrashKind::kPowerLoss);
  for (size_t i = 0; i < leaving.size(); ++i) Move(leaving[i], coming[i]);
  for (const uint32_t node : leaving) cluster_.Crash(node, CrashKind::kPowerLoss);
  ASSERT_TRUE(cluster_.Start(zombie_).ok());
  scheduler_.RunFor(seconds(5));
  const client::ReplicaStatus before = StatusThere();
  const auto leader = std::find_if(coming.begin(), coming.end(),
                                   [&](uint32_t node) { return ids_[node] == before.leader_node; });
  ASSERT_NE(leader, coming.end()) << before.fault;
  cluster_.Crash(*leader, CrashKind::kPowerLoss);
  client::ReplicaStatus after;
  for (int i = 0; i < 50 && after.applied_index <= before.applied_index; ++i) {
    scheduler_.RunFor(milliseconds(200));
    after = StatusThere();
  }
  EXPECT_GT(after.term, before.term);
  EXPECT_GT(after.applied_index, before.applied_index) << "nobody was elected";
}

}  // namespace
}  // namespace quorate::sim
