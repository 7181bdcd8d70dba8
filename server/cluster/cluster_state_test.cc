#include "server/cluster/cluster_state.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/error_detail.h"

namespace quorate {
namespace {

using internal::v1::ClusterCommand;
using internal::v1::ClusterState;
using internal::v1::NodeRecord;

NodeRecord MakeNode(char disk, const std::string& peer_address, uint64_t boot = 1) {
  NodeRecord record;
  record.set_disk_id(std::string(kIdBytes, disk));
  record.set_boot(boot);
  record.mutable_node()->set_peer_address(peer_address);
  record.mutable_node()->set_address("c-" + peer_address);
  record.mutable_node()->set_weight(1);
  return record;
}

ClusterCommand Init(char cluster = 'C') {
  ClusterCommand command;
  command.mutable_init()->set_cluster_id(std::string(kIdBytes, cluster));
  *command.mutable_init()->mutable_first_node() = MakeNode('a', "a:1");
  command.mutable_init()->set_meta_incarnation(1);
  return command;
}

ClusterCommand Upsert(const NodeRecord& record) {
  ClusterCommand command;
  *command.mutable_upsert_node()->mutable_node() = record;
  return command;
}

ClusterCommand Create(const ClusterState& state, const std::string& name, uint32_t partitions = 2) {
  ClusterCommand command;
  command.mutable_create_keyspace()->set_planned_epoch(state.epoch());
  kv::v1::Keyspace* keyspace = command.mutable_create_keyspace()->mutable_keyspace();
  keyspace->set_name(name);
  keyspace->mutable_policy()->set_partitions(partitions);
  keyspace->mutable_policy()->set_replicas(3);
  for (uint32_t i = 0; i < partitions; ++i) {
    kv::v1::PartitionPlacement* partition = keyspace->add_partitions();
    for (uint64_t node : {1, 2, 3}) {
      partition->add_replicas()->set_node_id(node);
    }
  }
  return command;
}

ClusterCommand Drop(const std::string& name, uint64_t id) {
  ClusterCommand command;
  command.mutable_drop_keyspace()->set_name(name);
  command.mutable_drop_keyspace()->set_keyspace_id(id);
  return command;
}

ClusterState ThreeNodes() {
  ClusterState state;
  EXPECT_TRUE(ApplyClusterCommand(&state, Init()).ok());
  EXPECT_TRUE(ApplyClusterCommand(&state, Upsert(MakeNode('b', "b:1"))).ok());
  EXPECT_TRUE(ApplyClusterCommand(&state, Upsert(MakeNode('c', "c:1"))).ok());
  return state;
}

TEST(ClusterStateTest, InitMakesNodeOneTheOnlyMetaVoter) {
  ClusterState state;
  ASSERT_TRUE(ApplyClusterCommand(&state, Init()).ok());
  EXPECT_EQ(state.epoch(), 1u);
  ASSERT_EQ(state.nodes_size(), 1);
  EXPECT_EQ(state.nodes(0).node().node_id(), 1u);
  ASSERT_EQ(state.meta_replicas_size(), 1);
  EXPECT_EQ(state.meta_replicas(0).node_id(), 1u);
  EXPECT_EQ(state.next_incarnation(), 2u);
}

TEST(ClusterStateTest, KeyspacesAreSortedByNameAndGetIdsThatAreNeverReused) {
  ClusterState state = ThreeNodes();
  ASSERT_TRUE(ApplyClusterCommand(&state, Create(state, "zebra")).ok());
  ASSERT_TRUE(ApplyClusterCommand(&state, Create(state, "apple")).ok());
  ASSERT_EQ(state.keyspaces_size(), 2);
  const kv::v1::Keyspace apple = state.keyspaces(0);
  const kv::v1::Keyspace zebra = state.keyspaces(1);
  EXPECT_EQ(apple.name(), "apple");
  EXPECT_EQ(zebra.keyspace_id(), 1u);
  EXPECT_EQ(apple.keyspace_id(), 2u);
  EXPECT_EQ(zebra.era(), 1u);
  EXPECT_EQ(apple.era(), 2u);
  EXPECT_EQ(zebra.partitions(0).group_id(), 1u);
  EXPECT_EQ(apple.partitions(1).group_id(), 4u);
  EXPECT_EQ(zebra.partitions(0).replicas(0).incarnation(), 2u);
  EXPECT_EQ(apple.partitions(0).replicas(0).incarnation(), 8u);
  EXPECT_EQ(apple.policy().value_bytes_max(), 1u << 20) << "defaults are filled in";

  ASSERT_TRUE(ApplyClusterCommand(&state, Drop("zebra", 1)).ok());
  ASSERT_TRUE(ApplyClusterCommand(&state, Create(state, "zebra")).ok());
  EXPECT_EQ(state.keyspaces(1).keyspace_id(), 3u);
  EXPECT_EQ(state.keyspaces(1).era(), 3u) << "a re-created keyspace starts a new history";
  EXPECT_EQ(state.keyspaces(1).partitions(0).group_id(), 5u);
}

TEST(ClusterStateTest, NodeThatAnnouncesNewAddressKeepsItsId) {
  ClusterState state = ThreeNodes();
  ASSERT_TRUE(ApplyClusterCommand(&state, Upsert(MakeNode('b', "moved:1", 2))).ok());
  ASSERT_EQ(state.nodes_size(), 3);
  EXPECT_EQ(state.nodes(1).node().node_id(), 2u);
  EXPECT_EQ(state.nodes(1).node().peer_address(), "moved:1");
  EXPECT_EQ(state.epoch(), 4u);
}

TEST(ClusterStateTest, RepeatsChangeNothing) {
  ClusterState state = ThreeNodes();
  ASSERT_TRUE(ApplyClusterCommand(&state, Create(state, "orders")).ok());
  const std::string before = state.SerializeAsString();
  ClusterCommand again = Create(state, "orders");
  again.mutable_create_keyspace()->set_planned_epoch(1);
  for (const ClusterCommand& command :
       {Init(), Upsert(MakeNode('b', "b:1")), again, Drop("gone", 0)}) {
    (void)ApplyClusterCommand(&state, command).ok();
    EXPECT_EQ(state.SerializeAsString(), before) << command.ShortDebugString();
  }
  ASSERT_TRUE(ApplyClusterCommand(&state, Drop("orders", 1)).ok());
  EXPECT_TRUE(ApplyClusterCommand(&state, Drop("orders", 1)).ok()) << "a repeated drop is done";
  EXPECT_EQ(state.epoch(), 5u);
}

struct Refusal {
  std::string name;
  std::function<ClusterCommand(const ClusterState&)> command;
  absl::StatusCode code;
  std::string says;
};

std::vector<Refusal> RefusedCommands() {
  using absl::StatusCode;
  return {
      {"init of another cluster", [](const ClusterState&) { return Init('D'); },
       StatusCode::kFailedPrecondition, "belongs to cluster 43434343"},
      {"short disk id",
       [](const ClusterState&) {
         ClusterCommand command = Upsert(MakeNode('x', "x:1"));
         command.mutable_upsert_node()->mutable_node()->set_disk_id("short");
         return command;
       },
       StatusCode::kInvalidArgument, "disk_id"},
      {"no peer address", [](const ClusterState&) { return Upsert(MakeNode('x', "")); },
       StatusCode::kInvalidArgument, "peer_address"},
      {"earlier boot", [](const ClusterState&) { return Upsert(MakeNode('b', "old:1", 0)); },
       StatusCode::kAborted, "rolled back"},
      {"planned on an older epoch",
       [](const ClusterState& state) {
         ClusterCommand command = Create(state, "late");
         command.mutable_create_keyspace()->set_planned_epoch(state.epoch() - 1);
         return command;
       },
       StatusCode::kAborted, "plan again"},
      {"another policy under the same name",
       [](const ClusterState& state) { return Create(state, "orders", 4); },
       StatusCode::kAlreadyExists, "another policy"},
      {"bad name", [](const ClusterState& state) { return Create(state, "a/b"); },
       StatusCode::kInvalidArgument, "name"},
      {"drop of the unknown", [](const ClusterState&) { return Drop("gone", 0); },
       StatusCode::kNotFound, "gone"},
      {"nothing", [](const ClusterState&) { return ClusterCommand(); },
       StatusCode::kFailedPrecondition, "does not know"},
  };
}

std::vector<Refusal> RefusedPlans() {
  using absl::StatusCode;
  return {
      {"plan with a stranger",
       [](const ClusterState& state) {
         ClusterCommand command = Create(state, "k");
         command.mutable_create_keyspace()
             ->mutable_keyspace()
             ->mutable_partitions(0)
             ->mutable_replicas(0)
             ->set_node_id(9);
         return command;
       },
       StatusCode::kInvalidArgument, "node 9"},
      {"plan with one node twice",
       [](const ClusterState& state) {
         ClusterCommand command = Create(state, "k");
         command.mutable_create_keyspace()
             ->mutable_keyspace()
             ->mutable_partitions(1)
             ->mutable_replicas(0)
             ->set_node_id(2);
         return command;
       },
       StatusCode::kInvalidArgument, "partition 1"},
      {"plan with too few partitions",
       [](const ClusterState& state) {
         ClusterCommand command = Create(state, "k");
         command.mutable_create_keyspace()->mutable_keyspace()->mutable_partitions()->RemoveLast();
         return command;
       },
       StatusCode::kInvalidArgument, "planned 1 partitions"},
  };
}

TEST(ClusterStateTest, RefusalsNameTheCauseAndChangeNothing) {
  ClusterState state = ThreeNodes();
  ASSERT_TRUE(ApplyClusterCommand(&state, Create(state, "orders")).ok());
  const std::string before = state.SerializeAsString();
  std::vector<Refusal> refusals = RefusedCommands();
  std::ranges::copy(RefusedPlans(), std::back_inserter(refusals));
  for (const Refusal& refusal : refusals) {
    const absl::Status status = ApplyClusterCommand(&state, refusal.command(state));
    EXPECT_EQ(status.code(), refusal.code) << refusal.name << ": " << status;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr(refusal.says)) << refusal.name;
    EXPECT_EQ(state.SerializeAsString(), before) << refusal.name;
  }
}

TEST(ClusterStateTest, NothingHappensBeforeInit) {
  ClusterState state;
  const absl::Status status = ApplyClusterCommand(&state, Upsert(MakeNode('b', "b:1")));
  EXPECT_EQ(ReasonOf(status), kv::v1::REASON_NOT_INITIALISED);
  EXPECT_EQ(state.ByteSizeLong(), 0u);
}

}  // namespace
}  // namespace quorate
