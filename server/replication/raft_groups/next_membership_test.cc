#include "server/replication/raft_groups/next_membership.h"

#include "gtest/gtest.h"

namespace quorate {
namespace {

std::vector<ReplicaId> Ids(std::initializer_list<uint64_t> values) {
  std::vector<ReplicaId> ids;
  for (const uint64_t value : values) {
    ids.emplace_back(value);
  }
  return ids;
}

raft::Configuration Membership(std::initializer_list<uint64_t> voters,
                               std::initializer_list<uint64_t> learners, uint64_t epoch) {
  return {.voters = Ids(voters), .outgoing = {}, .learners = Ids(learners), .epoch = epoch};
}

TEST(NextMembershipTest, NewcomersLearnBeforeTheyVote) {
  const auto learns = NextMembership(Membership({1, 2, 3}, {}, 1), Ids({2, 3, 4}), 2);
  ASSERT_TRUE(learns.has_value());
  EXPECT_EQ(*learns, Membership({1, 2, 3}, {4}, 2));
  const auto votes = NextMembership(*learns, Ids({2, 3, 4}), 2);
  ASSERT_TRUE(votes.has_value());
  EXPECT_EQ(*votes, Membership({2, 3, 4}, {}, 2));
  EXPECT_EQ(NextMembership(*votes, Ids({2, 3, 4}), 2), std::nullopt);
}

TEST(NextMembershipTest, WaitsForAChangeUnderWay) {
  raft::Configuration joint = Membership({2, 3, 4}, {}, 2);
  joint.outgoing = Ids({1, 2, 3});
  EXPECT_EQ(NextMembership(joint, Ids({1, 2, 3}), 3), std::nullopt);
}

TEST(NextMembershipTest, ANewerWishIsNotUndone) {
  EXPECT_EQ(NextMembership(Membership({2, 3, 4}, {}, 4), Ids({1, 2, 3}), 3), std::nullopt);
}

TEST(NextMembershipTest, ACancelledMoveLetsItsLearnerGo) {
  EXPECT_EQ(NextMembership(Membership({1, 2, 3}, {4}, 2), Ids({1, 2, 3}), 3),
            Membership({1, 2, 3}, {}, 3));
}

TEST(NextMembershipTest, AMoveCancelledBeforeItBeganStillLeavesItsMark) {
  // Else a leader that knows the earlier wish only could begin it after all.
  EXPECT_EQ(NextMembership(Membership({1, 2, 3}, {}, 1), Ids({1, 2, 3}), 3),
            Membership({1, 2, 3}, {}, 3));
}

TEST(NextMembershipTest, ShrinksInOneStep) {
  EXPECT_EQ(NextMembership(Membership({1, 2, 3}, {}, 0), Ids({2}), 0), Membership({2}, {}, 0));
}

}  // namespace
}  // namespace quorate
