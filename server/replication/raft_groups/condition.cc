#include "server/replication/raft_groups/condition.h"

namespace quorate {

bool Holds(const kv::v1::Condition& condition, const std::optional<Version>& current) {
  switch (condition.test_case()) {
    case kv::v1::Condition::kIfAbsent:
      return !current.has_value();
    case kv::v1::Condition::kIfVersion:
      return current.has_value() && current->view() == condition.if_version();
    case kv::v1::Condition::TEST_NOT_SET:
      break;
  }
  return true;
}

internal::v1::AppliedResult ConditionFalse(const std::optional<Version>& current) {
  internal::v1::AppliedResult result;
  result.set_condition_false(true);
  if (current) {
    result.set_version(current->ToBytes());
  }
  return result;
}

}  // namespace quorate
