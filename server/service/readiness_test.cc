#include "server/service/readiness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "server/cluster/cluster_view.h"
#include "tests/fakes/fake_replica_host.h"

namespace quorate {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

class ManualClock final : public Clock {
 public:
  [[nodiscard]] MonotonicTime Now() const override { return now; }
  [[nodiscard]] WallMicros WallNow() const override { return 0; }
  MonotonicTime now{seconds(100)};
};

// A node with three partitions.
class ReadinessTest : public testing::Test {
 protected:
  ReadinessTest() {
    internal::v1::ClusterState state;
    state.set_epoch(3);
    state.add_nodes()->mutable_node()->set_node_id(1);
    kv::v1::Keyspace* keyspace = state.add_keyspaces();
    keyspace->set_keyspace_id(5);
    keyspace->set_name("orders");
    for (uint32_t i = 0; i < 3; ++i) {
      kv::v1::PartitionPlacement* placement = keyspace->add_partitions();
      placement->set_partition(i);
      placement->set_group_id(10 + i);
      auto* replica = placement->add_replicas();
      replica->set_node_id(1);
      replica->set_incarnation(20 + i);
    }
    context_.clock = &clock_;
    context_.host = &host_;
    context_.view = &view_;
    view_.Set(std::make_shared<const ClusterView>(state, 1));
    SetLeaders(2, 2, 2);
  }

  void SetLeaders(uint64_t first, uint64_t second, uint64_t third) {
    host_.leaders.clear();
    host_.figures.replicas.clear();
    uint64_t group = 10;
    for (const uint64_t leader : {first, second, third}) {
      host_.leaders[GroupId(group)] = leader;
      host_.figures.replicas.push_back({.group = GroupId(group++), .leader_node = leader});
    }
  }
  // What the node says after asking again and again for so long.
  NodeReadiness After(seconds time) {
    NodeReadiness readiness;
    for (const MonotonicTime end = clock_.now + time; clock_.now < end; clock_.now += seconds(1)) {
      readiness = readiness_.Get();
    }
    return readiness_.Get();
  }

  ManualClock clock_;
  fakes::FakeReplicaHost host_{1};
  PublishedView view_;
  ServiceContext context_;
  Readiness readiness_{&context_};
};

TEST_F(ReadinessTest, WaitsForEveryLeaderOnce) {
  SetLeaders(2, 0, 2);
  EXPECT_THAT(readiness_.Get().Reason(), HasSubstr("1 of 3 replicas"));
  SetLeaders(2, 1, 2);
  EXPECT_TRUE(readiness_.Get().ready());
  SetLeaders(2, 0, 2);
  EXPECT_TRUE(After(seconds(60)).ready()) << "one partition without a leader says so itself";
}

TEST_F(ReadinessTest, LosesContactWhenMostLeadersAreUnknownForLong) {
  EXPECT_TRUE(After(seconds(5)).ready());
  SetLeaders(0, 0, 2);
  EXPECT_TRUE(After(seconds(8)).ready()) << "an election";
  const NodeReadiness lost = After(seconds(5));
  ASSERT_EQ(lost.causes.size(), 1);
  EXPECT_THAT(lost.causes[0].what, HasSubstr("lost contact"));
  EXPECT_THAT(lost.causes[0].fix, HasSubstr("kvctl status"));
  EXPECT_TRUE(readiness_.Health().ready()) << "a restart would mend nothing";
  SetLeaders(1, 1, 2);
  EXPECT_TRUE(After(seconds(2)).ready());
  SetLeaders(0, 0, 2);
  EXPECT_TRUE(After(seconds(8)).ready()) << "the time is counted anew";
}

TEST_F(ReadinessTest, QuarantinedReplicasAreNoLossOfContact) {
  EXPECT_TRUE(readiness_.Get().ready());
  SetLeaders(0, 0, 2);
  host_.figures.replicas[0].quarantined = true;
  host_.figures.replicas[1].quarantined = true;
  EXPECT_TRUE(After(seconds(60)).ready());
}

TEST_F(ReadinessTest, PoisonedStoreIsUnhealthyToo) {
  EXPECT_TRUE(readiness_.Get().ready());
  readiness_.SetPoisoned(absl::UnavailableError("disk full"));
  EXPECT_TRUE(readiness_.poisoned());
  for (const NodeReadiness& answer : {readiness_.Get(), readiness_.Health()}) {
    ASSERT_EQ(answer.causes.size(), 1);
    EXPECT_THAT(answer.causes[0].what, HasSubstr("disk full"));
    EXPECT_THAT(answer.causes[0].fix, HasSubstr("restart"));
  }
  // A restart would meet the damage again.
  readiness_.SetPoisoned(absl::DataLossError("block checksum mismatch in 000008.sst"));
  EXPECT_THAT(readiness_.Get().causes[0].what, HasSubstr("000008.sst"));
  EXPECT_THAT(readiness_.Get().causes[0].fix, HasSubstr("drain"));
}

}  // namespace
}  // namespace quorate
