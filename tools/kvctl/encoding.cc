#include "tools/kvctl/encoding.h"

#include <array>

#include "fmt/format.h"

namespace quorate::kvctl {
namespace {

constexpr std::string_view kBase64Digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int HexDigit(char digit) {
  if (digit >= '0' && digit <= '9') {
    return digit - '0';
  }
  if (digit >= 'a' && digit <= 'f') {
    return digit - 'a' + 10;
  }
  if (digit >= 'A' && digit <= 'F') {
    return digit - 'A' + 10;
  }
  return -1;
}

// Length of the UTF-8 sequence at the start of `bytes`; 0: none is well-formed.
size_t SequenceLength(std::string_view bytes) {
  const auto at = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  const uint8_t first = at(0);
  if (first < 0x80) {
    return 1;
  }
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || bytes.size() < length) {
    return 0;
  }
  for (size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xc0) != 0x80) {
      return 0;
    }
  }
  const bool overlong = (first == 0xe0 && at(1) < 0xa0) || (first == 0xf0 && at(1) < 0x90);
  const bool surrogate = first == 0xed && at(1) >= 0xa0;
  const bool too_high = first == 0xf4 && at(1) >= 0x90;
  return overlong || surrogate || too_high ? 0 : length;
}

}  // namespace

std::string ToHex(std::string_view bytes) {
  std::string hex;
  hex.reserve(2 * bytes.size());
  for (const char byte : bytes) {
    fmt::format_to(std::back_inserter(hex), "{:02x}", static_cast<uint8_t>(byte));
  }
  return hex;
}

std::string ToBase64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t word = 0;
    for (size_t j = 0; j < 3; ++j) {
      word = word << 8 | (i + j < bytes.size() ? static_cast<uint8_t>(bytes[i + j]) : 0u);
    }
    for (size_t j = 0; j < 4; ++j) {
      const bool padding = i + j > bytes.size();
      out += padding ? '=' : kBase64Digits[word >> (18 - 6 * j) & 63];
    }
  }
  return out;
}

absl::StatusOr<std::string> FromHex(std::string_view text) {
  std::string bytes;
  if (text.size() % 2 != 0) {
    return absl::InvalidArgumentError("hexadecimal text has an odd number of digits");
  }
  for (size_t i = 0; i < text.size(); i += 2) {
    const int high = HexDigit(text[i]);
    const int low = HexDigit(text[i + 1]);
    if (high < 0 || low < 0) {
      return absl::InvalidArgumentError(
          fmt::format("not hexadecimal at character {}", high < 0 ? i + 1 : i + 2));
    }
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

absl::StatusOr<std::string> FromBase64(std::string_view text) {
  const absl::Status malformed = absl::InvalidArgumentError("not base64 (with padding)");
  if (text.size() % 4 != 0) {
    return malformed;
  }
  size_t digits = text.size();
  while (digits > 0 && text.size() - digits < 2 && text[digits - 1] == '=') {
    --digits;
  }
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  uint32_t word = 0;
  int bits = 0;
  for (size_t i = 0; i < digits; ++i) {
    const size_t digit = kBase64Digits.find(text[i]);
    if (digit == std::string_view::npos) {
      return malformed;
    }
    word = word << 6 | static_cast<uint32_t>(digit);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes += static_cast<char>(word >> bits & 255);
    }
  }
  // Bits beyond the last byte must be zero, or two texts would mean the same bytes.
  if ((word & ((1u << bits) - 1)) != 0) {
    return malformed;
  }
  return bytes;
}

std::string Encode(std::string_view bytes, Encoding encoding) {
  switch (encoding) {
    case Encoding::kHex:
      return ToHex(bytes);
    case Encoding::kBase64:
      return ToBase64(bytes);
    case Encoding::kText:
      break;
  }
  return std::string(bytes);
}

absl::StatusOr<std::string> Decode(std::string_view text, Encoding encoding) {
  switch (encoding) {
    case Encoding::kHex:
      return FromHex(text);
    case Encoding::kBase64:
      return FromBase64(text);
    case Encoding::kText:
      break;
  }
  return std::string(text);
}

bool IsUtf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t length = SequenceLength(bytes);
    if (length == 0) {
      return false;
    }
    bytes.remove_prefix(length);
  }
  return true;
}

std::string Printable(std::string_view bytes) {
  bool plain = IsUtf8(bytes);
  for (const char byte : bytes) {
    plain = plain && static_cast<uint8_t>(byte) >= 0x20 && byte != 0x7f;
  }
  if (plain) {
    return std::string(bytes);
  }
  std::string out = "\"";
  for (const char byte : bytes) {
    const auto value = static_cast<uint8_t>(byte);
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += byte;
    } else if (value >= 0x20 && value < 0x7f) {
      out += byte;
    } else {
      out += fmt::format("\\x{:02x}", value);
    }
  }
  return out + "\"";
}

}  // namespace quorate::kvctl
