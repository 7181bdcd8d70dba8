// The quick arithmetic against a slow, obvious version, over many random configurations.
#include "raft/quorum.h"

#include <algorithm>
#include <map>

#include "gtest/gtest.h"
#include "raft/random.h"

namespace quorate::raft {
namespace {

using Values = std::map<ReplicaId, uint64_t>;

// Sorts the values: the middle one (the lower of two) is what a majority has reached.
uint64_t ObviousMajority(const std::vector<ReplicaId>& voters, const Values& values) {
  if (voters.empty()) return 0;
  std::vector<uint64_t> sorted;
  for (ReplicaId voter : voters) sorted.push_back(values.at(voter));
  std::sort(sorted.begin(), sorted.end());
  return sorted[(sorted.size() - 1) / 2];
}

uint64_t ObviousQuorum(const Configuration& configuration, const Values& values) {
  const uint64_t incoming = ObviousMajority(configuration.voters, values);
  if (configuration.outgoing.empty()) return incoming;
  return std::min(incoming, ObviousMajority(configuration.outgoing, values));
}

std::vector<ReplicaId> DrawVoters(Random& random, uint64_t count_min) {
  std::vector<ReplicaId> voters;
  for (uint64_t id = 1; id <= 9; ++id) {
    if (random.Below(2) == 0) voters.emplace_back(id);
  }
  while (voters.size() < count_min) voters.emplace_back(10 + voters.size());
  return voters;
}

TEST(QuorumTest, AgreesWithTheObviousVersion) {
  Random random(1);
  for (int round = 0; round < 20'000; ++round) {
    Configuration configuration;
    configuration.voters = DrawVoters(random, 1);
    if (random.Below(2) == 0) configuration.outgoing = DrawVoters(random, 0);
    Values values;
    for (uint64_t id = 1; id <= 20; ++id) values[ReplicaId(id)] = random.Below(5);
    const uint64_t quick =
        ReachedByQuorum(configuration, [&](ReplicaId voter) { return values.at(voter); });
    ASSERT_EQ(quick, ObviousQuorum(configuration, values)) << "round " << round;
  }
}

// Votes: won by a joint majority of grants; lost once no joint majority of grants is possible.
TEST(QuorumTest, VotesAgreeWithTheObviousVersion) {
  Random random(2);
  for (int round = 0; round < 20'000; ++round) {
    Configuration configuration;
    configuration.voters = DrawVoters(random, 1);
    if (random.Below(2) == 0) configuration.outgoing = DrawVoters(random, 0);
    std::map<ReplicaId, VoteResult> votes;
    Values granted;
    Values possible;
    for (uint64_t id = 1; id <= 20; ++id) {
      const ReplicaId voter(id);
      votes[voter] = static_cast<VoteResult>(random.Below(3));
      granted[voter] = votes[voter] == VoteResult::kWon ? 1 : 0;
      possible[voter] = votes[voter] == VoteResult::kLost ? 0 : 1;
    }
    const VoteResult wanted = ObviousQuorum(configuration, granted) == 1    ? VoteResult::kWon
                              : ObviousQuorum(configuration, possible) == 1 ? VoteResult::kPending
                                                                            : VoteResult::kLost;
    ASSERT_EQ(CountVotes(configuration, [&](ReplicaId voter) { return votes.at(voter); }), wanted);
  }
}

TEST(QuorumTest, NoVotersDecideNothing) {
  const auto everything = [](ReplicaId) -> uint64_t { return 7; };
  EXPECT_EQ(ReachedByQuorum(Configuration(), everything), 0U);
  EXPECT_EQ(CountVotes(Configuration(), [](ReplicaId) { return VoteResult::kWon; }),
            VoteResult::kLost);
}

TEST(QuorumTest, LearnersAreMembersButNoVoters) {
  Configuration configuration;
  configuration.voters = {ReplicaId(1)};
  configuration.outgoing = {ReplicaId(1), ReplicaId(3)};
  configuration.learners = {ReplicaId(2)};
  EXPECT_TRUE(IsMember(configuration, ReplicaId(2)));
  EXPECT_FALSE(IsVoter(configuration, ReplicaId(2)));
  EXPECT_TRUE(IsVoter(configuration, ReplicaId(3)));
  EXPECT_FALSE(IsMember(configuration, ReplicaId(4)));
  EXPECT_FALSE(IsSoleVoter(configuration, ReplicaId(1)));
  EXPECT_EQ(Members(configuration),
            (std::vector<ReplicaId>{ReplicaId(1), ReplicaId(2), ReplicaId(3)}));
}

}  // namespace
}  // namespace quorate::raft
