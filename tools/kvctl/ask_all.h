// One question to many nodes at once.
#ifndef TOOLS_KVCTL_ASK_ALL_H_
#define TOOLS_KVCTL_ASK_ALL_H_

#include <cstddef>
#include <utility>
#include <vector>

#include "quorate/result.h"
#include "server/runtime/mutex.h"

namespace quorate::kvctl {

// Calls ask(i, handler) for each i below `count` and waits for all answers, in that order.
template <class R, class Ask>
std::vector<R> AskAll(size_t count, Ask ask) {
  Mutex mutex;
  CondVar changed;
  std::vector<R> answers(count);
  size_t missing = count;
  for (size_t i = 0; i < count; ++i) {
    ask(i, client::Handler<R>([&, i](R answer) {
          MutexLock lock(&mutex);
          answers[i] = std::move(answer);
          if (--missing == 0) {
            changed.NotifyOne();
          }
        }));
  }
  MutexLock lock(&mutex);
  while (missing > 0) {
    changed.Wait(&mutex);
  }
  return answers;
}

}  // namespace quorate::kvctl

#endif  // TOOLS_KVCTL_ASK_ALL_H_
