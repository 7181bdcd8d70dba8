// Answers that were given to the network and that it has not taken yet.
#ifndef SERVER_SERVICE_PENDING_WRITES_H_
#define SERVER_SERVICE_PENDING_WRITES_H_

#include <cstddef>

#include "server/runtime/mutex.h"
#include "server/runtime/runtime.h"

namespace quorate {

// An answer waits in the server's memory while its client does not read. Here all of them stand in
// the order in which they began to wait, so that the old ones can be cut off, and with them what
// they hold.
//
// Time comes in through CutOff, several times a second; an answer's time begins with the first of
// them that sees it, so that a look that comes late never makes a fresh answer old. Any thread.
class PendingWrites {
 public:
  // One of a call's; the call owns it, and gives it for one answer at a time.
  class Write {
   public:
    // Breaks the call off. Under the list's lock: it must not come back to the list.
    virtual void CutOff() = 0;

   protected:
    ~Write() = default;

   private:
    friend class PendingWrites;
    MonotonicTime since_{};  // kUnseen at first
    Write* before_ = nullptr;
    Write* behind_ = nullptr;
    bool waits_ = false;
  };

  // The answer is about to be given; before the network can say that it was taken.
  void Begin(Write* write);
  // It was taken, or failed. CutOff is not running for it and will not be called.
  void End(Write* write);
  // Cuts off all that wait for `timeout` or longer. Returns their number.
  size_t CutOff(MonotonicTime now, Duration timeout);

 private:
  static constexpr MonotonicTime kUnseen = MonotonicTime::max();

  void Remove(Write* write) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Mutex mutex_;
  Write* first_ ABSL_GUARDED_BY(mutex_) = nullptr;
  Write* last_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace quorate

#endif  // SERVER_SERVICE_PENDING_WRITES_H_
