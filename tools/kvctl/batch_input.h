// The lines of a batch: one operation each, as JSON.
#ifndef TOOLS_KVCTL_BATCH_INPUT_H_
#define TOOLS_KVCTL_BATCH_INPUT_H_

#include <istream>
#include <string_view>

#include "absl/status/statusor.h"
#include "quorate/batch.h"

namespace quorate::kvctl {

// {"op":"get"|"put"|"del"|"increment", "key":…, "value":…, "if_absent":true, "if_version":"<32 hex
// digits>", "delta":1};
// key_b64 and value_b64 for bytes that are not UTF-8. INVALID_ARGUMENT saying what is wrong: a
// field that is missing, of a wrong type, unknown, or has no meaning for the operation.
absl::StatusOr<client::BatchOperation> ParseBatchLine(std::string_view line);

// All lines; empty ones are skipped. Errors name the line; one is that there are too many.
absl::StatusOr<client::BatchOperations> ReadBatch(std::istream& in);

}  // namespace quorate::kvctl

#endif  // TOOLS_KVCTL_BATCH_INPUT_H_
