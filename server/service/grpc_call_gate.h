// Bounds on what is in flight between gRPC and the services.
#ifndef SERVER_SERVICE_GRPC_CALL_GATE_H_
#define SERVER_SERVICE_GRPC_CALL_GATE_H_

#include <atomic>
#include <cstddef>

#include "absl/status/status.h"

namespace quorate {

// Counts calls and the bytes they hold; past a bound new calls are refused with QUEUE_FULL. A bound
// may be passed by what enters at the same instant: it guards memory, not an exact number. Any
// thread.
class GrpcCallGate {
 public:
  GrpcCallGate(size_t calls_max, size_t bytes_max) : calls_max_(calls_max), bytes_max_(bytes_max) {}

  // OK: Leave must follow.
  [[nodiscard]] absl::Status Enter(size_t bytes);
  // More bytes held by a call that has entered (its answer). Never refused; returns `bytes`.
  size_t Charge(size_t bytes) {
    bytes_.fetch_add(bytes, std::memory_order_relaxed);
    return bytes;
  }
  void Leave(size_t bytes) {
    calls_.fetch_sub(1, std::memory_order_relaxed);
    bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  }

  [[nodiscard]] size_t calls() const { return calls_.load(std::memory_order_relaxed); }
  [[nodiscard]] size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  const size_t calls_max_;
  const size_t bytes_max_;
  std::atomic<size_t> calls_{0};
  std::atomic<size_t> bytes_{0};
};

}  // namespace quorate

#endif  // SERVER_SERVICE_GRPC_CALL_GATE_H_
