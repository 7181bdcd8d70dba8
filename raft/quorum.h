// Majority arithmetic over a Configuration, joint ones included (Raft thesis, section 4.3): a
// decision needs a majority of `voters` and, while `outgoing` is not empty, one of `outgoing` too.
// Pure functions; a configuration without voters decides nothing.
#ifndef RAFT_QUORUM_H_
#define RAFT_QUORUM_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "raft/config.h"
#include "raft/types.h"

namespace quorate::raft {

[[nodiscard]] bool IsVoter(const Configuration& configuration, ReplicaId replica);
// Voter, outgoing voter or learner.
[[nodiscard]] bool IsMember(const Configuration& configuration, ReplicaId replica);
// All members, sorted, each once.
[[nodiscard]] std::vector<ReplicaId> Members(const Configuration& configuration);
// No other replica's agreement is ever needed.
[[nodiscard]] bool IsSoleVoter(const Configuration& configuration, ReplicaId replica);

namespace quorum_internal {

// The largest value that at least half plus one of `voters` have reached. Quadratic and free of
// allocation: it runs for every acknowledgement, over at most a handful of voters.
template <class ValueOf>
uint64_t ReachedByMajority(const std::vector<ReplicaId>& voters, const ValueOf& value_of) {
  const size_t needed = voters.size() / 2 + 1;
  uint64_t best = 0;
  for (ReplicaId candidate : voters) {
    const uint64_t value = value_of(candidate);
    if (value <= best) continue;
    const auto reached = static_cast<size_t>(std::count_if(
        voters.begin(), voters.end(), [&](ReplicaId voter) { return value_of(voter) >= value; }));
    if (reached >= needed) best = value;
  }
  return best;
}

}  // namespace quorum_internal

// The largest number that a joint majority has reached; zero without voters. `value_of` maps a
// ReplicaId to uint64_t and must give the same answer throughout the call.
template <class ValueOf>
[[nodiscard]] uint64_t ReachedByQuorum(const Configuration& configuration,
                                       const ValueOf& value_of) {
  const uint64_t incoming = quorum_internal::ReachedByMajority(configuration.voters, value_of);
  if (configuration.outgoing.empty()) return incoming;
  return std::min(incoming, quorum_internal::ReachedByMajority(configuration.outgoing, value_of));
}

enum class VoteResult : uint8_t { kPending, kWon, kLost };

// `vote_of` maps a ReplicaId to kPending (no answer yet), kWon (granted) or kLost (denied).
template <class VoteOf>
[[nodiscard]] VoteResult CountVotes(const Configuration& configuration, const VoteOf& vote_of) {
  const auto granted = [&](ReplicaId voter) -> uint64_t {
    return vote_of(voter) == VoteResult::kWon ? 1 : 0;
  };
  const auto possible = [&](ReplicaId voter) -> uint64_t {
    return vote_of(voter) != VoteResult::kLost ? 1 : 0;
  };
  if (ReachedByQuorum(configuration, granted) == 1) return VoteResult::kWon;
  return ReachedByQuorum(configuration, possible) == 1 ? VoteResult::kPending : VoteResult::kLost;
}

}  // namespace quorate::raft

#endif  // RAFT_QUORUM_H_
