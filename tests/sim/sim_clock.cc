#include "tests/sim/sim_clock.h"

#include <cmath>

#include "server/runtime/check.h"

namespace quorate::sim {
namespace {

// The wall clock shows 2024-01-01T00:00:00Z when a run begins.
constexpr std::chrono::seconds kWallStart{1'704'067'200};

}  // namespace

SimClock::SimClock(const SimScheduler* scheduler, Duration boot_offset)
    : scheduler_(scheduler),
      boot_{scheduler->Now(), scheduler->Now().time_since_epoch() + boot_offset},
      wall_{scheduler->Now(), kWallStart} {
  QUORATE_CHECK(Now() > MonotonicTime());
}

std::chrono::nanoseconds SimClock::Line::ReadAt(MonotonicTime now) const {
  const Duration elapsed = now - anchor;
  if (rate == 1.0) return reading + elapsed;
  return reading + Duration(static_cast<int64_t>(static_cast<double>(elapsed.count()) * rate));
}

void SimClock::Line::SetRate(MonotonicTime now, double new_rate) {
  QUORATE_CHECK(new_rate > 0);
  reading = ReadAt(now);
  anchor = now;
  rate = new_rate;
}

MonotonicTime SimClock::Now() const { return MonotonicTime(boot_.ReadAt(scheduler_->Now())); }

WallMicros SimClock::WallNow() const {
  return std::chrono::duration_cast<std::chrono::microseconds>(wall_.ReadAt(scheduler_->Now()))
      .count();
}

void SimClock::SetBootRate(double rate) { boot_.SetRate(scheduler_->Now(), rate); }

void SimClock::SetWallRate(double rate) { wall_.SetRate(scheduler_->Now(), rate); }

void SimClock::JumpWall(std::chrono::microseconds by) { wall_.reading += by; }

MonotonicTime SimClock::ToVirtual(MonotonicTime when) const {
  const Duration left = when - Now();
  if (boot_.rate == 1.0) return scheduler_->Now() + left;
  return scheduler_->Now() +
         Duration(static_cast<int64_t>(std::ceil(static_cast<double>(left.count()) / boot_.rate)));
}

}  // namespace quorate::sim
