#include "server/replication/raft_groups/start_check.h"

#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace quorate {
namespace {

// Replica 100 + n is on node n; this one is 101.
ReplicaSpec SpecOf(uint64_t members) {
  ReplicaSpec spec;
  spec.self = ReplicaId(101);
  for (uint64_t node = 1; node <= members; ++node) {
    spec.members.emplace_back(ReplicaId(100 + node), node);
  }
  return spec;
}

std::vector<ReplicaId> On(const std::vector<uint64_t>& nodes) {
  std::vector<ReplicaId> replicas;
  for (const uint64_t node : nodes) replicas.emplace_back(100 + node);
  return replicas;
}

struct Case {
  std::string what;
  std::vector<uint64_t> voters;
  std::vector<uint64_t> outgoing{};
  std::set<uint64_t> answered{};
  bool first_start = false;
  uint64_t first_sound = 0;
  uint64_t members = 5;
  Standing standing = Standing::kHeld;
};

void ExpectStandings(const std::vector<Case>& cases) {
  for (const Case& each : cases) {
    const StartFacts facts{.first_start = each.first_start,
                           .answered = each.answered,
                           .first_sound = ReplicaId(each.first_sound)};
    const raft::Configuration configuration{
        .voters = On(each.voters), .outgoing = On(each.outgoing), .learners = {}};
    EXPECT_EQ(JudgeStart(facts, SpecOf(each.members), configuration), each.standing) << each.what;
  }
}

TEST(StartCheckTest, AMajorityOfTheVotersAnswers) {
  const std::vector<Case> cases = {
      {.what = "nobody answered", .voters = {1, 2, 3}},
      {.what = "one of two others",
       .voters = {1, 2, 3},
       .answered = {2},
       .standing = Standing::kSpeaks},
      {.what = "only a node without a voter", .voters = {1, 2, 3}, .answered = {4}},
      {.what = "one of four others", .voters = {1, 2, 3, 4, 5}, .answered = {5}},
      {.what = "two of four others",
       .voters = {1, 2, 3, 4, 5},
       .answered = {3, 5},
       .standing = Standing::kSpeaks},
      {.what = "half is no majority", .voters = {1, 2, 3, 4}, .answered = {2}},
      {.what = "the other of two is needed", .voters = {1, 2}},
      {.what = "both", .voters = {1, 2}, .answered = {2}, .standing = Standing::kSpeaks},
  };
  ExpectStandings(cases);
}

TEST(StartCheckTest, WhoNeedNotAskAndWhoMayNot) {
  const std::vector<Case> cases = {
      {.what = "alone", .voters = {1}, .standing = Standing::kSpeaks},
      {.what = "alone by a log that went back, and others are members now",
       .voters = {1},
       .first_sound = 500,
       .standing = Standing::kRolledBack},
      {.what = "alone on a disk that went back",
       .voters = {1},
       .first_sound = 500,
       .members = 1,
       .standing = Standing::kSpeaks},
      {.what = "the log was left behind: its voters are members no more", .voters = {1, 6, 7}},
      {.what = "the same, and they are not asked", .voters = {1, 6, 7}, .answered = {6, 7}},
      {.what = "the same, and a majority of the members answered",
       .voters = {1, 6, 7},
       .answered = {2, 3},
       .standing = Standing::kSpeaks},
      {.what = "the first start",
       .voters = {1, 2, 3},
       .first_start = true,
       .standing = Standing::kSpeaks},
      {.what = "a learner", .voters = {2, 3, 4}, .answered = {2}},
      {.what = "a learner, majority",
       .voters = {2, 3, 4},
       .answered = {2, 3},
       .standing = Standing::kSpeaks},
      {.what = "joint: one side only", .voters = {1, 2, 3}, .outgoing = {1, 4, 5}, .answered = {2}},
      {.what = "joint: both",
       .voters = {1, 2, 3},
       .outgoing = {1, 4, 5},
       .answered = {2, 4},
       .standing = Standing::kSpeaks},
      {.what = "joint: not alone", .voters = {1}, .outgoing = {1, 2, 3}},
      {.what = "no configuration: members count", .voters = {}, .answered = {2}},
      {.what = "no configuration, majority",
       .voters = {},
       .answered = {2, 3},
       .standing = Standing::kSpeaks},
      {.what = "rolled back",
       .voters = {1, 2, 3},
       .answered = {2, 3},
       .first_sound = 102,
       .standing = Standing::kRolledBack},
      {.what = "rolled back, nobody answered since",
       .voters = {1, 2, 3},
       .first_sound = 102,
       .standing = Standing::kRolledBack},
      {.what = "begun after the loss",
       .voters = {1, 2, 3},
       .answered = {2},
       .first_sound = 101,
       .standing = Standing::kSpeaks},
  };
  ExpectStandings(cases);
}

TEST(StartCheckTest, WhoRemembersMoreIsBelievedWhenever) {
  const raft::Configuration three{.voters = On({1, 2, 3}), .outgoing = {}, .learners = {}};
  StartCheck check(/*first_start=*/false, /*batch=*/100, ReplicaId());
  EXPECT_EQ(check.Judge(SpecOf(3), three), Standing::kHeld);
  EXPECT_FALSE(check.Take({.node = 2, .batch = 100, .first_unused = ReplicaId(200)}));
  EXPECT_EQ(check.Judge(SpecOf(3), three), Standing::kSpeaks);
  EXPECT_TRUE(check.Take({.node = 3, .batch = 101, .first_unused = ReplicaId(200)}));
  EXPECT_EQ(check.Judge(SpecOf(3), three), Standing::kRolledBack);
  EXPECT_EQ(check.Found(), (RolledBackDisk{.batch = 101, .first_sound = ReplicaId(200)}));
  // The next start knows of it, and of no further loss.
  StartCheck next(/*first_start=*/false, 101, ReplicaId(200));
  EXPECT_FALSE(next.Take({.node = 3, .batch = 101, .first_unused = ReplicaId(300)}));
  EXPECT_EQ(next.Judge(SpecOf(3), three), Standing::kRolledBack);
  EXPECT_TRUE(next.Take({.node = 2, .batch = 102, .first_unused = ReplicaId(300)}));
  // Less than the first one knew of the log, but of a replica that the first one did not know.
  StartCheck both(/*first_start=*/false, /*batch=*/100, ReplicaId());
  EXPECT_TRUE(both.Take({.node = 2, .batch = 110, .first_unused = ReplicaId(200)}));
  EXPECT_TRUE(both.Take({.node = 3, .batch = 105, .first_unused = ReplicaId(300)}));
  EXPECT_FALSE(both.Take({.node = 3, .batch = 105, .first_unused = ReplicaId(300)}));
  EXPECT_EQ(both.Found(), (RolledBackDisk{.batch = 110, .first_sound = ReplicaId(300)}));
}

}  // namespace
}  // namespace quorate
