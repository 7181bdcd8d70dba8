// A replica whose disk does not hold what it promised is built anew from its peers, on whole nodes.
#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "server/storage/key_format.h"
#include "tests/sim/cluster/rebuild_nodes.h"

namespace quorate::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Method: three nodes with acknowledged writes; while one is down, one record in its stores is
// changed, so that our checksums fail and RocksDB's do not. Oracle: without anything being done
// every partition has three voters again, one of another incarnation; all replicas have the same
// content; and each acknowledged write is read, also with another node gone.
class RebuildTest : public testing::TestWithParam<uint64_t>, protected RebuildNodes {
 protected:
  RebuildTest() : RebuildNodes(GetParam()) {}

  // Stops the node, lets `damage` have one of its stores, and starts it.
  template <class Damage>
  void DamageAtRest(uint32_t node, const std::string& store, const Damage& damage) {
    cluster_.Crash(node, CrashKind::kProcess);
    SimRuntime& machine = cluster_.machine(node);
    machine.Restart();
    rocksdb::Options options;
    ApplySimOptions(&options, machine.runtime().env);
    rocksdb::DB* opened = nullptr;
    const rocksdb::Status status =
        rocksdb::DB::Open(options, machine.data_directory() + "/" + store, &opened);
    ASSERT_TRUE(status.ok()) << status.ToString();
    damage(*opened);
    rocksdb::FlushOptions flush;
    ASSERT_TRUE(opened->Flush(flush).ok());
    delete opened;
    const absl::Status started = cluster_.Start(node);
    ASSERT_TRUE(started.ok()) << started;
  }
  // Stands for a value of which a bit has turned.
  static void AddUnreadableValue(rocksdb::DB& db, ReplicaId replica) {
    ASSERT_TRUE(db.Put({}, RecordKey(replica, RecordKind::kData, "zz"), "no checksum").ok());
  }
  // Turns a bit of the first record at or behind `from`.
  static void TurnABit(rocksdb::DB& db, const std::string& from) {
    const std::unique_ptr<rocksdb::Iterator> at(db.NewIterator({}));
    at->Seek(from);
    ASSERT_TRUE(at->Valid());
    std::string value = at->value().ToString();
    value.back() = static_cast<char>(value.back() ^ 1);
    ASSERT_TRUE(db.Put({}, at->key(), value).ok());
  }

  void ExpectWhole(const std::string& value = "second") {
    EXPECT_TRUE(AwaitAgreement());
    // The new replica makes a majority with either of the others.
    cluster_.Crash(2, CrashKind::kPowerLoss);
    ExpectAll(value);
  }
};

TEST_P(RebuildTest, replica_rebuilt_from_peers) {
  const ReplicaId old = ReplicaOf(0, 3);
  const GroupId group(Placement(0).group_id());
  DamageAtRest(3, "log", [&](rocksdb::DB& db) { TurnABit(db, LogEntryKey(group, {})); });
  WriteAll("second");
  ASSERT_TRUE(AwaitRebuilt(0, old));
  ExpectWhole();
}

TEST_P(RebuildTest, AReplicaWithADamagedValueIsRebuiltOnceItIsRead) {
  const ReplicaId old = ReplicaOf(1, 3);
  DamageAtRest(3, "data", [&](rocksdb::DB& db) { AddUnreadableValue(db, old); });
  WriteAll("second");
  Statuses();  // with checksums: reads everything
  ASSERT_TRUE(AwaitRebuilt(1, old));
  ExpectWhole();
}

TEST_P(RebuildTest, TheMetaGroupsReplicaIsRebuiltToo) {
  ReplicaId old;
  for (const auto& replica : State().meta_replicas()) {
    if (replica.node_id() == node_ids_.at(3)) old = ReplicaId(replica.incarnation());
  }
  DamageAtRest(3, "log", [](rocksdb::DB& db) { TurnABit(db, LogEntryKey(GroupId(0), {})); });
  WriteAll("second");
  const auto rebuilt = [&] {
    for (const auto& replica : State().meta_replicas()) {
      if (ReplicaId(replica.incarnation()) == old) return false;
    }
    return State().meta_replicas_size() == 3 && State().meta_coming_size() == 0;
  };
  ASSERT_TRUE(scheduler_.RunUntilTrue(rebuilt, seconds(60)));
  ExpectWhole();
}

