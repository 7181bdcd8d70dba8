// A group that lost its majority for good goes on from one of its replicas (take_over.h).
#include <algorithm>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/error_detail.h"
#include "server/replication/testing/test_cluster.h"
#include "server/storage/data_store.h"
#include "server/storage/replica_snapshot.h"
#include "server/storage/staged_snapshot.h"
#include "server/storage/version.h"

namespace quorate::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr uint32_t kEra = 5;

// Method: of three nodes only the first is left, and is told that it is all there is. Oracle: what
// was acknowledged and is in its log is served, in a new era, by a group of new incarnations.
class TakeOverTest : public ::testing::Test {
 protected:
  static constexpr ReplicaId kSurvivor{101};
  static constexpr ReplicaId kAlone{201};

  TakeOverTest() : cluster_(3, ShortLogs()) { cluster_.Begin(); }

  static ReplicaHost::Options ShortLogs() {
    ReplicaHost::Options options;
    options.log_keep_bytes = 16 << 10;
    return options;
  }
  // Nodes 2 and 3 are gone; with them whatever node 1 has not got.
  void LoseMajority() {
    cluster_.node(2).Stop();
    cluster_.node(3).Stop();
  }
  [[nodiscard]] ReplicaSpec AloneSpec() const {
    ReplicaSpec spec = cluster_.SpecOf(1);
    spec.members = {{kAlone, 1}};
    spec.self = kAlone;
    spec.recovered_from = kSurvivor;
    spec.joined = {kAlone};
    spec.founding = false;
    spec.target_voters = {kAlone};
    spec.placement_epoch = 1;
    spec.era = kEra + 1;
    return spec;
  }
  void Recover() { cluster_.node(1).SetReplicas({AloneSpec()}); }
  // Nodes 2 and 3 come back, with new replicas.
  void Fill() {
    for (uint64_t node = 1; node <= 3; ++node) {
      ReplicaSpec spec = AloneSpec();
      spec.members = {{kAlone, 1}, {ReplicaId(202), 2}, {ReplicaId(203), 3}};
      spec.joined = spec.target_voters = {kAlone, ReplicaId(202), ReplicaId(203)};
      spec.self = ReplicaId(200 + node);
      spec.recovered_from = node == 1 ? kSurvivor : ReplicaId();
      spec.moving = true;
      spec.placement_epoch = 2;
      if (!cluster_.node(node).up()) cluster_.node(node).Start();
      cluster_.node(node).SetReplicas({spec});
    }
  }
  void Put(const std::string& key, const std::string& value) {
    const auto answer = cluster_.Await(cluster_.Put(1, {.key = key, .value = value}));
    ASSERT_TRUE(answer.ok()) << answer.status();
  }
  ReadAnswer Get(const std::string& key) {
    const auto answer = cluster_.Await(cluster_.Get(1, key));
    EXPECT_TRUE(answer.ok()) << answer.status();
    return answer.value_or(ReadAnswer());
  }
  static uint32_t EraOf(const ReadAnswer& answer) {
    return Version::FromBytes(answer.version).value_or(Version()).era();
  }
  // Of node 1's replica, once there is one.
  kv::v1::ReplicaStatus Status() {
    std::vector<kv::v1::ReplicaStatus> all;
    cluster_.scheduler.RunUntil([&] {
      all = cluster_.Status(1, false);
      return !all.empty();
    });
    return all.at(0);
  }
  void AwaitAlone() {
    const bool led = cluster_.scheduler.RunUntil([&] {
      const kv::v1::ReplicaStatus status = Status();
      return status.incarnation() == kAlone.value() &&
             (status.role() == kv::v1::REPLICA_ROLE_LEADER || !status.fault().empty());
    });
    EXPECT_TRUE(led && Status().fault().empty()) << Status().fault();
  }

  TestCluster cluster_;
};

TEST_F(TakeOverTest, SurvivorGoesOnWithAllThatItsLogHolds) {
  Put("applied", "old");
  // Only this node has it, and it is not committed: it may have been acknowledged as far as anybody
  // can tell.
  cluster_.Isolate(2);
  cluster_.Isolate(3);
  const auto hanging = cluster_.Put(1, {.key = "in the log", .value = "x"});
  cluster_.scheduler.RunUntil([&] { return Status().last_index() > Status().commit_index(); });
  LoseMajority();
  Recover();
  AwaitAlone();
  EXPECT_EQ(Get("applied").value, "old");
  EXPECT_EQ(EraOf(Get("applied")), kEra);
  EXPECT_EQ(Get("in the log").value, "x");
  EXPECT_EQ(EraOf(Get("in the log")), kEra + 1);
  EXPECT_EQ(OutcomeOf(cluster_.Await(hanging).status()), kv::v1::OUTCOME_UNKNOWN);
  Put("new", "y");
  EXPECT_EQ(EraOf(Get("new")), kEra + 1);
  EXPECT_EQ(Status().incarnation(), kAlone.value());
  EXPECT_THAT(cluster_.node(1).data->ListReplicas().value(), ElementsAre(kAlone));
}

TEST_F(TakeOverTest, RequestsAreRemembered) {
  const kv::v1::RequestId id = MakeRequestId('c', 1, cluster_.node(1).host->ClusterTimeMicros());
  const auto first = cluster_.Await(cluster_.Put(1, {.key = "k", .value = "1", .id = id}));
  ASSERT_TRUE(first.ok());
  LoseMajority();
  Recover();
  AwaitAlone();
  const auto again = cluster_.Await(cluster_.Put(1, {.key = "k", .value = "2", .id = id}));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->repeated);
  EXPECT_EQ(again->result.version(), first->result.version());
  EXPECT_EQ(Get("k").value, "1");
}

