// Keys and values are bytes: how they are typed in and printed.
#ifndef TOOLS_KVCTL_ENCODING_H_
#define TOOLS_KVCTL_ENCODING_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace quorate::kvctl {

enum class Encoding : uint8_t { kText, kHex, kBase64 };

std::string ToHex(std::string_view bytes);
std::string ToBase64(std::string_view bytes);
// INVALID_ARGUMENT when the text is not hexadecimal, or not base64 with padding.
absl::StatusOr<std::string> FromHex(std::string_view text);
absl::StatusOr<std::string> FromBase64(std::string_view text);

std::string Encode(std::string_view bytes, Encoding encoding);
absl::StatusOr<std::string> Decode(std::string_view text, Encoding encoding);

// Strict: no overlong forms, no surrogates, nothing above U+10FFFF.
bool IsUtf8(std::string_view bytes);

// For people: as it is when it is printable text, else quoted with \xNN.
std::string Printable(std::string_view bytes);

}  // namespace quorate::kvctl

#endif  // TOOLS_KVCTL_ENCODING_H_
