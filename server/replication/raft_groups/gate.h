// Lets a loop's turns through until it is closed, and waits for the one under way.
#ifndef SERVER_REPLICATION_RAFT_GROUPS_GATE_H_
#define SERVER_REPLICATION_RAFT_GROUPS_GATE_H_

#include <utility>

#include "server/runtime/mutex.h"

namespace quorate {

// Tasks of one loop run inside Run; Close, from any other thread, returns when none is inside and
// none will enter again. Closing needs no answer from the loop, so it works as well where the
// caller is what drives the loops (the simulator) and where loops were already stopped.
//
// In normal work one loop alone takes the lock, so it never waits.
class Gate {
 public:
  // False, without calling `work`, once closed.
  template <class Work>
  bool Run(Work&& work) {
    MutexLock lock(&mutex_);
    if (closed_) {
      return false;
    }
    std::forward<Work>(work)();
    return true;
  }

  // `last` is called once, by the first Close, with nothing else inside.
  template <class Work>
  void Close(Work&& last) {
    MutexLock lock(&mutex_);
    if (!closed_) {
      closed_ = true;
      std::forward<Work>(last)();
    }
  }

 private:
  Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace quorate

#endif  // SERVER_REPLICATION_RAFT_GROUPS_GATE_H_
