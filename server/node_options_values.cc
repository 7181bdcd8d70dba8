#include "server/node_options_values.h"

#include <chrono>
#include <iterator>
#include <map>

namespace quorate {

Problem SetBytes(const std::string& text, uint64_t least, uint64_t most, uint64_t* bytes) {
  static const std::map<std::string, int> kShifts = {{"", 0},   {"KiB", 10}, {"K", 10}, {"MiB", 20},
                                                     {"M", 20}, {"GiB", 30}, {"G", 30}};
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const auto shift = kShifts.find(std::string(end, text.data() + text.size()));
  if (error != std::errc() || shift == kShifts.end() || number > (uint64_t{1} << 20) << 20) {
    return fmt::format("'{}' is not a size; write bytes, or 512KiB, 256MiB, 4GiB", text);
  }
  const uint64_t size = number << shift->second;
  if (number > most >> shift->second || size < least) {
    return fmt::format("'{}' is not a size from {} to {}", text, BytesText(least), BytesText(most));
  }
  *bytes = size;
  return "";
}

Problem SetDuration(const std::string& text, Duration least, Duration* duration) {
  static const std::map<std::string, Duration> kUnits = {{"ms", std::chrono::milliseconds(1)},
                                                         {"s", std::chrono::seconds(1)},
                                                         {"m", std::chrono::minutes(1)}};
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const auto unit = kUnits.find(std::string(end, text.data() + text.size()));
  if (error != std::errc() || unit == kUnits.end() || number > Duration::max() / unit->second ||
      number * unit->second < least) {
    return fmt::format("'{}' is not a time of {} ms or more; write 500ms, 30s, 2m", text,
                       std::chrono::duration_cast<std::chrono::milliseconds>(least).count());
  }
  *duration = number * unit->second;
  return "";
}

std::string BytesText(uint64_t bytes) {
  static constexpr const char* kUnits[] = {"", "KiB", "MiB", "GiB"};
  size_t unit = 0;
  while (bytes >= 1024 && bytes % 1024 == 0 && unit + 1 < std::size(kUnits)) {
    bytes /= 1024;
    ++unit;
  }
  return fmt::format("{}{}", bytes, kUnits[unit]);
}

}  // namespace quorate
