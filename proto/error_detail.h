// Errors with a typed detail: how absl::Status carries a kv.v1.ErrorDetail, on both sides of the
// wire. The table of reasons, codes and what callers should do is in kv/v1/errors.proto.
#ifndef PROTO_ERROR_DETAIL_H_
#define PROTO_ERROR_DETAIL_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "kv/v1/errors.pb.h"

namespace quorate {

// The gRPC code that belongs to a reason.
[[nodiscard]] absl::StatusCode CodeOf(kv::v1::Reason reason);

// A status with the reason's code and a detail. `message` names the offending thing and the fix.
[[nodiscard]] absl::Status MakeError(kv::v1::Reason reason, kv::v1::Outcome outcome,
                                     const std::string& message);
// The same from a filled detail (leader hint, retry delay, placement…).
[[nodiscard]] absl::Status MakeError(const kv::v1::ErrorDetail& detail, const std::string& message);
// UNAVAILABLE from a transport: the request certainly never left this process, so it is not done.
// No reason, since no server gave one.
[[nodiscard]] absl::Status NeverSent(const std::string& message);
[[nodiscard]] bool IsNeverSent(const absl::Status& status);
// INVALID_ARGUMENT naming the field; not done.
[[nodiscard]] absl::Status InvalidField(const std::string& field, const std::string& message);

// The detail, or nothing when the status is OK or carries none.
[[nodiscard]] std::optional<kv::v1::ErrorDetail> DetailOf(const absl::Status& status);
[[nodiscard]] kv::v1::Reason ReasonOf(const absl::Status& status);
// OUTCOME_UNKNOWN for any error without a detail: the safe reading for a write.
[[nodiscard]] kv::v1::Outcome OutcomeOf(const absl::Status& status);

}  // namespace quorate

#endif  // PROTO_ERROR_DETAIL_H_
