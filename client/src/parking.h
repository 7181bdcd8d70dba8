// Where operations wait for a timer or a refresh, whichever comes first.
#ifndef CLIENT_SRC_PARKING_H_
#define CLIENT_SRC_PARKING_H_

#include <cstdint>
#include <map>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "server/runtime/mutex.h"

namespace quorate::client {

// Each parked continuation runs exactly once: by the first Wake with its ticket, or by Close. So a
// timer and an answer may both hold the ticket, and closing the client loses no operation. Any
// thread; continuations run on the waking one.
class Parking {
 public:
  using Continuation = absl::AnyInvocable<void(absl::Status)>;

  // 0: closed; the continuation was dropped and the caller goes on by itself.
  [[nodiscard]] uint64_t Park(Continuation continuation);
  // Does nothing when it has run already.
  void Wake(uint64_t ticket, absl::Status status);
  // Wakes all with CANCELLED; nothing can be parked afterwards.
  void Close();

 private:
  Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t last_ticket_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<uint64_t, Continuation> parked_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quorate::client

#endif  // CLIENT_SRC_PARKING_H_
