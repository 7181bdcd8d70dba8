// From what replication answers to the result of one operation of a batch. Pure.
#ifndef SERVER_SERVICE_BATCH_RESULT_H_
#define SERVER_SERVICE_BATCH_RESULT_H_

#include "absl/status/status.h"
#include "internal/v1/command.pb.h"
#include "kv/v1/key_value.pb.h"
#include "server/replication/replica_host.h"

namespace quorate {

// Also the answers of single operations.
[[nodiscard]] absl::Status KeyNotFound();
[[nodiscard]] absl::Status ConditionIsFalse(const internal::v1::AppliedResult& result);
// Why a single write was judged and not done; OK: it was.
[[nodiscard]] absl::Status RefusalOf(const internal::v1::AppliedResult& result);
// A batch asks for more than one answer holds.
[[nodiscard]] absl::Status AnswerTooLarge();

[[nodiscard]] kv::v1::BatchResult RefusedResult(const absl::Status& status);
[[nodiscard]] kv::v1::BatchResult ReadResult(ReadAnswer answer);
// `repeated`: the command as a whole was a repeat.
[[nodiscard]] kv::v1::BatchResult StepResult(internal::v1::AppliedResult step, bool is_get,
                                             bool repeated);

}  // namespace quorate

#endif  // SERVER_SERVICE_BATCH_RESULT_H_
