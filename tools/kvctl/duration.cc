#include "tools/kvctl/duration.h"

#include <charconv>

namespace quorate::kvctl {

std::optional<std::chrono::nanoseconds> ParseDuration(std::string_view text) {
  double number = 0;
  const auto parsed =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (parsed.ec != std::errc()) {
    return std::nullopt;
  }
  const std::string_view unit = text.substr(static_cast<size_t>(parsed.ptr - text.data()));
  double seconds = 0;
  if (unit.empty() || unit == "s") {
    seconds = number;
  } else if (unit == "ms") {
    seconds = number / 1000;
  } else if (unit == "m") {
    seconds = number * 60;
  } else if (unit == "h") {
    seconds = number * 3600;
  } else {
    return std::nullopt;
  }
  if (!(seconds > 0) || seconds > 86400) {
    return std::nullopt;
  }
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double>(seconds));
}

}  // namespace quorate::kvctl
