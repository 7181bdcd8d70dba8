// Gives each write its name.
#ifndef CLIENT_SRC_REQUEST_IDS_H_
#define CLIENT_SRC_REQUEST_IDS_H_

#include <array>
#include <cstdint>

#include "quorate/result.h"
#include "server/runtime/mutex.h"
#include "server/runtime/runtime.h"

namespace quorate::client {

// Client id, a sequence from 1, and the cluster's time: the highest that servers have told, moved
// on by this process's own monotonic clock. The time never goes back, so that ids of one client are
// forgotten in the order they were given. One per client; any thread.
class RequestIds {
 public:
  explicit RequestIds(const std::array<uint8_t, 16>& client_id) : client_id_(client_id) {}

  // The id with the first of so many sequences of one's own.
  RequestId Next(MonotonicTime now, uint64_t count = 1);
  // A server answered with the cluster's time (microseconds).
  void NoteClusterTime(uint64_t cluster_time_us, MonotonicTime now);

 private:
  [[nodiscard]] uint64_t Estimate(MonotonicTime now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::array<uint8_t, 16> client_id_;
  Mutex mutex_;
  uint64_t sequence_ ABSL_GUARDED_BY(mutex_) = 0;
  // The cluster's time told at a moment of our clock; 0: none told yet.
  uint64_t told_us_ ABSL_GUARDED_BY(mutex_) = 0;
  MonotonicTime told_at_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quorate::client

#endif  // CLIENT_SRC_REQUEST_IDS_H_
