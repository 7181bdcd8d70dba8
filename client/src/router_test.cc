#include "client/src/router.h"

#include "gtest/gtest.h"
#include "proto/error_detail.h"

namespace quorate::client {
namespace {

constexpr MonotonicTime kNow{std::chrono::hours(1)};

// Three nodes; keyspace "orders" with two partitions: group 11 on 1, 2, 3 and group 12 on 2, 3, 1.
kv::v1::GetClusterStateResponse State(uint64_t epoch) {
  kv::v1::GetClusterStateResponse state;
  state.set_cluster_id("c1");
  state.set_epoch(epoch);
  for (uint64_t id = 1; id <= 3; ++id) {
    auto* node = state.add_nodes();
    node->set_node_id(id);
    node->set_address("n" + std::to_string(id));
  }
  auto* keyspace = state.add_keyspaces();
  keyspace->set_name("orders");
  keyspace->set_policy_epoch(5);
  for (uint32_t number = 0; number < 2; ++number) {
    auto* partition = keyspace->add_partitions();
    partition->set_partition(number);
    partition->set_group_id(11 + number);
    partition->set_epoch(7);
    for (uint64_t i = 0; i < 3; ++i) {
      partition->add_replicas()->set_node_id((number + i) % 3 + 1);
    }
  }
  return state;
}

// A key of partition `number` of two.
std::string KeyIn(uint32_t number) {
  for (int i = 0;; ++i) {
    const std::string key = "k" + std::to_string(i);
    if (PartitionOfKey(key, RoutingRule::kTag, 2) == number) {
      return key;
    }
  }
}

class RouterTest : public testing::Test {
 protected:
  RouterTest() : router_({"seed"}) { EXPECT_TRUE(router_.Install(State(3)).ok()); }

  Route RouteOf(uint32_t partition) {
    Route route;
    EXPECT_EQ(router_.FindKey("orders", KeyIn(partition), &route), Router::Lookup::kFound);
    return route;
  }
  std::string PickAt(const Route& route, const Tried& tried = {}, MonotonicTime now = kNow) {
    const auto target = router_.Pick(route, tried, now);
    return target ? target->address : "none";
  }

