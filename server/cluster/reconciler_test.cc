#include "server/cluster/reconciler.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/cluster/cluster_state.h"
#include "server/cluster/cluster_state_moves.h"

namespace quorate {
namespace {

using internal::v1::ClusterCommand;
using kv::v1::PartitionPlacement;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class ReconcilerTest : public ::testing::Test {
 protected:
  // `nodes` nodes, all alive, and a keyspace of `partitions` partitions on nodes 1 to 3.
  void Begin(uint64_t nodes, uint32_t partitions = 0) {
    for (uint64_t id = 1; id <= nodes; ++id) {
      ClusterCommand command;
      internal::v1::NodeRecord* record = id == 1 ? command.mutable_init()->mutable_first_node()
                                                 : command.mutable_upsert_node()->mutable_node();
      record->set_disk_id(std::string(kIdBytes, static_cast<char>('a' + id)));
      record->mutable_node()->set_peer_address(fmt::format("node-{}:1", id));
      record->mutable_node()->set_weight(1);
      if (id == 1) {
        command.mutable_init()->set_cluster_id(std::string(kIdBytes, 'C'));
        command.mutable_init()->set_meta_incarnation(1);
      }
      Apply(command);
      sights_[id].alive = true;
      sights_[id].reported = true;
    }
    if (partitions == 0) return;
    ClusterCommand command;
    command.mutable_create_keyspace()->set_planned_epoch(state_.epoch());
    kv::v1::Keyspace* keyspace = command.mutable_create_keyspace()->mutable_keyspace();
    keyspace->set_name("orders");
    keyspace->mutable_policy()->set_partitions(partitions);
    keyspace->mutable_policy()->set_replicas(3);
    for (uint32_t i = 0; i < partitions; ++i) {
      PartitionPlacement* partition = keyspace->add_partitions();
      for (const uint64_t node : {1, 2, 3}) partition->add_replicas()->set_node_id(node);
    }
    Apply(command);
  }

  void Apply(const ClusterCommand& command) {
    const absl::Status status = ApplyClusterCommand(&state_, command);
    ASSERT_TRUE(status.ok()) << status << command.DebugString();
  }
  void Drain(uint64_t node_id) {
    ClusterCommand command;
    command.mutable_set_node_state()->set_node_id(node_id);
    command.mutable_set_node_state()->set_drained(true);
    Apply(command);
  }
  // What the group's leader and its node do.
  void Finish(uint64_t group_id) {
    const PartitionPlacement placement = PlacementOf(state_, group_id).value();
    ClusterCommand command;
    command.mutable_finish_move()->set_group_id(group_id);
    command.mutable_finish_move()->set_placement_epoch(placement.epoch());
    std::vector<uint64_t> voters;
    for (const kv::v1::ReplicaRef& replica : placement.coming()) {
      voters.push_back(replica.incarnation());
    }
    std::sort(voters.begin(), voters.end());
    command.mutable_finish_move()->mutable_voters()->Add(voters.begin(), voters.end());
    Apply(command);
  }
  // The partition goes on from that one of its replicas. Returns its group.
  uint64_t Recover(size_t partition, int replica) {
    const PartitionPlacement before = Partitions()[partition];
    ClusterCommand command;
    command.mutable_recover_partition()->set_group_id(before.group_id());
    command.mutable_recover_partition()->set_survivor(before.replicas(replica).incarnation());
    command.mutable_recover_partition()->set_placement_epoch(before.epoch());
    Apply(command);
    return before.group_id();
  }
  std::vector<ClusterCommand> Step() {
    std::vector<ClusterCommand> steps = NextSteps(state_, sights_);
    for (const ClusterCommand& step : steps) Apply(step);
    return steps;
  }
  // Steps and moves until nothing is left to do.
  void Run() {
    for (int round = 0; round < 1000; ++round) {
      const bool stepped = !Step().empty();
      std::vector<uint64_t> open;
      if (state_.meta_coming_size() > 0) open.push_back(0);
      for (const PartitionPlacement& placement : Partitions()) {
        if (placement.coming_size() > 0) open.push_back(placement.group_id());
      }
      for (const uint64_t group : open) Finish(group);
      if (!stepped && open.empty()) return;
    }
    ADD_FAILURE() << "the reconciler does not come to rest";
  }

  [[nodiscard]] std::vector<PartitionPlacement> Partitions() const {
    std::vector<PartitionPlacement> all;
    for (const kv::v1::Keyspace& keyspace : state_.keyspaces()) {
      all.insert(all.end(), keyspace.partitions().begin(), keyspace.partitions().end());
    }
    return all;
  }
  [[nodiscard]] size_t HeldBy(uint64_t node_id) const {
    size_t held = 0;
    for (const PartitionPlacement& placement : Partitions()) {
      for (const kv::v1::ReplicaRef& replica : placement.replicas()) {
        held += replica.node_id() == node_id ? 1 : 0;
      }
    }
    return held;
  }
  [[nodiscard]] std::vector<uint64_t> MetaNodes() const {
    std::vector<uint64_t> nodes;
    for (const kv::v1::ReplicaRef& voter : state_.meta_replicas()) {
      nodes.push_back(voter.node_id());
    }
    return nodes;
  }

  internal::v1::ClusterState state_;
  NodeSights sights_;
};

TEST_F(ReconcilerTest, MetaGroupGrowsWithTheClusterAndOnlyOntoLiveNodes) {
  Begin(2);
  EXPECT_THAT(Step(), IsEmpty());
  state_.Clear();
  Begin(4);
  sights_[2].alive = false;
  Run();
  EXPECT_THAT(MetaNodes(), UnorderedElementsAre(1, 3, 4));
  sights_[2].alive = true;
  EXPECT_THAT(Step(), IsEmpty());
  state_.Clear();
  Begin(6);
  Run();
  EXPECT_THAT(MetaNodes(), UnorderedElementsAre(1, 2, 3, 4, 5));
}

TEST_F(ReconcilerTest, DeadMetaVoterKeepsItsPlaceUntilItIsDrained) {
  Begin(4);
  Run();
  sights_[2].alive = false;
  EXPECT_THAT(Step(), IsEmpty());
  Drain(2);
  Run();
  EXPECT_THAT(MetaNodes(), UnorderedElementsAre(1, 4, 3));
}

TEST_F(ReconcilerTest, DamagedReplicasAreBuiltAnewOnTheirNode) {
  Begin(3, 8);
  Run();
  std::set<uint64_t> damaged;
  for (const PartitionPlacement& placement : Partitions()) {
    damaged.insert(placement.replicas(2).incarnation());
  }
  sights_[3].damaged = damaged;
  const auto steps = Step();
  ASSERT_EQ(steps.size(), kMovesPerNodeMax);
  EXPECT_TRUE(damaged.contains(steps[0].begin_move().leaving(0)));
  EXPECT_THAT(steps[0].begin_move().to_nodes(), ElementsAre(3));
  EXPECT_THAT(Step(), IsEmpty()) << "two at a time";
  Run();
  EXPECT_EQ(HeldBy(3), 8u);
  for (const PartitionPlacement& placement : Partitions()) {
    EXPECT_FALSE(damaged.contains(placement.replicas(2).incarnation()));
    EXPECT_TRUE(placement.replicas(2).joined());
  }
  // The node still speaks of them until it has heard: nothing to do.
  EXPECT_THAT(Step(), IsEmpty());
}

TEST_F(ReconcilerTest, TheMetaGroupsDamagedVoterIsBuiltAnew) {
  Begin(3);
  Run();
  for (const kv::v1::ReplicaRef& voter : state_.meta_replicas()) {
    if (voter.node_id() == 2) sights_[2].damaged = sights_[2].silent = {voter.incarnation()};
  }
  ASSERT_EQ(Step().size(), 1u);
  Run();
  EXPECT_THAT(MetaNodes(), UnorderedElementsAre(1, 2, 3));
  EXPECT_THAT(Step(), IsEmpty());
}

TEST_F(ReconcilerTest, NothingIsRebuiltWithoutASoundMajority) {
  Begin(3, 1);
  Run();
  const PartitionPlacement placement = Partitions().front();
  const auto damage = [&](int replica) {
    NodeSight& sight = sights_[placement.replicas(replica).node_id()];
    sight.damaged = sight.silent = {placement.replicas(replica).incarnation()};
  };
  damage(2);
  damage(1);
  EXPECT_THAT(Step(), IsEmpty()) << "two of three are damaged";
  sights_[2].damaged.clear();
  sights_[2].silent.clear();
  sights_[2].alive = false;
  EXPECT_THAT(Step(), IsEmpty()) << "one is damaged, one away";
  sights_[2].alive = true;
  sights_[2].reported = false;
  EXPECT_THAT(Step(), IsEmpty()) << "one has just begun, and may find damage too";
  sights_[2].reported = true;
  sights_[3].alive = false;
  EXPECT_THAT(Step(), IsEmpty()) << "the node itself is away";
  sights_[3].alive = true;
  EXPECT_EQ(Step().size(), 1u);
  damage(1);
  EXPECT_THAT(Step(), IsEmpty()) << "one member at a time";
}

// Replicas that miss a value each still vote. They are built anew in turn while there is one that
// misses nothing.
TEST_F(ReconcilerTest, ReplicasThatVoteMakeTheMajorityForARebuild) {
  Begin(3, 1);
  Run();
  const PartitionPlacement placement = Partitions().front();
  for (const int damaged : {1, 2}) {
    sights_[placement.replicas(damaged).node_id()].damaged = {
        placement.replicas(damaged).incarnation()};
  }
  sights_[3].silent = sights_[3].damaged;
  ASSERT_EQ(Step().size(), 1u);
  const PartitionPlacement begun = Partitions().front();
  ASSERT_NE(Rebuilt(begun), nullptr);
  EXPECT_EQ(Rebuilt(begun)->node_id(), 3u) << "the silent one first";
  Run();
  EXPECT_GT(Partitions().front().replicas(1).incarnation(), placement.replicas(2).incarnation());
  // Every replica misses something: none can be copied.
  const PartitionPlacement rebuilt = Partitions().front();
  for (const kv::v1::ReplicaRef& replica : rebuilt.replicas()) {
    sights_[replica.node_id()].damaged = {replica.incarnation()};
  }
  EXPECT_THAT(Step(), IsEmpty());
}

TEST_F(ReconcilerTest, ARebuildOnALostNodeGoesElsewhereOnceItIsDrained) {
  Begin(4, 1);
  Run();
  const PartitionPlacement placement = Partitions().front();
  sights_[3].damaged = sights_[3].silent = {placement.replicas(2).incarnation()};
  ASSERT_EQ(Step().size(), 1u);
  const uint64_t built = Partitions().front().coming(2).incarnation();
  Drain(3);
  const auto is_of_partition = [&](const ClusterCommand& step) {
    return step.begin_move().group_id() == placement.group_id();
  };
  auto steps = Step();
  EXPECT_TRUE(std::none_of(steps.begin(), steps.end(), is_of_partition)) << "it gets along";
  sights_[3].alive = false;
  sights_[3].gone = true;
  sights_[3].damaged.clear();
  steps = Step();
  EXPECT_TRUE(std::any_of(steps.begin(), steps.end(), is_of_partition));
  EXPECT_EQ(Partitions().front().replicas(2).incarnation(), built);
  EXPECT_EQ(Partitions().front().coming(2).node_id(), 4u);
  Run();
  EXPECT_EQ(HeldBy(3), 0u);
  EXPECT_EQ(HeldBy(4), 1u);
}

TEST_F(ReconcilerTest, AMetaVotersRebuildOnALostNodeGoesElsewhereOnceItIsDrained) {
  Begin(4);
  Run();
  const kv::v1::ReplicaRef voter = state_.meta_replicas(2);
  sights_[voter.node_id()].damaged = sights_[voter.node_id()].silent = {voter.incarnation()};
  ASSERT_EQ(Step().size(), 1u);
  sights_[voter.node_id()].alive = false;
  sights_[voter.node_id()].gone = true;
  sights_[voter.node_id()].damaged.clear();
  EXPECT_THAT(Step(), IsEmpty()) << "it may come back";
  Drain(voter.node_id());
  ASSERT_EQ(Step().size(), 1u);
  Run();
  EXPECT_EQ(MetaNodes().size(), 3u);
  for (const kv::v1::ReplicaRef& replica : state_.meta_replicas()) {
    EXPECT_NE(replica.node_id(), voter.node_id());
  }
}

TEST_F(ReconcilerTest, AReplicaDamagedBeforeItVotesIsBuiltAnewAgain) {
  Begin(3, 1);
  Run();
  const PartitionPlacement placement = Partitions().front();
  sights_[3].damaged = sights_[3].silent = {placement.replicas(2).incarnation()};
  ASSERT_EQ(Step().size(), 1u);
  const uint64_t built = Partitions().front().coming(2).incarnation();
  EXPECT_THAT(Step(), IsEmpty());
  sights_[3].damaged = sights_[3].silent = {built};
  ASSERT_EQ(Step().size(), 1u);
  EXPECT_GT(Partitions().front().coming(2).incarnation(), built);
  sights_[2].damaged = {placement.replicas(1).incarnation()};
  EXPECT_THAT(Step(), IsEmpty()) << "one member at a time";
}

TEST_F(ReconcilerTest, AMoveWhoseNewReplicaIsDamagedIsTurnedBackOnce) {
  Begin(4, 1);
  Run();
  ClusterCommand move;
  const PartitionPlacement placement = Partitions().front();
  move.mutable_begin_move()->set_group_id(placement.group_id());
  move.mutable_begin_move()->set_placement_epoch(placement.epoch());
  move.mutable_begin_move()->add_leaving(placement.replicas(0).incarnation());
  move.mutable_begin_move()->add_to_nodes(4);
  Apply(move);
  sights_[4].damaged = {Partitions().front().coming(0).incarnation()};
  ASSERT_EQ(Step().size(), 1u);
  EXPECT_EQ(Partitions().front().coming(0).node_id(), 1u);
  EXPECT_THAT(Step(), IsEmpty());
}

TEST_F(ReconcilerTest, DrainEmptiesTheNodeTwoMovesAtATime) {
  Begin(5, 8);
  Run();
  Drain(2);
  const auto steps = Step();
  size_t moves = 0;
  for (const ClusterCommand& step : steps) {
    moves += step.begin_move().group_id() != 0 ? 1 : 0;
  }
  EXPECT_EQ(moves, kMovesPerNodeMax);
  Run();
  EXPECT_EQ(HeldBy(2), 0u);
  EXPECT_EQ(HeldBy(4) + HeldBy(5), 8u);
  EXPECT_GE(HeldBy(4), 3u);
  EXPECT_GE(HeldBy(5), 3u);
  EXPECT_THAT(MetaNodes(), UnorderedElementsAre(1, 3, 4));
  EXPECT_THAT(Step(), IsEmpty());
}

TEST_F(ReconcilerTest, DrainWaitsWhereTooFewNodesAreLeft) {
  Begin(4, 2);
  Run();
  sights_[4].alive = false;
  Drain(2);
  EXPECT_FALSE(PlanMoves(state_, sights_).ok());
  Run();
  EXPECT_EQ(HeldBy(2), 2u);
  sights_[4].alive = true;
  Run();
  EXPECT_EQ(HeldBy(2), 0u);
}

// From any state in the middle another leader goes on, and does nothing twice.
TEST_F(ReconcilerTest, StepsRepeatedChangeNothing) {
  Begin(4, 4);
  Run();
  Drain(1);
  const auto steps = NextSteps(state_, sights_);
  ASSERT_FALSE(steps.empty());
  for (const ClusterCommand& step : steps) Apply(step);
  const std::string after = state_.SerializeAsString();
  for (const ClusterCommand& step : steps) Apply(step);
  EXPECT_EQ(state_.SerializeAsString(), after);
}

TEST_F(ReconcilerTest, MoveToNodeThatIsGoneIsTurnedBackAndPlannedAnew) {
  Begin(5, 1);
  Run();
  Drain(3);
  const auto steps = Step();
  const auto move = std::find_if(steps.begin(), steps.end(), [](const ClusterCommand& step) {
    return step.begin_move().group_id() != 0;
  });
  ASSERT_NE(move, steps.end());
  const uint64_t to = move->begin_move().to_nodes(0);
  sights_[to] = {.alive = false, .gone = true};
  Run();
  EXPECT_EQ(HeldBy(3), 0u);
  EXPECT_EQ(HeldBy(to), 0u);
}

TEST_F(ReconcilerTest, MoveOntoDrainedNodeIsTurnedBackOnce) {
  Begin(4, 1);
  Run();
  ClusterCommand begin;
  begin.mutable_begin_move()->set_group_id(1);
  begin.mutable_begin_move()->add_leaving(Partitions()[0].replicas(0).incarnation());
  begin.mutable_begin_move()->add_to_nodes(4);
  begin.mutable_begin_move()->set_placement_epoch(Partitions()[0].epoch());
  Apply(begin);
  EXPECT_THAT(Step(), IsEmpty());
  Drain(4);
  Run();
  EXPECT_EQ(HeldBy(1), 1u);
  EXPECT_EQ(HeldBy(4), 0u);
}

TEST_F(ReconcilerTest, RecoveredPartitionGetsTheReplicasItLacks) {
  Begin(5, 4);
  Run();
  const uint64_t group = Recover(1, 2);
  sights_[1].alive = false;
  sights_[2].alive = false;
  const auto steps = Step();
  ASSERT_EQ(steps.size(), 1u);
  EXPECT_EQ(steps[0].begin_move().group_id(), group);
  EXPECT_THAT(steps[0].begin_move().to_nodes(), UnorderedElementsAre(4, 5)) << "both at once";
  EXPECT_THAT(steps[0].begin_move().leaving(), IsEmpty());
  EXPECT_THAT(NextSteps(state_, sights_), IsEmpty()) << "it is under way";
  Finish(group);
  EXPECT_THAT(NextSteps(state_, sights_), IsEmpty());
  EXPECT_EQ(Partitions()[1].replicas_size(), 3);
}

TEST_F(ReconcilerTest, RecoveredPartitionWaitsForEnoughNodes) {
  Begin(3, 1);
  Run();
  Recover(0, 0);
  sights_[2].alive = false;
  EXPECT_THAT(NextSteps(state_, sights_), IsEmpty());
  sights_[2].alive = true;
  // Nor before it is known that there is something to copy.
  sights_[1].reported = false;
  EXPECT_THAT(NextSteps(state_, sights_), IsEmpty());
  sights_[1].reported = true;
  sights_[1].damaged = {Partitions()[0].replicas(0).incarnation()};
  EXPECT_THAT(NextSteps(state_, sights_), IsEmpty());
  sights_[1].damaged.clear();
  Run();
  EXPECT_EQ(Partitions()[0].replicas_size(), 3);
}

}  // namespace
}  // namespace quorate
