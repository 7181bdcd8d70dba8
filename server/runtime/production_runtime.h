// The Runtime of a real process: threads, the kernel's clocks and randomness, the disk.
#ifndef SERVER_RUNTIME_PRODUCTION_RUNTIME_H_
#define SERVER_RUNTIME_PRODUCTION_RUNTIME_H_

#include <memory>
#include <vector>

#include "server/runtime/clock.h"
#include "server/runtime/event_loop.h"
#include "server/runtime/runtime.h"

namespace quorate {

struct ProductionRuntimeOptions {
  // Event loops that groups are spread over. More help once one is busy all the time; each costs a
  // thread and a hand-off. At least 1.
  size_t workers = 1;
};

// Owns the event loops and the clock. Owned by main(), which destroys it after the node. The
// network comes from outside (it needs gRPC, which this layer does not know).
class ProductionRuntime {
 public:
  explicit ProductionRuntime(const ProductionRuntimeOptions& options);
  ~ProductionRuntime();
  ProductionRuntime(const ProductionRuntime&) = delete;
  ProductionRuntime& operator=(const ProductionRuntime&) = delete;

  // Before runtime() is handed to the node. `network` outlives the node.
  void SetNetwork(PeerNetwork* network) { runtime_.network = network; }

  [[nodiscard]] const Runtime& runtime() const { return runtime_; }

  // Stops every loop after what was posted to it has run; what a draining loop posts to one already
  // stopped is dropped. The node must not need its loops any more, but may still exist.
  void Stop();

 private:
  KernelClock clock_;
  std::vector<std::unique_ptr<EventLoop>> workers_;
  EventLoop log_writer_;
  EventLoop apply_;
  EventLoop background_;
  Runtime runtime_;
};

}  // namespace quorate

#endif  // SERVER_RUNTIME_PRODUCTION_RUNTIME_H_
