#include "server/replication/raft_groups/next_membership.h"

#include <algorithm>
#include <iterator>

namespace quorate {

std::optional<raft::Configuration> NextMembership(const raft::Configuration& now,
                                                  const std::vector<ReplicaId>& target,
                                                  uint64_t epoch) {
  if (!now.outgoing.empty() || now.epoch > epoch) {
    return std::nullopt;
  }
  raft::Configuration next;
  next.epoch = epoch;
  std::set_difference(target.begin(), target.end(), now.voters.begin(), now.voters.end(),
                      std::back_inserter(next.learners));
  if (std::includes(now.learners.begin(), now.learners.end(), next.learners.begin(),
                    next.learners.end())) {
    next.learners.clear();
    next.voters = target;
  } else {
    next.voters = now.voters;
  }
  if (next == now) {
    return std::nullopt;
  }
  return next;
}

}  // namespace quorate
