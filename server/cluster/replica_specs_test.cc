#include "server/cluster/replica_specs.h"

#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace quorate {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

// One replica: its node, its incarnation (ten times the node), and whether it came by a move.
using Replica = std::pair<uint64_t, bool>;

void Fill(google::protobuf::RepeatedPtrField<kv::v1::ReplicaRef>* list,
          const std::vector<Replica>& replicas) {
  for (const auto& [node, joined] : replicas) {
    kv::v1::ReplicaRef* replica = list->Add();
    replica->set_node_id(node);
    replica->set_incarnation(10 * node);
    replica->set_joined(joined);
  }
}

internal::v1::ClusterState State(const std::vector<Replica>& replicas,
                                 const std::vector<Replica>& coming) {
  internal::v1::ClusterState state;
  kv::v1::Keyspace* keyspace = state.add_keyspaces();
  keyspace->mutable_policy()->set_replicas(3);
  kv::v1::PartitionPlacement* placement = keyspace->add_partitions();
  placement->set_group_id(7);
  placement->set_epoch(5);
  Fill(placement->mutable_replicas(), replicas);
  Fill(placement->mutable_coming(), coming);
  return state;
}

constexpr Replica kOne{1, false};
constexpr Replica kTwo{2, false};
constexpr Replica kThree{3, false};
constexpr Replica kFour{4, true};

TEST(ReplicaSpecsTest, AtRestTheTargetIsWhatThereIs) {
  const auto specs = SpecsOf(State({kOne, kTwo, kThree}, {}), 2);
  ASSERT_EQ(specs.size(), 1u);
  EXPECT_EQ(specs[0].self, ReplicaId(20));
  EXPECT_TRUE(specs[0].founding);
  EXPECT_FALSE(specs[0].moving);
  EXPECT_THAT(specs[0].FirstVoters(), ElementsAre(ReplicaId(10), ReplicaId(20), ReplicaId(30)));
  EXPECT_EQ(specs[0].target_voters, specs[0].FirstVoters());
  EXPECT_THAT(SpecsOf(State({kOne, kTwo, kThree}, {}), 4), IsEmpty());
}

TEST(ReplicaSpecsTest, SaysWhatTheKeyspaceDoesWithoutFsync) {
  auto state = State({kOne, kTwo, kThree}, {});
  EXPECT_FALSE(SpecsOf(state, 1).at(0).buffered);
  state.mutable_keyspaces(0)->mutable_policy()->set_durability(kv::v1::DURABILITY_BUFFERED);
  EXPECT_TRUE(SpecsOf(state, 1).at(0).buffered);
}

TEST(ReplicaSpecsTest, DuringMoveBothSidesHoldReplicasAndLeadershipIsWantedWhereItGoes) {
  const auto state = State({kOne, kTwo, kThree}, {kFour, kTwo, kThree});
  const auto leaving = SpecsOf(state, 1);
  const auto coming = SpecsOf(state, 4);
  ASSERT_EQ(leaving.size(), 1u);
  ASSERT_EQ(coming.size(), 1u);
  EXPECT_THAT(leaving[0].members, ElementsAre(Pair(ReplicaId(40), 4), Pair(ReplicaId(20), 2),
                                              Pair(ReplicaId(30), 3), Pair(ReplicaId(10), 1)));
  EXPECT_EQ(leaving[0].members, coming[0].members);
  EXPECT_THAT(coming[0].target_voters, ElementsAre(ReplicaId(20), ReplicaId(30), ReplicaId(40)));
  EXPECT_EQ(coming[0].placement_epoch, 5u);
  EXPECT_TRUE(leaving[0].moving && coming[0].moving);
  // The one that leaves may not have begun yet: it still knows how the group began.
  EXPECT_THAT(leaving[0].FirstVoters(), ElementsAre(ReplicaId(10), ReplicaId(20), ReplicaId(30)));
  EXPECT_THAT(coming[0].FirstVoters(), IsEmpty());
}

// Two founders that never began, of whose group the third is gone, must not begin it anew.
TEST(ReplicaSpecsTest, WithoutAllFoundersNobodyBeginsTheGroup) {
  const auto state = State({kFour, kTwo, kThree}, {});
  for (const uint64_t node : {2, 3, 4}) {
    const auto specs = SpecsOf(state, node);
    ASSERT_EQ(specs.size(), 1u);
    EXPECT_FALSE(specs[0].founding);
    EXPECT_THAT(specs[0].FirstVoters(), IsEmpty());
  }
}

TEST(ReplicaSpecsTest, MetaGroupBeginsWithItsFounderAlone) {
  internal::v1::ClusterState state;
  Fill(state.mutable_meta_replicas(), {kOne});
  Fill(state.mutable_meta_coming(), {kOne, {2, true}, {3, true}});
  const auto founder = SpecsOf(state, 1);
  const auto joiner = SpecsOf(state, 3);
  ASSERT_EQ(founder.size(), 1u);
  ASSERT_EQ(joiner.size(), 1u);
  EXPECT_THAT(founder[0].FirstVoters(), ElementsAre(ReplicaId(10)));
  EXPECT_THAT(founder[0].target_voters, ElementsAre(ReplicaId(10), ReplicaId(20), ReplicaId(30)));
  EXPECT_THAT(joiner[0].FirstVoters(), IsEmpty());
}

}  // namespace
}  // namespace quorate
