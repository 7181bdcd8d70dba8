// How long a disk takes at present, so that waits for it fit a slow one.
#ifndef RAFT_DISK_PACE_H_
#define RAFT_DISK_PACE_H_

#include <algorithm>
#include <chrono>

#include "raft/types.h"

namespace quorate::raft {

// On a disk whose fsyncs take longer than an election time-out, fixed time-outs would depose every
// leader and end every campaign before the votes can be durable: no group would ever be led. So a
// wait is stretched to what writes took of late. On a quick disk it adds nothing worth mentioning.
// One thread.
class DiskPace {
 public:
  // Twice the pace is waited for, and never longer than this more than on a quick disk: so a disk
  // that was stuck for minutes does not make the group slow when it is well again.
  static constexpr Duration kWaitMax = std::chrono::milliseconds(4800);

  // A write took this long.
  void Took(Duration time, MonotonicTime now) {
    slowest_ = std::max(time, SlowestLately(now));
    at_ = now;
  }

  // About the longest that a write takes: that of the slowest one, less a quarter of the time that
  // went by since. Zero at first.
  [[nodiscard]] Duration SlowestLately(MonotonicTime now) const {
    return std::max(slowest_ - (now - at_) / 4, Duration(0));
  }
  // What to wait for writes of this disk on top of everything else.
  [[nodiscard]] Duration Wait(MonotonicTime now) const {
    return std::min(2 * SlowestLately(now), kWaitMax);
  }

 private:
  Duration slowest_{0};
  MonotonicTime at_;
};

}  // namespace quorate::raft

#endif  // RAFT_DISK_PACE_H_
