#include "server/service/batch_result.h"

#include <string>
#include <utility>

#include "proto/error_detail.h"

namespace quorate {

using internal::v1::AppliedResult;
using kv::v1::BatchResult;

absl::Status KeyNotFound() {
  return MakeError(kv::v1::REASON_KEY_NOT_FOUND, kv::v1::OUTCOME_NOT_DONE, "no such key");
}

namespace {

// Judged when applied, and not done.
absl::Status Judged(kv::v1::Reason reason, const AppliedResult& result, const char* message) {
  kv::v1::ErrorDetail detail;
  detail.set_reason(reason);
  detail.set_outcome(kv::v1::OUTCOME_NOT_DONE);
  detail.set_current_version(result.version());
  return MakeError(detail, message);
}

}  // namespace

absl::Status ConditionIsFalse(const AppliedResult& result) {
  return Judged(kv::v1::REASON_CONDITION_FALSE, result,
                result.version().empty() ? "the condition is false: the key is absent"
                                         : "the condition is false: the key has another version");
}

absl::Status RefusalOf(const AppliedResult& result) {
  if (result.condition_false()) {
    return ConditionIsFalse(result);
  }
  if (result.not_a_number()) {
    return Judged(kv::v1::REASON_NOT_A_NUMBER, result,
                  "the key's value is not the decimal text of a 64-bit number");
  }
  if (result.number_overflow()) {
    return Judged(kv::v1::REASON_NUMBER_OVERFLOW, result,
                  "the sum is out of the range of a 64-bit number");
  }
  return absl::OkStatus();
}

absl::Status AnswerTooLarge() {
  return MakeError(kv::v1::REASON_ANSWER_TOO_LARGE, kv::v1::OUTCOME_NOT_DONE,
                   "the values read are more than one answer holds: ask for fewer keys at a time");
}

BatchResult RefusedResult(const absl::Status& status) {
  BatchResult result;
  result.set_code(static_cast<int32_t>(status.code()));
  result.set_message(std::string(status.message()));
  if (const auto detail = DetailOf(status)) {
    *result.mutable_error() = *detail;
  }
  return result;
}

BatchResult ReadResult(ReadAnswer answer) {
  if (!answer.found) {
    BatchResult result = RefusedResult(KeyNotFound());
    result.set_served_by(answer.served_by);
    return result;
  }
  BatchResult result;
  result.set_version(std::move(answer.version));
  result.set_value(std::move(answer.value));
  result.set_served_by(answer.served_by);
  return result;
}

BatchResult StepResult(AppliedResult step, bool is_get, bool repeated) {
  BatchResult result;
  if (step.expired_step()) {
    return RefusedResult(MakeError(kv::v1::REASON_REQUEST_ID_EXPIRED, kv::v1::OUTCOME_UNKNOWN,
                                   "the request id is older than what the partition remembers: "
                                   "whether it was applied is not known; read the key"));
  }
  if (const absl::Status refused = RefusalOf(step); !refused.ok()) {
    result = RefusedResult(refused);
  } else if (step.not_applied()) {
    result =
        RefusedResult(MakeError(kv::v1::REASON_BATCH_NOT_APPLIED, kv::v1::OUTCOME_NOT_DONE,
                                "another operation could not be done, so nothing of the atomic "
                                "batch was applied"));
  } else if (is_get && !step.has_value()) {
    result = RefusedResult(KeyNotFound());
  } else {
    result.set_version(step.version());
    result.set_value(std::move(*step.mutable_value()));
    result.set_existed(step.existed());
    result.set_number(step.number());
  }
  result.set_served_by(repeated || step.repeated_step() ? kv::v1::SERVED_BY_REQUEST_MEMORY
                                                        : kv::v1::SERVED_BY_COMMIT);
  return result;
}

}  // namespace quorate
