// Where one request spent its time on this node: what the slow-request log tells.
#ifndef SERVER_REPLICATION_REQUEST_TRACE_H_
#define SERVER_REPLICATION_REQUEST_TRACE_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "server/runtime/runtime.h"

namespace quorate {

// In the order in which a request passes them, but for kDurable: a majority of other nodes may be
// faster than this node's own disk.
enum class RequestStage : uint8_t {
  kHandedOver,  // to the replica's worker
  kTaken,       // by the worker; a write is proposed now
  kDurable,     // writes: in this node's own log
  kCommitted,   // writes: a majority has it; reads: leadership is confirmed
};
constexpr size_t kRequestStages = 4;

// When a request passed its stages. Several loops may mark stages of one request, and read it, at
// the same time.
class StageTimes {
 public:
  void Mark(RequestStage stage, MonotonicTime when) {
    times_[static_cast<size_t>(stage)].store(when.time_since_epoch().count(),
                                             std::memory_order_relaxed);
  }
  // Nothing: not passed (yet).
  [[nodiscard]] std::optional<MonotonicTime> At(RequestStage stage) const {
    const int64_t ns = times_[static_cast<size_t>(stage)].load(std::memory_order_relaxed);
    return ns == 0 ? std::nullopt : std::optional(MonotonicTime(Duration(ns)));
  }
  void CopyFrom(const StageTimes& other) {
    for (size_t i = 0; i < kRequestStages; ++i) {
      times_[i].store(other.times_[i].load(std::memory_order_relaxed), std::memory_order_relaxed);
    }
  }

 private:
  std::array<std::atomic<int64_t>, kRequestStages> times_{};  // nanoseconds; 0: not passed
};

// Filled in by the layers a request goes through; owned by whoever answers the caller. What serves
// the request writes to it before it gives the answer, and never after.
struct RequestTrace {
  bool routed = false;  // the two below are known
  GroupId group;
  uint32_t partition = 0;
  StageTimes stages;
};

// What comes with every request to a replica.
struct CallTerms {
  MonotonicTime deadline;
  RequestTrace* trace = nullptr;  // null: nobody wants to know
};

}  // namespace quorate

#endif  // SERVER_REPLICATION_REQUEST_TRACE_H_
