#include "server/cluster/cluster_state_moves.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/error_detail.h"
#include "server/cluster/cluster_state.h"
#include "server/cluster/replica_specs.h"

namespace quorate {
namespace {

using internal::v1::ClusterCommand;
using internal::v1::ClusterState;
using kv::v1::PartitionPlacement;
using ::testing::ElementsAre;

constexpr uint64_t kGroup = 1;

// Four nodes, and one keyspace with one partition on nodes 1 to 3.
class ClusterStateMovesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char disk : {'a', 'b', 'c', 'd'}) {
      ClusterCommand command;
      internal::v1::NodeRecord* node = disk == 'a' ? command.mutable_init()->mutable_first_node()
                                                   : command.mutable_upsert_node()->mutable_node();
      *node = Node(disk);
      if (disk == 'a') {
        command.mutable_init()->set_cluster_id(std::string(kIdBytes, 'C'));
        command.mutable_init()->set_meta_incarnation(1);
      }
      ASSERT_TRUE(Apply(command).ok());
    }
    ClusterCommand command;
    command.mutable_create_keyspace()->set_planned_epoch(state_.epoch());
    kv::v1::Keyspace* keyspace = command.mutable_create_keyspace()->mutable_keyspace();
    keyspace->set_name("orders");
    keyspace->mutable_policy()->set_partitions(1);
    keyspace->mutable_policy()->set_replicas(3);
    PartitionPlacement* partition = keyspace->add_partitions();
    for (const uint64_t node : {1, 2, 3}) {
      partition->add_replicas()->set_node_id(node);
    }
    ASSERT_TRUE(Apply(command).ok());
  }

  static internal::v1::NodeRecord Node(char disk) {
    internal::v1::NodeRecord record;
    record.set_disk_id(std::string(kIdBytes, disk));
    record.set_boot(1);
    record.mutable_node()->set_peer_address(std::string(1, disk) + ":1");
    record.mutable_node()->set_weight(1);
    return record;
  }

  // Refused changes leave no trace.
  absl::Status Apply(const ClusterCommand& command) {
    const std::string before = state_.SerializeAsString();
    absl::Status status = ApplyClusterCommand(&state_, command);
    if (!status.ok()) {
      EXPECT_EQ(state_.SerializeAsString(), before);
    }
    return status;
  }

  [[nodiscard]] PartitionPlacement Placement(uint64_t group = kGroup) const {
    return PlacementOf(state_, group).value();
  }

  // Planned on what is now.
  [[nodiscard]] ClusterCommand Begin(const std::vector<uint64_t>& leaving,
                                     const std::vector<uint64_t>& to_nodes,
                                     uint64_t group = kGroup) const {
    ClusterCommand command;
    command.mutable_begin_move()->set_group_id(group);
    for (const uint64_t incarnation : leaving) {
      command.mutable_begin_move()->add_leaving(incarnation);
    }
    for (const uint64_t node : to_nodes) {
      command.mutable_begin_move()->add_to_nodes(node);
    }
    command.mutable_begin_move()->set_placement_epoch(Placement(group).epoch());
    return command;
  }
  [[nodiscard]] ClusterCommand Finish(const std::vector<uint64_t>& voters,
                                      uint64_t group = kGroup) const {
    ClusterCommand command;
    command.mutable_finish_move()->set_group_id(group);
    for (const uint64_t incarnation : voters) {
      command.mutable_finish_move()->add_voters(incarnation);
    }
    command.mutable_finish_move()->set_placement_epoch(Placement(group).epoch());
    return command;
  }
  [[nodiscard]] ClusterCommand Cancel() const {
    ClusterCommand command;
    command.mutable_cancel_move()->set_group_id(kGroup);
    command.mutable_cancel_move()->set_placement_epoch(Placement().epoch());
    return command;
  }
  [[nodiscard]] ClusterCommand Recover(uint64_t survivor, uint64_t group = kGroup) const {
    ClusterCommand command;
    command.mutable_recover_partition()->set_group_id(group);
    command.mutable_recover_partition()->set_survivor(survivor);
    command.mutable_recover_partition()->set_placement_epoch(Placement().epoch());
    return command;
  }
  static ClusterCommand Drain(uint64_t node_id, bool drained) {
    ClusterCommand command;
    command.mutable_set_node_state()->set_node_id(node_id);
    command.mutable_set_node_state()->set_drained(drained);
    return command;
  }

  static std::vector<uint64_t> Nodes(
      const google::protobuf::RepeatedPtrField<kv::v1::ReplicaRef>& replicas) {
    std::vector<uint64_t> nodes;
    for (const kv::v1::ReplicaRef& replica : replicas) {
      nodes.push_back(replica.node_id());
    }
    return nodes;
  }
  [[nodiscard]] uint64_t IncarnationOn(uint64_t node) const {
    const PartitionPlacement placement = Placement();
    for (const kv::v1::ReplicaRef& replica : placement.replicas()) {
      if (replica.node_id() == node) {
        return replica.incarnation();
      }
    }
    return 0;
  }

  ClusterState state_;
};

