// Texts of options as values.
//
// Each answers a message without the option's name, which the caller puts in front; empty: fine.
#ifndef SERVER_NODE_OPTIONS_VALUES_H_
#define SERVER_NODE_OPTIONS_VALUES_H_

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <string>
#include <system_error>

#include "server/runtime/clock.h"

namespace quorate {

using Problem = std::string;

template <class T>
Problem SetNumber(const std::string& text, T least, T most, T* number) {
  T parsed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
  if (error != std::errc() || end != text.data() + text.size() || parsed < least || parsed > most) {
    return fmt::format("'{}' is not a number from {} to {}", text, least, most);
  }
  *number = parsed;
  return "";
}

// Bytes, or with a unit: 512KiB, 256MiB, 4GiB.
Problem SetBytes(const std::string& text, uint64_t least, uint64_t most, uint64_t* bytes);
// 500ms, 30s, 2m.
Problem SetDuration(const std::string& text, Duration least, Duration* duration);

// "1 MiB" for people, of a number that the largest unit divides.
std::string BytesText(uint64_t bytes);

}  // namespace quorate

#endif  // SERVER_NODE_OPTIONS_VALUES_H_