// Two values are unreadable, in two replicas of three: both are built anew, one after the other,
// from the third.
TEST_P(RebuildTest, TwoReplicasThatMissAValueEachAreRebuiltInTurn) {
  const std::map<uint32_t, ReplicaId> old = {{2, ReplicaOf(0, 2)}, {3, ReplicaOf(0, 3)}};
  for (const auto& [machine, replica] : old) {
    DamageAtRest(machine, "data", [id = replica](rocksdb::DB& db) { AddUnreadableValue(db, id); });
  }
  WriteAll("second");
  Statuses();
  ASSERT_TRUE(AwaitRebuilt(0, old.at(3)));
  ASSERT_TRUE(scheduler_.RunUntilTrue(
      [&] { return Placement(0).coming_size() == 0 && ReplicaOf(0, 2) != old.at(2); },
      seconds(60)));
  ExpectWhole();
}

// All three logs are damaged, each in another entry: nobody can say what was promised. The
// partition stays down and says so, nothing is taken away from it, and the other one goes on.
TEST_P(RebuildTest, WithoutASoundMajorityNothingIsTouchedOrServed) {
  const GroupId group(Placement(0).group_id());
  const uint64_t epoch = Placement(0).epoch();
  std::set<ReplicaId> replicas;
  for (uint32_t machine = 1; machine <= 3; ++machine) {
    replicas.insert(ReplicaOf(0, machine));
    DamageAtRest(machine, "log", [&](rocksdb::DB& db) {
      TurnABit(db, LogEntryKey(group, raft::LogIndex(machine)));
    });
  }
  scheduler_.RunFor(seconds(30));
  EXPECT_EQ(Placement(0).epoch(), epoch);
  int faults = 0;
  for (const auto& [machine, statuses] : Statuses()) {
    for (const auto& status : statuses) {
      faults += status.fault().empty() ? 0 : 1;
      EXPECT_EQ(status.fault().empty(), status.group_id() != group.value());
    }
  }
  EXPECT_EQ(faults, 3);
  std::set<std::string> answered;
  for (int key = 0; key < kRebuiltKeys; ++key) {
    const client::GetResult read = Read(kRebuiltKeyspace, KeyOf(key), seconds(1));
    if (!read.ok()) continue;
    EXPECT_EQ(read.value, ValueOf("first", key));
    answered.insert(read.value);
  }
  EXPECT_GT(answered.size(), 0u);
  EXPECT_LT(answered.size(), static_cast<size_t>(kRebuiltKeys));
  for (uint32_t machine = 1; machine <= 3; ++machine) {
    EXPECT_TRUE(replicas.contains(ReplicaOf(0, machine)));
  }
}

// Method: node 3's folder is copied while it runs, all write on, and then node 2 stands still while
// nodes 1 and 3 acknowledge writes. Node 3 gets the copy back, or is left with nothing, and node 1
// is down: node 2 and the copy are a majority that knows nothing of those writes, but node 2 has
// seen what node 3's log had come to.
class RollbackTest : public RebuildTest {
 protected:
  using Files = std::map<std::string, std::string>;

  // Whether a read then gets an older value.
  bool ReadsStaleAfterRollback(const std::string& last = "third") {
    const Files copy = CopyFolder(3);
    WriteAll("before " + last);
    scheduler_.RunFor(seconds(2));
    return ReadsStaleWith(copy, last);
  }
  bool ReadsStaleWith(const Files& copy, const std::string& last) {
    cluster_.machine(2).Pause();
    WriteAll(last);
    cluster_.Crash(3, CrashKind::kProcess);
    cluster_.machine(3).Restart();
    RestoreFolder(3, copy);
    cluster_.Crash(1, CrashKind::kPowerLoss);
    cluster_.machine(2).Resume();
    EXPECT_TRUE(cluster_.Start(3).ok());
    bool stale = false;
    for (int key = 0; key < kRebuiltKeys; ++key) {
      const client::GetResult read = Read(kRebuiltKeyspace, KeyOf(key), seconds(2));
      stale |= read.ok() && read.value != ValueOf(last, key);
    }
    return stale;
  }

 private:
  std::vector<std::string> FilesOf(uint32_t machine) {
    std::vector<std::string> paths;
    for (const char* store : {"log", "data"}) {
      const std::string folder = cluster_.machine(machine).data_directory() + "/" + store;
      std::vector<std::string> names;
      EXPECT_TRUE(Env(machine)->GetChildren(folder, &names).ok());
      for (const std::string& name : names) {
        if (name != "LOCK" && name != "." && name != "..") paths.push_back(folder + "/" + name);
      }
    }
    return paths;
  }
  rocksdb::Env* Env(uint32_t machine) { return cluster_.machine(machine).runtime().env; }
  Files CopyFolder(uint32_t machine) {
    Files files;
    for (const std::string& path : FilesOf(machine)) {
      EXPECT_TRUE(rocksdb::ReadFileToString(Env(machine), path, &files[path]).ok()) << path;
    }
    return files;
  }
  void RestoreFolder(uint32_t machine, const Files& files) {
    for (const std::string& path : FilesOf(machine)) {
      EXPECT_TRUE(Env(machine)->DeleteFile(path).ok());
    }
    for (const auto& [path, content] : files) {
      EXPECT_TRUE(rocksdb::WriteStringToFile(Env(machine), content, path, true).ok());
    }
  }
};