TEST_F(ClusterStateMovesTest, NewReplicaTakesThePlaceOfTheOneThatLeaves) {
  const uint64_t leaving = IncarnationOn(1);
  const uint64_t next = state_.next_incarnation();
  const uint64_t epoch = Placement().epoch();
  ASSERT_TRUE(Apply(Begin({leaving}, {4})).ok());
  EXPECT_THAT(Nodes(Placement().replicas()), ElementsAre(1, 2, 3));
  EXPECT_THAT(Nodes(Placement().coming()), ElementsAre(4, 2, 3));
  EXPECT_EQ(Placement().coming(0).incarnation(), next);
  EXPECT_TRUE(Placement().coming(0).joined());
  EXPECT_FALSE(Placement().coming(1).joined());
  EXPECT_EQ(Placement().epoch(), epoch + 1);

  ASSERT_TRUE(Apply(Finish({IncarnationOn(2), IncarnationOn(3), next})).ok());
  EXPECT_THAT(Nodes(Placement().replicas()), ElementsAre(4, 2, 3));
  EXPECT_EQ(Placement().coming_size(), 0);
  EXPECT_EQ(Placement().epoch(), epoch + 2);
}

TEST_F(ClusterStateMovesTest, RepeatsChangeNothing) {
  const ClusterCommand begin = Begin({IncarnationOn(1)}, {4});
  ASSERT_TRUE(Apply(begin).ok());
  const std::string moving = state_.SerializeAsString();
  EXPECT_TRUE(Apply(begin).ok());
  EXPECT_EQ(state_.SerializeAsString(), moving);

  const ClusterCommand cancel = Cancel();
  ASSERT_TRUE(Apply(cancel).ok());
  const std::string cancelled = state_.SerializeAsString();
  EXPECT_TRUE(Apply(cancel).ok());
  EXPECT_EQ(Apply(begin).code(), absl::StatusCode::kAborted);
  EXPECT_EQ(state_.SerializeAsString(), cancelled);

  const ClusterCommand finish =
      Finish({Placement().coming(0).incarnation(), Placement().coming(1).incarnation(),
              Placement().coming(2).incarnation()});
  ASSERT_TRUE(Apply(finish).ok());
  const std::string finished = state_.SerializeAsString();
  EXPECT_TRUE(Apply(finish).ok());
  EXPECT_FALSE(Apply(cancel).ok());
  EXPECT_FALSE(Apply(begin).ok());
  EXPECT_EQ(state_.SerializeAsString(), finished);
}

TEST_F(ClusterStateMovesTest, CancelledMoveGoesBackAndIncarnationsAreNotUsedAgain) {
  const uint64_t leaving = IncarnationOn(2);
  ASSERT_TRUE(Apply(Begin({leaving}, {4})).ok());
  const uint64_t came = Placement().coming(1).incarnation();
  ASSERT_TRUE(Apply(Cancel()).ok());
  EXPECT_THAT(Nodes(Placement().replicas()), ElementsAre(1, 4, 3));
  EXPECT_THAT(Nodes(Placement().coming()), ElementsAre(1, 2, 3));
  ASSERT_TRUE(Apply(Finish({Placement().coming(0).incarnation(), leaving,
                            Placement().coming(2).incarnation()}))
                  .ok());
  EXPECT_EQ(IncarnationOn(2), leaving);
  ASSERT_TRUE(Apply(Begin({leaving}, {4})).ok());
  EXPECT_GT(Placement().coming(1).incarnation(), came);
}

