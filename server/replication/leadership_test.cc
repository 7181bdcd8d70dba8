// Leadership that is given away on purpose: before a stop, and back to where it is wanted.
#include <optional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/replication/testing/test_cluster.h"

namespace quorate {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::TestCluster;

// When the hand-over of `node` was said to be done; empty: not yet.
std::shared_ptr<std::optional<MonotonicTime>> HandOver(TestCluster& cluster, uint64_t node) {
  auto done = std::make_shared<std::optional<MonotonicTime>>();
  cluster.node(node).host->HandOverLeadership(
      [done, &cluster] { *done = cluster.scheduler.Now(); });
  return done;
}

TEST(LeadershipTest, HandOverIsQuickerThanAnyElection) {
  TestCluster cluster(3);
  cluster.Begin();
  ASSERT_TRUE(cluster.Await(cluster.Put(1, {.key = "k", .value = "v"})).ok());
  const MonotonicTime begin = cluster.scheduler.Now();
  const auto done = HandOver(cluster, 1);
  ASSERT_TRUE(cluster.scheduler.RunUntil([&] { return done->has_value(); }));
  EXPECT_LT(**done - begin, milliseconds(100));
  const uint64_t next = cluster.AwaitLeader(1);
  EXPECT_LT(cluster.scheduler.Now() - begin, milliseconds(200));
  const auto read = cluster.Await(cluster.Get(next, "k"));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->value, "v");
}

// Method: looks at what readers see of the old leader's lease at the very moment in which a message
// leaves that lets another lead: the request to campaign, and each vote that is given.
TEST(LeadershipTest, NoLeaseIsShownWhenASuccessorIsAskedOrVotedFor) {
  TestCluster cluster(3);
  cluster.Begin();
  const auto shows_lease = [&](uint64_t node) {
    return cluster.node(node).host->TryLeaseGet(GroupId(TestCluster::kGroup), "k").has_value();
  };
  int asked = 0;
  int votes = 0;
  cluster.on_message = [&](const internal::v1::RaftMessage& message) {
    if (!message.has_timeout_now() && !message.vote_response().granted()) return;
    ++(message.has_timeout_now() ? asked : votes);
    EXPECT_FALSE(shows_lease(1)) << message.ShortDebugString();
  };
  ASSERT_TRUE(shows_lease(1));
  HandOver(cluster, 1);
  EXPECT_NE(cluster.AwaitLeader(1), 0u);
  EXPECT_EQ(asked, 1);
  EXPECT_GE(votes, 1);
}

TEST(LeadershipTest, HandOverOfOneVoterIsOverAtOnce) {
  TestCluster cluster(1);
  cluster.Begin();
  const auto done = HandOver(cluster, 1);
  ASSERT_TRUE(cluster.scheduler.RunUntil([&] { return done->has_value(); }));
  EXPECT_EQ(cluster.Leader(), 1u);
}

TEST(LeadershipTest, HandOverToNobodyEndsWithinAnElectionTimeout) {
  TestCluster cluster(3);
  cluster.Begin();
  cluster.Isolate(2);
  cluster.Isolate(3);
  const MonotonicTime begin = cluster.scheduler.Now();
  const auto done = HandOver(cluster, 1);
  ASSERT_TRUE(cluster.scheduler.RunUntil([&] { return done->has_value(); }));
  EXPECT_LE(**done - begin, ReplicaHost::Options().election_timeout_min + milliseconds(100));
}

TEST(LeadershipTest, HandOverIsDoneWhenTheHostStops) {
  TestCluster cluster(3);
  cluster.Begin();
  cluster.Isolate(2);
  cluster.Isolate(3);
  const auto done = HandOver(cluster, 1);
  cluster.node(1).Stop();
  EXPECT_TRUE(done->has_value());
}

TEST(LeadershipTest, ReturnsToTheFirstMemberOnceThatIsFit) {
  TestCluster cluster(3);
  cluster.Begin();
  cluster.Isolate(1);
  const uint64_t second = cluster.AwaitLeader(1);
  ASSERT_TRUE(cluster.Await(cluster.Put(second, {.key = "k", .value = "v"})).ok());
  const Duration delay = ReplicaHost::Options().leadership_return_delay;
  cluster.scheduler.RunFor(2 * delay);
  EXPECT_EQ(cluster.AwaitLeader(1), second) << "nobody leaves for one that is away";
  cluster.Heal(1);
  const MonotonicTime healed = cluster.scheduler.Now();
  ASSERT_TRUE(cluster.scheduler.RunUntil([&] { return cluster.Leader() == 1; }));
  EXPECT_GE(cluster.scheduler.Now() - healed, delay);
  EXPECT_LE(cluster.scheduler.Now() - healed, delay + seconds(4));
}

}  // namespace
}  // namespace quorate