  Router router_;
};

TEST_F(RouterTest, KnowsNothingBeforeTheFirstState) {
  const Router empty({"seed"});
  Route route;
  EXPECT_EQ(empty.FindKey("orders", "k", &route), Router::Lookup::kNoState);
  EXPECT_EQ(empty.PickAny({}, kNow, 0)->address, "seed");
}

TEST_F(RouterTest, RoutesByPartitionWithTheEpochs) {
  const Route route = RouteOf(1);
  EXPECT_EQ(route.group, 12u);
  EXPECT_EQ(route.placement_epoch, 7u);
  EXPECT_EQ(route.policy_epoch, 5u);
  EXPECT_EQ(PickAt(route), "n2") << "the wanted leader comes first";
  EXPECT_EQ(PickAt(route, {"n2", "n3"}), "n1");
  EXPECT_EQ(PickAt(route, {"n1", "n2", "n3"}), "none");
  Route unknown;
  EXPECT_EQ(router_.FindKey("others", "k", &unknown), Router::Lookup::kNoKeyspace);
}

TEST_F(RouterTest, PrefersTheLeaderThatAnswersTaught) {
  const Route route = RouteOf(0);
  kv::v1::NodeRef leader;
  leader.set_node_id(3);
  router_.NoteLeader(11, leader);
  EXPECT_EQ(PickAt(route), "n3");
  EXPECT_EQ(PickAt(RouteOf(1)), "n2") << "another group's leader is another matter";
  router_.ForgetLeader(11, 2);
  EXPECT_EQ(PickAt(route), "n3") << "node 2 was not the one to forget";
  router_.ForgetLeader(11, 3);
  EXPECT_EQ(PickAt(route), "n1");
  router_.NoteServed(route, {.node_id = 2, .address = "n2"});
  EXPECT_EQ(PickAt(route), "n2");
}

TEST_F(RouterTest, LearnsTheAddressOfALeaderItDoesNotKnow) {
  kv::v1::NodeRef leader;
  leader.set_node_id(9);
  leader.set_address("n9");
  router_.NoteLeader(11, leader);
  EXPECT_EQ(PickAt(RouteOf(0)), "n9");
}

TEST_F(RouterTest, AsksSilentNodesOnlyWhenNoOtherIsLeft) {
  const Route route = RouteOf(0);
  kv::v1::NodeRef leader;
  leader.set_node_id(1);
  router_.NoteLeader(11, leader);
  router_.NoteNoAnswer("n1", kNow);
  EXPECT_EQ(PickAt(route), "n2") << "even though node 1 is said to lead";
  EXPECT_EQ(PickAt(route, {"n2", "n3"}), "none") << "the live ones are asked again first";
  EXPECT_EQ(PickAt(route, {}, kNow + std::chrono::seconds(2)), "n1") << "suspicion ends";
  router_.NoteNoAnswer("n2", kNow);
  router_.NoteNoAnswer("n3", kNow);
  EXPECT_EQ(PickAt(route), "n1") << "all are silent: any may be asked";
  router_.NoteAnswer("n2");
  EXPECT_EQ(PickAt(route), "n2");
}

TEST_F(RouterTest, TakesOnlyNewerStatesOfItsCluster) {
  auto older = State(2);
  older.clear_keyspaces();
  EXPECT_TRUE(router_.Install(older).ok());
  EXPECT_EQ(router_.epoch(), 3u);
  RouteOf(0);
  auto foreign = State(9);
  foreign.set_cluster_id("c2");
  EXPECT_EQ(ReasonOf(router_.Install(foreign)), kv::v1::REASON_WRONG_CLUSTER);
  auto newer = State(4);
  newer.clear_keyspaces();
  EXPECT_TRUE(router_.Install(newer).ok());
  Route route;
  EXPECT_EQ(router_.FindKey("orders", "k", &route), Router::Lookup::kNoKeyspace);
}

TEST_F(RouterTest, AStatesLeadersAreHintsWhereNothingIsKnown) {
  router_.NoteServed(RouteOf(0), {.node_id = 3, .address = "n3"});
  auto state = State(3);
  state.set_unchanged(true);
  for (const uint64_t group : {11, 12}) {
    auto* hint = state.add_leaders();
    hint->set_group_id(group);
    hint->set_node_id(1);
  }
  EXPECT_TRUE(router_.Install(state).ok());
  EXPECT_EQ(PickAt(RouteOf(0)), "n3");
  EXPECT_EQ(PickAt(RouteOf(1)), "n1");
}

TEST_F(RouterTest, TakesNewerPlacementsFromRefusals) {
  kv::v1::PartitionPlacement placement;
  placement.set_partition(0);
  placement.set_group_id(11);
  placement.set_epoch(6);
  placement.add_replicas()->set_node_id(3);
  router_.NotePlacement("orders", placement);
  EXPECT_EQ(PickAt(RouteOf(0)), "n1") << "older than what is known";
  placement.set_epoch(8);
  router_.NotePlacement("orders", placement);
  EXPECT_EQ(PickAt(RouteOf(0)), "n3");
  placement.set_partition(99);
  router_.NotePlacement("orders", placement);
}

TEST_F(RouterTest, SpreadsWhatAnyNodeServes) {
  Route route;
  EXPECT_EQ(router_.FindKeyspace("orders", 1, &route), Router::Lookup::kFound);
  EXPECT_EQ(PickAt(route), "n2");
  EXPECT_EQ(router_.PickAny({}, kNow, 2)->address, "n3");
  EXPECT_EQ(router_.PickAny({"n1", "n2", "n3"}, kNow, 2)->address, "seed");
}

}  // namespace
}  // namespace quorate::client
