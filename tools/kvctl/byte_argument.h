// Keys and values on the command line.
#ifndef TOOLS_KVCTL_BYTE_ARGUMENT_H_
#define TOOLS_KVCTL_BYTE_ARGUMENT_H_

#include <string>

#include "absl/status/statusor.h"
#include "tools/kvctl/encoding.h"

namespace quorate::kvctl {

// "@FILE": the file's bytes; "-": what comes from standard input; both as they are. "@@…": the text
// "@…". All else is decoded. INVALID_ARGUMENT when it cannot be read or decoded, or when standard
// input is wanted a second time.
absl::StatusOr<std::string> ReadByteArgument(const std::string& text, Encoding encoding);

}  // namespace quorate::kvctl

#endif  // TOOLS_KVCTL_BYTE_ARGUMENT_H_
