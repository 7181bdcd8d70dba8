// A synchronous call made of an asynchronous one.
#ifndef CLIENT_SRC_WAIT_H_
#define CLIENT_SRC_WAIT_H_

#include <optional>
#include <utility>

#include "quorate/result.h"
#include "server/runtime/mutex.h"

namespace quorate::client {

// Starts a call with the handler it is given and blocks until the handler ran.
template <class R, class StartFunction>
R Wait(StartFunction start) {
  Mutex mutex;
  CondVar done;
  std::optional<R> result;
  start(Handler<R>([&](R value) {
    MutexLock lock(&mutex);
    result = std::move(value);
    // With the lock held: the waiter's stack is gone as soon as it sees the result.
    done.NotifyOne();
  }));
  MutexLock lock(&mutex);
  while (!result) {
    done.Wait(&mutex);
  }
  return *std::move(result);
}

}  // namespace quorate::client

#endif  // CLIENT_SRC_WAIT_H_
