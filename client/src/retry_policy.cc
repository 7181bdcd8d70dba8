#include "client/src/retry_policy.h"

#include <algorithm>
#include <chrono>

#include "proto/error_detail.h"
#include "server/runtime/random.h"

namespace quorate::client {
namespace {

constexpr Duration kBackoffFirst = std::chrono::milliseconds(20);
constexpr int kBackoffDoublings = 4;
constexpr Duration kAttemptTimeoutFirst = std::chrono::seconds(1);
constexpr int kAttemptTimeoutDoublings = 4;

// Errors without a detail: from gRPC, a proxy, or a server that is not ours.
Decision DecideUntyped(const AttemptEnd& end) {
  switch (end.code) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kAborted:
      return {.action = Action::kElsewhere, .suspect_node = true, .forget_leader = true};
    default:
      return {.action = Action::kGiveUp};
  }
}

Decision DecideTyped(const AttemptEnd& end) {
  switch (end.reason) {
    case kv::v1::REASON_CONDITION_FALSE:
    case kv::v1::REASON_BATCH_NOT_APPLIED:
    case kv::v1::REASON_ANSWER_TOO_LARGE:
    case kv::v1::REASON_NOT_A_NUMBER:
    case kv::v1::REASON_NUMBER_OVERFLOW:
    case kv::v1::REASON_KEY_NOT_FOUND:
      return {.action = Action::kGiveUp, .settles_earlier_attempts = true};
    case kv::v1::REASON_NOT_INITIALISED:
    case kv::v1::REASON_NOT_LEADER:
      return {.action = Action::kElsewhere};
    case kv::v1::REASON_NO_LEADER:
    case kv::v1::REASON_LEADER_LOST:
    case kv::v1::REASON_STORE_POISONED:
    case kv::v1::REASON_DEADLINE:
    case kv::v1::REASON_CORRUPT:
      return {.action = Action::kElsewhere, .forget_leader = true};
    case kv::v1::REASON_SHUTTING_DOWN:
      return {.action = Action::kElsewhere, .suspect_node = true, .forget_leader = true};
    case kv::v1::REASON_KEYSPACE_NOT_FOUND:
    case kv::v1::REASON_WRONG_NODE:
    case kv::v1::REASON_STALE_EPOCH:
      return {.action = Action::kElsewhere, .forget_leader = true, .refresh = true};
    case kv::v1::REASON_QUEUE_FULL:
    case kv::v1::REASON_MEMORY_PRESSURE:
      return {.action = Action::kLater};
    case kv::v1::REASON_LOG_FULL:
      // Without a delay there is no hope that waiting helps.
      return {.action = end.retry_delay_ms > 0 ? Action::kLater : Action::kGiveUp};
    case kv::v1::REASON_REQUEST_ID_EXPIRED:
      // No earlier attempt can have been applied: our idea of the cluster's time is old. Otherwise
      // nobody can tell any more.
      return end.repeat ? Decision{.action = Action::kGiveUp}
                        : Decision{.action = Action::kRenewRequestId, .refresh = true};
    default:
      return {.action = Action::kGiveUp};
  }
}

}  // namespace

AttemptEnd EndOf(const absl::Status& status, bool write, bool repeatable, bool repeat) {
  AttemptEnd end;
  end.code = status.code();
  end.write = write;
  end.repeatable = repeatable;
  end.repeat = repeat;
  end.maybe_applied = write && OutcomeOf(status) == kv::v1::OUTCOME_UNKNOWN;
  if (const auto detail = DetailOf(status)) {
    end.reason = detail->reason();
    end.retry_delay_ms = detail->retry_delay_ms();
  }
  if (end.reason == kv::v1::REASON_REQUEST_ID_EXPIRED && !repeat) {
    end.maybe_applied = false;
  }
  return end;
}

Decision Decide(const AttemptEnd& end) {
  Decision decision =
      end.reason == kv::v1::REASON_UNSPECIFIED ? DecideUntyped(end) : DecideTyped(end);
  if (end.maybe_applied && !end.repeatable) {
    decision.action = Action::kGiveUp;
  }
  return decision;
}

Duration Backoff(int round, Random& random) {
  const int doublings = std::clamp(round - 1, 0, kBackoffDoublings);
  const Duration whole = kBackoffFirst * (1 << doublings);
  return UniformDuration(random, whole / 2, whole);
}

Duration PauseAsAdvised(Duration advice, int round, Random& random) {
  return std::max(UniformDuration(random, advice, advice + advice / 2), Backoff(round, random));
}

Duration AttemptTimeout(int timeouts, Duration left) {
  const int doublings = std::clamp(timeouts, 0, kAttemptTimeoutDoublings);
  return std::min(left, kAttemptTimeoutFirst * (1 << doublings));
}

}  // namespace quorate::client