TEST_F(ClusterStateMovesTest, AReplicaIsBuiltAnewOnItsNodeAndThereIsNoWayBack) {
  const uint64_t damaged = Placement().replicas(2).incarnation();
  const ClusterCommand begin = Begin({damaged}, {3});
  ASSERT_TRUE(Apply(begin).ok());
  EXPECT_TRUE(Apply(begin).ok()) << "a repeat";
  EXPECT_EQ(Placement().coming(2).node_id(), 3u);
  EXPECT_GT(Placement().coming(2).incarnation(), damaged);
  EXPECT_TRUE(Placement().coming(2).joined());
  // Its log is gone: as a voter it would have forgotten what it promised.
  EXPECT_EQ(ReasonOf(Apply(Cancel())), kv::v1::REASON_INVALID_FIELD);
  ASSERT_TRUE(
      Apply(Finish({Placement().coming(0).incarnation(), Placement().coming(1).incarnation(),
                    Placement().coming(2).incarnation()}))
          .ok());
  EXPECT_NE(Placement().replicas(2).incarnation(), damaged);
}

// A node that is lost while it builds a replica anew must not hold up the partition for ever.
TEST_F(ClusterStateMovesTest, AReplicaThatIsBuiltAnewMayLeaveBeforeItVotes) {
  const uint64_t damaged = Placement().replicas(2).incarnation();
  const uint64_t sound = Placement().replicas(0).incarnation();
  ASSERT_TRUE(Apply(Begin({damaged}, {3})).ok());
  const uint64_t built = Placement().coming(2).incarnation();
  EXPECT_FALSE(Apply(Begin({sound}, {4})).ok()) << "one change at a time";
  EXPECT_FALSE(Apply(Begin({damaged}, {4})).ok()) << "it has left";
  const ClusterCommand away = Begin({built}, {4});
  ASSERT_TRUE(Apply(away).ok());
  EXPECT_TRUE(Apply(away).ok()) << "a repeat";
  EXPECT_EQ(Placement().replicas(2).incarnation(), built);
  EXPECT_EQ(Placement().coming(2).node_id(), 4u);
  // An ordinary move from now on. Where it turns back to is the new replica, never the damaged one.
  ASSERT_TRUE(Apply(Cancel()).ok());
  EXPECT_EQ(Placement().coming(2).incarnation(), built);
}

TEST_F(ClusterStateMovesTest, AReplicaThatIsDamagedAgainIsBuiltAnewAgain) {
  ASSERT_TRUE(Apply(Begin({Placement().replicas(2).incarnation()}, {3})).ok());
  const uint64_t built = Placement().coming(2).incarnation();
  const ClusterCommand again = Begin({built}, {3});
  ASSERT_TRUE(Apply(again).ok());
  const PartitionPlacement placement = Placement();
  EXPECT_TRUE(Apply(again).ok()) << "a repeat";
  EXPECT_EQ(Placement().SerializeAsString(), placement.SerializeAsString());
  EXPECT_EQ(placement.replicas(2).incarnation(), built);
  EXPECT_GT(placement.coming(2).incarnation(), built);
  EXPECT_FALSE(Apply(Cancel()).ok());
}

TEST_F(ClusterStateMovesTest, NoReplicaIsBuiltAnewWithoutAMajorityOfOthers) {
  EXPECT_FALSE(Apply(Begin({1}, {1}, 0)).ok()) << "the meta group's only one";
  const uint64_t two = Placement().replicas(1).incarnation();
  const uint64_t three = Placement().replicas(2).incarnation();
  EXPECT_FALSE(Apply(Begin({two, three}, {2, 3})).ok());
  EXPECT_FALSE(Apply(Begin({two, three}, {3, 4})).ok());
}

