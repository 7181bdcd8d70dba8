// One simulated node's clocks, which may run fast or slow and, the wall clock, jump.
#ifndef TESTS_SIM_SIM_CLOCK_H_
#define TESTS_SIM_SIM_CLOCK_H_

#include "server/runtime/runtime.h"
#include "tests/sim/sim_scheduler.h"

namespace quorate::sim {

// Owned by SimRuntime; survives crashes of its node, as a machine's clock does.
class SimClock final : public Clock {
 public:
  // `boot_offset` is how long before the run's start this machine was booted (or less than zero, as
  // long as Now() stays positive): boot-time clocks of two nodes have nothing to do with each
  // other.
  SimClock(const SimScheduler* scheduler, Duration boot_offset);

  [[nodiscard]] MonotonicTime Now() const override;
  [[nodiscard]] WallMicros WallNow() const override;

  // Both clocks at their present reading go on at `rate` times virtual time; > 0.
  void SetBootRate(double rate);
  void SetWallRate(double rate);
  // Moves the wall clock, forwards or backwards.
  void JumpWall(std::chrono::microseconds by);

  // When, in virtual time, Now() will show `when`, should the rate stay.
  [[nodiscard]] MonotonicTime ToVirtual(MonotonicTime when) const;

 private:
  // A clock as a straight line through (virtual `anchor`, `reading`).
  struct Line {
    MonotonicTime anchor;
    std::chrono::nanoseconds reading;
    double rate = 1.0;

    [[nodiscard]] std::chrono::nanoseconds ReadAt(MonotonicTime now) const;
    void SetRate(MonotonicTime now, double new_rate);
  };

  const SimScheduler* const scheduler_;
  Line boot_;
  Line wall_;
};

}  // namespace quorate::sim

#endif  // TESTS_SIM_SIM_CLOCK_H_
