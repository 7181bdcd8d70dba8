// The production clock: the kernel's.
#ifndef SERVER_RUNTIME_CLOCK_H_
#define SERVER_RUNTIME_CLOCK_H_

#include "server/runtime/runtime.h"

namespace quorate {

// Now() is CLOCK_BOOTTIME, which counts suspended time too: a lease must not outlive a laptop's
// lid. WallNow() is CLOCK_REALTIME. Stateless; any thread.
class KernelClock final : public Clock {
 public:
  [[nodiscard]] MonotonicTime Now() const override;
  [[nodiscard]] WallMicros WallNow() const override;
};

}  // namespace quorate

#endif  // SERVER_RUNTIME_CLOCK_H_