// A leader that goes by an older placement, or is not where the move goes, ends nothing.
TEST_F(ClusterStateMovesTest, FinishNeedsTheVotersOfThisVeryMove) {
  ASSERT_TRUE(Apply(Begin({IncarnationOn(1)}, {4})).ok());
  const uint64_t came = Placement().coming(0).incarnation();
  EXPECT_FALSE(Apply(Finish({IncarnationOn(1), IncarnationOn(2), IncarnationOn(3)})).ok());
  EXPECT_FALSE(Apply(Finish({IncarnationOn(2), IncarnationOn(3)})).ok());
  ClusterCommand finish = Finish({IncarnationOn(2), IncarnationOn(3), came});
  ASSERT_TRUE(Apply(Cancel()).ok());
  EXPECT_EQ(Apply(finish).code(), absl::StatusCode::kAborted);
}

TEST_F(ClusterStateMovesTest, RefusesPlansThatDoNotFit) {
  const uint64_t leaving = IncarnationOn(1);
  EXPECT_FALSE(Apply(Begin({99}, {4})).ok());
  EXPECT_FALSE(Apply(Begin({leaving}, {2})).ok());
  EXPECT_FALSE(Apply(Begin({leaving}, {5})).ok());
  EXPECT_FALSE(Apply(Begin({leaving}, {})).ok());
  EXPECT_FALSE(Apply(Begin({}, {4})).ok());
  EXPECT_FALSE(Apply(Begin({}, {})).ok());
  EXPECT_FALSE(Apply(Begin({leaving, leaving}, {4})).ok());
  ClusterCommand elsewhere = Begin({leaving}, {4});
  elsewhere.mutable_begin_move()->set_group_id(77);
  EXPECT_EQ(ReasonOf(Apply(elsewhere)), kv::v1::REASON_KEYSPACE_NOT_FOUND);
  ClusterCommand stale = Begin({leaving}, {4});
  stale.mutable_begin_move()->set_placement_epoch(Placement().epoch() + 1);
  EXPECT_EQ(Apply(stale).code(), absl::StatusCode::kAborted);
  EXPECT_FALSE(Apply(Cancel()).ok());

  ASSERT_TRUE(Apply(Drain(4, true)).ok());
  EXPECT_FALSE(Apply(Begin({leaving}, {4})).ok());
  ASSERT_TRUE(Apply(Drain(4, false)).ok());
  ASSERT_TRUE(Apply(Begin({leaving}, {4})).ok());
  EXPECT_FALSE(Apply(Begin({IncarnationOn(2)}, {4})).ok());
}

TEST_F(ClusterStateMovesTest, MetaGroupGrowsByTwoAtOnceAndMovesLikeAnyOther) {
  ASSERT_TRUE(Apply(Begin({}, {3, 2}, 0)).ok());
  EXPECT_THAT(Nodes(Placement(0).coming()), ElementsAre(1, 3, 2));
  std::vector<uint64_t> voters = {1, Placement(0).coming(1).incarnation(),
                                  Placement(0).coming(2).incarnation()};
  ASSERT_TRUE(Apply(Finish(voters, 0)).ok());
  EXPECT_THAT(Nodes(state_.meta_replicas()), ElementsAre(1, 3, 2));
  ASSERT_TRUE(Apply(Begin({1}, {4}, 0)).ok());
  EXPECT_THAT(Nodes(state_.meta_coming()), ElementsAre(4, 3, 2));
}

TEST_F(ClusterStateMovesTest, DrainedNodeStaysSoWhenItAnnouncesItselfAnew) {
  ASSERT_TRUE(Apply(Drain(2, true)).ok());
  const uint64_t epoch = state_.epoch();
  ASSERT_TRUE(Apply(Drain(2, true)).ok());
  EXPECT_EQ(state_.epoch(), epoch);
  ClusterCommand announce;
  *announce.mutable_upsert_node()->mutable_node() = Node('b');
  announce.mutable_upsert_node()->mutable_node()->set_boot(2);
  ASSERT_TRUE(Apply(announce).ok());
  EXPECT_TRUE(FindNode(state_, 2)->node().drained());
  EXPECT_FALSE(Apply(Drain(9, true)).ok());
}

