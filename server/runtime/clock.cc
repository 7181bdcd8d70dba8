#include "server/runtime/clock.h"

#include <ctime>

#include "server/runtime/check.h"

namespace quorate {
namespace {

std::chrono::nanoseconds Read(clockid_t id) {
  timespec now{};
  QUORATE_CHECK(clock_gettime(id, &now) == 0);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace

MonotonicTime KernelClock::Now() const { return MonotonicTime(Read(CLOCK_BOOTTIME)); }

WallMicros KernelClock::WallNow() const {
  return std::chrono::duration_cast<std::chrono::microseconds>(Read(CLOCK_REALTIME)).count();
}

}  // namespace quorate