TEST_P(RollbackTest, rolled_back_disk_neither_votes_nor_acknowledges) {
  const ReplicaId old = ReplicaOf(0, 3);
  EXPECT_FALSE(ReadsStaleAfterRollback());
  ASSERT_TRUE(cluster_.Start(1).ok());
  ExpectAll("third");
  ASSERT_TRUE(AwaitRebuilt(0, old));
  // It is through with that once and for all.
  cluster_.Crash(3, CrashKind::kPowerLoss);
  ASSERT_TRUE(cluster_.Start(3).ok());
  ExpectWhole("third");
}

TEST_P(RollbackTest, WithoutTheQuestionAcknowledgedWritesAreLost) {
  cluster_.replication().held_at_start = false;
  EXPECT_TRUE(ReadsStaleAfterRollback());
}

// An empty disk makes another node of the machine, which holds nothing until the lost one is
// drained, and then replicas of its own.
TEST_P(RollbackTest, wiped_voter_returns_only_as_new_learner) {
  std::map<uint32_t, ReplicaId> old;
  for (uint32_t partition = 0; partition < kRebuiltPartitions; ++partition) {
    old[partition] = ReplicaOf(partition, 3);
  }
  EXPECT_FALSE(ReadsStaleWith({}, "third"));
  ASSERT_TRUE(cluster_.Start(1).ok());
  ExpectAll("third");
  const uint64_t lost = node_ids_.at(3);
  ASSERT_TRUE(scheduler_.RunUntilTrue([&] { return cluster_.node(3)->identity().node_id > lost; },
                                      seconds(30)));
  EXPECT_EQ(Statuses()[3].size(), 0u);

  const auto drained = Await<client::DrainNodeResult>(
      [&](auto done) { client_.core().DrainNode(lost, false, {}, done); });
  ASSERT_TRUE(drained.ok()) << drained.status;
  node_ids_[3] = cluster_.node(3)->identity().node_id;
  for (uint32_t partition = 0; partition < kRebuiltPartitions; ++partition) {
    ASSERT_TRUE(scheduler_.RunUntilTrue(
        [&] {
          return Placement(partition).coming_size() == 0 &&
                 ReplicaOf(partition, 3) > old.at(partition);
        },
        seconds(60)));
  }
  ExpectWhole("third");
}

// The disk goes back a second time, to a moment after the first loss was dealt with. What the node
// wrote since must be missed although its log had come further once.
TEST_P(RollbackTest, ALogGoesOnAboveWhatPeersRemember) {
  const std::map<uint32_t, ReplicaId> old = {{0, ReplicaOf(0, 3)}, {1, ReplicaOf(1, 3)}};
  EXPECT_FALSE(ReadsStaleAfterRollback());
  ASSERT_TRUE(cluster_.Start(1).ok());
  ASSERT_TRUE(AwaitRebuilt(0, old.at(0)));
  ASSERT_TRUE(AwaitRebuilt(1, old.at(1)));
  scheduler_.RunFor(seconds(10));
  EXPECT_FALSE(ReadsStaleAfterRollback("fourth"));
  ASSERT_TRUE(cluster_.Start(1).ok());
  ExpectAll("fourth");
}

// All nodes start at once, and nobody remembers anything: they believe each other.
TEST_P(RollbackTest, AWholeClusterComesBackByItself) {
  CrashAll(CrashKind::kPowerLoss);
  for (uint32_t machine = 1; machine <= 3; ++machine) {
    ASSERT_TRUE(cluster_.Start(machine).ok());
    scheduler_.RunFor(milliseconds(300));
  }
  scheduler_.RunFor(seconds(3));
  ExpectAll("first");
}

INSTANTIATE_TEST_SUITE_P(Seeds, RollbackTest, testing::Range<uint64_t>(1, 4));
INSTANTIATE_TEST_SUITE_P(Seeds, RebuildTest, testing::Range<uint64_t>(1, 4));

}  // namespace
}  // namespace quorate::sim