TEST_F(ClusterStateMovesTest, RecoveryLeavesOneReplicaUnderANewIncarnationAndEra) {
  const uint64_t survivor = IncarnationOn(2);
  const uint64_t next = state_.next_incarnation();
  const uint64_t epoch = Placement().epoch();
  const uint32_t era = state_.era();
  ASSERT_TRUE(Apply(Begin({IncarnationOn(1)}, {4})).ok());  // is broken off
  ASSERT_TRUE(Apply(Recover(survivor)).ok());
  const PartitionPlacement placement = Placement();
  EXPECT_THAT(Nodes(placement.replicas()), ElementsAre(2));
  EXPECT_THAT(Nodes(placement.coming()), ElementsAre());
  EXPECT_EQ(placement.replicas(0).incarnation(), next + 1);
  EXPECT_EQ(placement.replicas(0).recovered_from(), survivor);
  EXPECT_EQ(placement.epoch(), epoch + 2);
  EXPECT_EQ(placement.era(), era + 1);
  EXPECT_EQ(state_.keyspaces(0).era(), era) << "the other partitions go on as before";

  const std::vector<ReplicaSpec> specs = SpecsOf(state_, 2);
  ASSERT_EQ(specs.size(), 1u);
  EXPECT_EQ(specs[0].self, ReplicaId(next + 1));
  EXPECT_EQ(specs[0].recovered_from, ReplicaId(survivor));
  EXPECT_EQ(specs[0].era, era + 1);
  EXPECT_THAT(specs[0].FirstVoters(), ElementsAre()) << "its log says who votes";
  EXPECT_THAT(SpecsOf(state_, 3), ElementsAre()) << "the others are removed";
}

TEST_F(ClusterStateMovesTest, RecoveryRepeatsAndRefuses) {
  const uint64_t survivor = IncarnationOn(2);
  const ClusterCommand recover = Recover(survivor);
  EXPECT_FALSE(Apply(Recover(999)).ok()) << "no such replica";
  EXPECT_FALSE(Apply(Recover(1, 0)).ok()) << "the meta group";
  EXPECT_FALSE(Apply(Recover(survivor, 77)).ok()) << "no such group";
  ASSERT_TRUE(Apply(recover).ok());
  const std::string after = state_.SerializeAsString();
  EXPECT_TRUE(Apply(recover).ok()) << "the repeat";
  EXPECT_EQ(state_.SerializeAsString(), after);
  EXPECT_TRUE(absl::IsAborted(Apply([&] {
    ClusterCommand late = Recover(IncarnationOn(2));
    late.mutable_recover_partition()->set_placement_epoch(1);
    return late;
  }())));
}

TEST_F(ClusterStateMovesTest, WhatIsMissingAfterARecoveryMayCome) {
  ASSERT_TRUE(Apply(Recover(IncarnationOn(2))).ok());
  EXPECT_FALSE(Apply(Begin({}, {2})).ok()) << "it holds one already";
  EXPECT_FALSE(Apply(Begin({}, {1, 3, 4})).ok()) << "more than the policy says";
  ASSERT_TRUE(Apply(Begin({}, {4, 1})).ok());
  EXPECT_THAT(Nodes(Placement().coming()), ElementsAre(2, 4, 1));
  EXPECT_EQ(Placement().coming(0).recovered_from(), 2u + 1);
  EXPECT_FALSE(SpecsOf(state_, 1).empty());
  EXPECT_EQ(SpecsOf(state_, 4)[0].recovered_from, ReplicaId());
  std::vector<uint64_t> voters;
  const PartitionPlacement filling = Placement();
  for (const kv::v1::ReplicaRef& replica : filling.coming()) {
    voters.push_back(replica.incarnation());
  }
  ASSERT_TRUE(Apply(Finish(voters)).ok());
  EXPECT_THAT(Nodes(Placement().replicas()), ElementsAre(2, 4, 1));
  EXPECT_FALSE(Apply(Begin({}, {3})).ok()) << "it has all";
}

}  // namespace
}  // namespace quorate