TEST_F(TakeOverTest, RestartsGoOnFromThere) {
  Put("k", "1");
  LoseMajority();
  Recover();
  AwaitAlone();
  Put("k", "2");
  for (int round = 0; round < 2; ++round) {
    cluster_.node(1).Stop();
    cluster_.node(1).Start();
    AwaitAlone();
    EXPECT_EQ(Get("k").value, "2");
  }
}

// What is told while the node is down, and where nothing was ever applied.
TEST_F(TakeOverTest, NodeThatWasDownTakesOverAtItsStart) {
  Put("k", "1");
  LoseMajority();
  cluster_.node(1).Stop();
  cluster_.node(1).LoseData();
  cluster_.node(1).Start();
  Recover();
  AwaitAlone();
  EXPECT_EQ(Get("k").value, "1") << "from the log alone";
}

// Method: the first step is done by hand. Oracle: it is done again, and the result is the same.
TEST_F(TakeOverTest, CrashAfterTheCopyIsRepeated) {
  Put("k", "1");
  LoseMajority();
  DataStore& data = *cluster_.node(1).data;
  auto reader = data.ReadReplica(kSurvivor);
  ASSERT_TRUE(reader.ok());
  auto staged = data.StageSnapshot(kAlone);
  ASSERT_TRUE(staged.ok());
  const auto chunk = (*reader)->Next();
  ASSERT_TRUE(chunk.ok() && chunk->last);
  ASSERT_TRUE((*staged)->Add(chunk->content).ok());
  ASSERT_TRUE((*staged)->Finish(chunk->stream_checksum).ok());
  ASSERT_TRUE(data.InstallSnapshot(**staged).ok());
  reader->reset();
  staged->reset();
  cluster_.node(1).Stop();
  cluster_.node(1).Start();
  Recover();
  AwaitAlone();
  EXPECT_EQ(Get("k").value, "1");
  Put("k", "2");
  EXPECT_THAT(cluster_.node(1).data->ListReplicas().value(), ElementsAre(kAlone));
}

TEST_F(TakeOverTest, OthersAreMadeFromItAndAgree) {
  for (int i = 0; i < 60; ++i) Put("key" + std::to_string(i), std::string(1000, 'v'));
  cluster_.Isolate(2);
  cluster_.Isolate(3);
  cluster_.Put(1, {.key = "tail", .value = "x"});
  cluster_.scheduler.RunUntil([&] { return Status().last_index() > Status().commit_index(); });
  LoseMajority();
  cluster_.Heal(2);
  cluster_.Heal(3);
  Recover();
  AwaitAlone();
  Put("after", "y");
  Fill();
  EXPECT_TRUE(cluster_.scheduler.RunUntil([&] { return cluster_.node(1).settled_epoch == 2; }));
  EXPECT_THAT(cluster_.node(1).settled_voters, ElementsAre(kAlone, ReplicaId(202), ReplicaId(203)));
  Put("last", "z");
  ASSERT_TRUE(cluster_.AwaitConvergence());
  const uint64_t sum = cluster_.Status(1, true).at(0).checksum();
  EXPECT_EQ(cluster_.Status(2, true).at(0).checksum(), sum);
  EXPECT_EQ(cluster_.Status(3, true).at(0).checksum(), sum) << "versions are of one era each";
  EXPECT_EQ(cluster_.node(2).metrics->Sum("quorate_snapshots_installed_total"), 1)
      << "nobody applies the old era's entries again";
}

TEST_F(TakeOverTest, DamagedSurvivorIsLeftAsItIs) {
  for (int i = 0; i < 5; ++i) Put("key" + std::to_string(i), "v");
  ASSERT_TRUE(cluster_.AwaitConvergence());
  LoseMajority();
  cluster_.node(1).Stop();
  cluster_.node(1).DamageValue(kSurvivor, "key2");
  cluster_.node(1).Start();
  Recover();
  cluster_.scheduler.RunUntil([&] { return !Status().fault().empty(); });
  EXPECT_THAT(Status().fault(), HasSubstr("damaged value record"));
  EXPECT_THAT(cluster_.node(1).data->ListReplicas().value(), ElementsAre(kSurvivor));
}

// The state named one of which nothing is here.
TEST_F(TakeOverTest, NothingIsNotTakenOver) {
  LoseMajority();
  cluster_.node(1).SetReplicas({});
  cluster_.scheduler.RunUntil([&] { return cluster_.node(1).data->ListReplicas()->empty(); });
  Recover();
  EXPECT_THAT(Status().fault(), HasSubstr("nothing here of incarnation 101"));
}

// Method: its log goes back to before it took over, and its data does not.
TEST_F(TakeOverTest, WhoHasLivedAlreadyDoesNotBeginAgain) {
  Put("k", "1");
  LoseMajority();
  cluster_.node(1).Stop();
  const auto log = cluster_.node(1).CopyLog();
  cluster_.node(1).Start();
  Recover();
  AwaitAlone();
  Put("k", "2");
  cluster_.node(1).Stop();
  cluster_.node(1).RestoreLog(log);
  cluster_.node(1).Start();
  EXPECT_THAT(Status().fault(), HasSubstr("has lived already"));
}

}  // namespace
}  // namespace quorate::testing
