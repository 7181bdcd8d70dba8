#include "client/src/retry_policy.h"

#include <string>

#include "gtest/gtest.h"
#include "proto/error_detail.h"
#include "server/runtime/random.h"

namespace quorate::client {
namespace {

using std::chrono::milliseconds;

constexpr auto kOutcomeNotDone = kv::v1::OUTCOME_NOT_DONE;
constexpr auto kUnknown = kv::v1::OUTCOME_UNKNOWN;

struct Row {
  const char* name;
  absl::Status status;
  bool write;
  bool repeatable;
  bool repeat;
  Action action;
  bool maybe_applied;
};

absl::Status Typed(kv::v1::Reason reason, kv::v1::Outcome outcome = kOutcomeNotDone,
                   uint32_t retry_delay_ms = 0) {
  kv::v1::ErrorDetail detail;
  detail.set_reason(reason);
  detail.set_outcome(outcome);
  detail.set_retry_delay_ms(retry_delay_ms);
  return MakeError(detail, "x");
}

std::vector<Row> TransportErrors() {
  const absl::Status broken = absl::UnavailableError("connection reset");
  const absl::Status late = absl::DeadlineExceededError("late");
  return {
      // name, status, write, repeatable, repeat → action, maybe applied
      {"broken read", broken, false, true, false, Action::kElsewhere, false},
      {"broken write is unknown", broken, true, true, false, Action::kElsewhere, true},
      {"broken write without id", broken, true, false, false, Action::kGiveUp, true},
      {"late write is unknown", late, true, true, false, Action::kElsewhere, true},
      {"never sent", NeverSent("x"), true, false, false, Action::kElsewhere, false},
      {"untyped denial of a read", absl::PermissionDeniedError("x"), false, true, false,
       Action::kGiveUp, false},
      {"untyped denial of a write", absl::PermissionDeniedError("x"), true, true, false,
       Action::kGiveUp, true},
  };
}

std::vector<Row> ServerErrors() {
  return {
      {"bad field", Typed(kv::v1::REASON_INVALID_FIELD), true, true, false, Action::kGiveUp, false},
      {"no key", Typed(kv::v1::REASON_KEY_NOT_FOUND), false, true, false, Action::kGiveUp, false},
      {"no keyspace", Typed(kv::v1::REASON_KEYSPACE_NOT_FOUND), true, true, false,
       Action::kElsewhere, false},
      {"other policy", Typed(kv::v1::REASON_KEYSPACE_EXISTS), true, true, false, Action::kGiveUp,
       false},
      {"condition", Typed(kv::v1::REASON_CONDITION_FALSE), true, true, true, Action::kGiveUp,
       false},
      {"not initialised", Typed(kv::v1::REASON_NOT_INITIALISED), true, true, false,
       Action::kElsewhere, false},
      {"foreign cluster", Typed(kv::v1::REASON_WRONG_CLUSTER), true, true, false, Action::kGiveUp,
       false},
      {"not yet", Typed(kv::v1::REASON_NOT_AVAILABLE_YET), true, true, false, Action::kGiveUp,
       false},
      {"older era", Typed(kv::v1::REASON_TOKEN_OF_OLDER_ERA), false, true, false, Action::kGiveUp,
       false},
      {"not leader", Typed(kv::v1::REASON_NOT_LEADER), true, true, false, Action::kElsewhere,
       false},
      {"no leader", Typed(kv::v1::REASON_NO_LEADER), true, true, false, Action::kElsewhere, false},
      {"wrong node", Typed(kv::v1::REASON_WRONG_NODE), true, true, false, Action::kElsewhere,
       false},
      {"stale epoch", Typed(kv::v1::REASON_STALE_EPOCH), true, true, false, Action::kElsewhere,
       false},
      {"leader lost", Typed(kv::v1::REASON_LEADER_LOST, kUnknown), true, true, false,
       Action::kElsewhere, true},
      {"leader lost, no id", Typed(kv::v1::REASON_LEADER_LOST, kUnknown), true, false, false,
       Action::kGiveUp, true},
      {"leader lost under a read", Typed(kv::v1::REASON_LEADER_LOST, kUnknown), false, true, false,
       Action::kElsewhere, false},
      {"stopping", Typed(kv::v1::REASON_SHUTTING_DOWN), true, true, false, Action::kElsewhere,
       false},
      {"poisoned", Typed(kv::v1::REASON_STORE_POISONED), true, true, false, Action::kElsewhere,
       false},
      {"server's deadline", Typed(kv::v1::REASON_DEADLINE, kUnknown), true, true, false,
       Action::kElsewhere, true},
      {"queue full", Typed(kv::v1::REASON_QUEUE_FULL, kOutcomeNotDone, 50), true, true, false,
       Action::kLater, false},
      {"log full for good", Typed(kv::v1::REASON_LOG_FULL), true, true, false, Action::kGiveUp,
       false},
      {"log full for a while", Typed(kv::v1::REASON_LOG_FULL, kOutcomeNotDone, 50), true, true,
       false, Action::kLater, false},
      {"id expired at first", Typed(kv::v1::REASON_REQUEST_ID_EXPIRED, kUnknown), true, true, false,
       Action::kRenewRequestId, false},
      {"id expired on a repeat", Typed(kv::v1::REASON_REQUEST_ID_EXPIRED, kUnknown), true, true,
       true, Action::kGiveUp, true},
      {"corrupt", Typed(kv::v1::REASON_CORRUPT), false, true, false, Action::kElsewhere, false},
      {"defect", Typed(kv::v1::REASON_INTERNAL_FAULT), false, true, false, Action::kGiveUp, false},
  };
}

TEST(RetryPolicyTest, DecidesAsTheTableSays) {
  for (const auto& rows : {TransportErrors(), ServerErrors()}) {
    for (const Row& row : rows) {
      const AttemptEnd end = EndOf(row.status, row.write, row.repeatable, row.repeat);
      EXPECT_EQ(Decide(end).action, row.action) << row.name;
      EXPECT_EQ(end.maybe_applied, row.maybe_applied) << row.name;
    }
  }
}

TEST(RetryPolicyTest, OnlyAnswersOfTheReplicatedStateSettleEarlierAttempts) {
  for (int reason = kv::v1::Reason_MIN; reason <= kv::v1::Reason_MAX; ++reason) {
    const auto typed = Typed(static_cast<kv::v1::Reason>(reason));
    const bool settles =
        reason == kv::v1::REASON_CONDITION_FALSE || reason == kv::v1::REASON_KEY_NOT_FOUND ||
        reason == kv::v1::REASON_BATCH_NOT_APPLIED || reason == kv::v1::REASON_ANSWER_TOO_LARGE ||
        reason == kv::v1::REASON_NOT_A_NUMBER || reason == kv::v1::REASON_NUMBER_OVERFLOW;
    EXPECT_EQ(Decide(EndOf(typed, true, true, true)).settles_earlier_attempts, settles) << reason;
  }
}

TEST(RetryPolicyTest, BackoffGrowsWithJitterUpToItsBound) {
  SeededRandom random(1);
  for (int draw = 0; draw < 100; ++draw) {
    EXPECT_GE(Backoff(1, random), milliseconds(10));
    EXPECT_LE(Backoff(1, random), milliseconds(20));
    EXPECT_GE(Backoff(3, random), milliseconds(40));
    EXPECT_LE(Backoff(3, random), milliseconds(80));
    EXPECT_LE(Backoff(1000, random), milliseconds(320));
  }
}

TEST(RetryPolicyTest, AdvisedPausesAreSpreadAndNeverShorter) {
  SeededRandom random(1);
  Duration least = Duration::max();
  Duration most = Duration::zero();
  for (int draw = 0; draw < 100; ++draw) {
    const Duration pause = PauseAsAdvised(milliseconds(1000), 1, random);
    least = std::min(least, pause);
    most = std::max(most, pause);
    EXPECT_GE(PauseAsAdvised(milliseconds(0), 3, random), milliseconds(40)) << "backs off anyway";
  }
  EXPECT_GE(least, milliseconds(1000));
  EXPECT_LE(most, milliseconds(1500));
  EXPECT_GT(most - least, milliseconds(300));
}

TEST(RetryPolicyTest, AttemptTimeoutGrowsAndNeverExceedsWhatIsLeft) {
  EXPECT_EQ(AttemptTimeout(0, milliseconds(5000)), milliseconds(1000));
  EXPECT_EQ(AttemptTimeout(1, milliseconds(5000)), milliseconds(2000));
  EXPECT_EQ(AttemptTimeout(2, milliseconds(3000)), milliseconds(3000));
  EXPECT_EQ(AttemptTimeout(0, milliseconds(300)), milliseconds(300));
}

}  // namespace
}  // namespace quorate::client
