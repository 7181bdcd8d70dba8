// What a group's leader asks of its group next, on the way to the voters that the cluster state
// wishes for.
#ifndef SERVER_REPLICATION_RAFT_GROUPS_NEXT_MEMBERSHIP_H_
#define SERVER_REPLICATION_RAFT_GROUPS_NEXT_MEMBERSHIP_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "raft/config.h"

namespace quorate {

// Newcomers first learn; then they take over the vote from those who leave, all in one joint change
// (which the core refuses until they have caught up, so the same answer comes again). Whoever else
// learns is let go. Nothing: a change is under way, `now` serves a newer wish than `epoch`, or it
// is what is wished for.
//
// `target`: sorted, not empty.
[[nodiscard]] std::optional<raft::Configuration> NextMembership(
    const raft::Configuration& now, const std::vector<ReplicaId>& target, uint64_t epoch);

}  // namespace quorate

#endif  // SERVER_REPLICATION_RAFT_GROUPS_NEXT_MEMBERSHIP_H_
