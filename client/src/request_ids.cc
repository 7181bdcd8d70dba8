#include "client/src/request_ids.h"

#include <chrono>

namespace quorate::client {

uint64_t RequestIds::Estimate(MonotonicTime now) const {
  if (told_us_ == 0) {
    return 0;
  }
  const auto passed = std::chrono::duration_cast<std::chrono::microseconds>(now - told_at_).count();
  return told_us_ + static_cast<uint64_t>(passed > 0 ? passed : 0);
}

RequestId RequestIds::Next(MonotonicTime now, uint64_t count) {
  MutexLock lock(&mutex_);
  const uint64_t first = sequence_ + 1;
  sequence_ += count;
  return {.client_id = client_id_, .sequence = first, .cluster_time_us = Estimate(now)};
}

void RequestIds::NoteClusterTime(uint64_t cluster_time_us, MonotonicTime now) {
  MutexLock lock(&mutex_);
  if (cluster_time_us > Estimate(now)) {
    told_us_ = cluster_time_us;
    told_at_ = now;
  }
}

}  // namespace quorate::client
