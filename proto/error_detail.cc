#include "proto/error_detail.h"

#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"

namespace quorate {
namespace {

constexpr char kTypeUrl[] = "type.googleapis.com/kv.v1.ErrorDetail";

void Attach(const kv::v1::ErrorDetail& detail, absl::Status* status) {
  // By view: Debian's Abseil has no symbol for clang's mangling of Cord's string constructor.
  const std::string bytes = detail.SerializeAsString();
  status->SetPayload(kTypeUrl, absl::Cord(absl::string_view(bytes.data(), bytes.size())));
}

}  // namespace

absl::StatusCode CodeOf(kv::v1::Reason reason) {
  switch (reason) {
    case kv::v1::REASON_INVALID_FIELD:
      return absl::StatusCode::kInvalidArgument;
    case kv::v1::REASON_KEY_NOT_FOUND:
    case kv::v1::REASON_KEYSPACE_NOT_FOUND:
      return absl::StatusCode::kNotFound;
    case kv::v1::REASON_KEYSPACE_EXISTS:
      return absl::StatusCode::kAlreadyExists;
    case kv::v1::REASON_CONDITION_FALSE:
    case kv::v1::REASON_NOT_INITIALISED:
    case kv::v1::REASON_WRONG_CLUSTER:
    case kv::v1::REASON_NOT_AVAILABLE_YET:
    case kv::v1::REASON_TOKEN_OF_OLDER_ERA:
    case kv::v1::REASON_NOT_A_NUMBER:
    case kv::v1::REASON_NUMBER_OVERFLOW:
      return absl::StatusCode::kFailedPrecondition;
    case kv::v1::REASON_NOT_LEADER:
    case kv::v1::REASON_NO_LEADER:
    case kv::v1::REASON_WRONG_NODE:
    case kv::v1::REASON_STALE_EPOCH:
    case kv::v1::REASON_LEADER_LOST:
    case kv::v1::REASON_SHUTTING_DOWN:
    case kv::v1::REASON_STORE_POISONED:
      return absl::StatusCode::kUnavailable;
    case kv::v1::REASON_DEADLINE:
      return absl::StatusCode::kDeadlineExceeded;
    case kv::v1::REASON_QUEUE_FULL:
    case kv::v1::REASON_LOG_FULL:
    case kv::v1::REASON_MEMORY_PRESSURE:
    case kv::v1::REASON_ANSWER_TOO_LARGE:
      return absl::StatusCode::kResourceExhausted;
    case kv::v1::REASON_REQUEST_ID_EXPIRED:
    case kv::v1::REASON_BATCH_NOT_APPLIED:
      return absl::StatusCode::kAborted;
    case kv::v1::REASON_CORRUPT:
      return absl::StatusCode::kDataLoss;
    default:
      return absl::StatusCode::kInternal;
  }
}

absl::Status MakeError(const kv::v1::ErrorDetail& detail, const std::string& message) {
  absl::Status status(CodeOf(detail.reason()), message);
  Attach(detail, &status);
  return status;
}

absl::Status MakeError(kv::v1::Reason reason, kv::v1::Outcome outcome, const std::string& message) {
  kv::v1::ErrorDetail detail;
  detail.set_reason(reason);
  detail.set_outcome(outcome);
  return MakeError(detail, message);
}

absl::Status NeverSent(const std::string& message) {
  kv::v1::ErrorDetail detail;
  detail.set_outcome(kv::v1::OUTCOME_NOT_DONE);
  absl::Status status(absl::StatusCode::kUnavailable, message);
  Attach(detail, &status);
  return status;
}

bool IsNeverSent(const absl::Status& status) {
  const auto detail = DetailOf(status);
  return status.code() == absl::StatusCode::kUnavailable && detail &&
         detail->reason() == kv::v1::REASON_UNSPECIFIED &&
         detail->outcome() == kv::v1::OUTCOME_NOT_DONE;
}

absl::Status InvalidField(const std::string& field, const std::string& message) {
  kv::v1::ErrorDetail detail;
  detail.set_reason(kv::v1::REASON_INVALID_FIELD);
  detail.set_outcome(kv::v1::OUTCOME_NOT_DONE);
  detail.set_field(field);
  return MakeError(detail, field + ": " + message);
}

std::optional<kv::v1::ErrorDetail> DetailOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kTypeUrl);
  kv::v1::ErrorDetail detail;
  if (!payload || !detail.ParseFromString(std::string(*payload))) {
    return std::nullopt;
  }
  return detail;
}

kv::v1::Reason ReasonOf(const absl::Status& status) {
  const auto detail = DetailOf(status);
  return detail ? detail->reason() : kv::v1::REASON_UNSPECIFIED;
}

kv::v1::Outcome OutcomeOf(const absl::Status& status) {
  const auto detail = DetailOf(status);
  return detail && detail->outcome() != kv::v1::OUTCOME_UNSPECIFIED ? detail->outcome()
                                                                    : kv::v1::OUTCOME_UNKNOWN;
}

}  // namespace quorate
