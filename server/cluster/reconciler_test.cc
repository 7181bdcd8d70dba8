#include "server/cluster/reconciler.h"

#include <algorithm>
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
  EXPECT_FALSE(PlanDrain(state_, sights_).ok());
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

}  // namespace
}  // namespace quorate
