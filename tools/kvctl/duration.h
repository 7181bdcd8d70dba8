// Times as typed on the command line.
#ifndef TOOLS_KVCTL_DURATION_H_
#define TOOLS_KVCTL_DURATION_H_

#include <chrono>
#include <optional>
#include <string_view>

namespace quorate::kvctl {

// "5s", "250ms", "1.5m", "1h"; a bare number is seconds. More than 0, at most a day.
std::optional<std::chrono::nanoseconds> ParseDuration(std::string_view text);

}  // namespace quorate::kvctl

#endif  // TOOLS_KVCTL_DURATION_H_
