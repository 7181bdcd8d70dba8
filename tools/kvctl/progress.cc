#include "tools/kvctl/progress.h"

#include <unistd.h>
#include <cmath>

#include <algorithm>
#include <cstdio>

#include "fmt/format.h"

namespace quorate::kvctl {
namespace {

constexpr size_t kBarWidth = 24;
constexpr double kTerminalInterval = 0.1;
constexpr double kLogInterval = 5;

}  // namespace

std::string ProgressLine(const ProgressState& state) {
  const double rate = state.seconds > 0 ? static_cast<double>(state.records) / state.seconds : 0;
  const std::string counts = fmt::format("{} records  {:.0f}/s", state.records, rate);
  if (state.bytes_total == 0) {
    return counts;
  }
  const double share =
      std::min(1.0, static_cast<double>(state.bytes) / static_cast<double>(state.bytes_total));
  const auto filled = static_cast<size_t>(share * kBarWidth);
  std::string bar(filled, '=');
  if (filled < kBarWidth) {
    bar += '>';
  }
  bar.resize(kBarWidth, ' ');
  const double left = share > 0 ? state.seconds / share - state.seconds : 0;
  const auto eta = static_cast<int>(std::lround(left));
  return fmt::format("[{}] {:3.0f} %  {}  ETA {}:{:02}", bar, share * 100, counts, eta / 60,
                     eta % 60);
}

Progress::Progress() : terminal_(isatty(STDERR_FILENO) != 0) {}

void Progress::Update(const ProgressState& state) {
  if (state.seconds - last_seconds_ < (terminal_ ? kTerminalInterval : kLogInterval)) {
    return;
  }
  last_seconds_ = state.seconds;
  if (terminal_) {
    fmt::print(stderr, "\r\x1b[K{}", ProgressLine(state));
    std::fflush(stderr);
    drawn_ = true;
  } else {
    fmt::print(stderr, "{}\n", ProgressLine(state));
  }
}

void Progress::Clear() {
  if (drawn_) {
    fmt::print(stderr, "\r\x1b[K");
    drawn_ = false;
  }
}

}  // namespace quorate::kvctl
