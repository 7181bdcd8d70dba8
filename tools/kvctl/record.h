// A key and a value as one line of JSON: what export and scan print and import reads.
#ifndef TOOLS_KVCTL_RECORD_H_
#define TOOLS_KVCTL_RECORD_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "nlohmann/json_fwd.hpp"

namespace quorate::kvctl {

struct Record {
  std::string key;
  std::string value;
};

// Sets `name` when the bytes are UTF-8 and `base64` is not asked for, else `name`_b64.
void SetBytes(nlohmann::ordered_json& json, const std::string& name, std::string_view bytes,
              bool base64 = false);

// Takes the bytes of `name` or `name`_b64 out of an object. INVALID_ARGUMENT: neither, both, not a
// string, not base64.
absl::StatusOr<std::string> TakeBytes(nlohmann::ordered_json& json, const std::string& name);

// {"key": …, "value": …}, or key_b64 and value_b64 for bytes that are not UTF-8; without a line
// end.
std::string RecordLine(const Record& record);

// INVALID_ARGUMENT saying what is wrong: not a JSON object, a field missing, given twice in both
// forms, not a string, not base64, or unknown. A "version" (as scan prints) is allowed and ignored.
absl::StatusOr<Record> ParseRecord(std::string_view line);

}  // namespace quorate::kvctl

#endif  // TOOLS_KVCTL_RECORD_H_
