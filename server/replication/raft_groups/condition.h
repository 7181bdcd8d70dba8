// Conditions of writes, judged where they are applied. Pure.
#ifndef SERVER_REPLICATION_RAFT_GROUPS_CONDITION_H_
#define SERVER_REPLICATION_RAFT_GROUPS_CONDITION_H_

#include <optional>

#include "internal/v1/command.pb.h"
#include "server/storage/version.h"

namespace quorate {

// `current`: the key's version, none when it is absent. No condition holds always.
[[nodiscard]] bool Holds(const kv::v1::Condition& condition, const std::optional<Version>& current);

// What the proposer is told when it does not hold.
[[nodiscard]] internal::v1::AppliedResult ConditionFalse(const std::optional<Version>& current);

}  // namespace quorate

#endif  // SERVER_REPLICATION_RAFT_GROUPS_CONDITION_H_
