// A clock and an executor for tests: time moves only when the test says so.
#ifndef CLIENT_SRC_TEST_VIRTUAL_TIME_H_
#define CLIENT_SRC_TEST_VIRTUAL_TIME_H_

#include <functional>
#include <map>
#include <utility>

#include "server/runtime/runtime.h"

namespace quorate::client {

// One thread. Tasks run inside RunFor and RunUntil, in order of time, then of posting.
class VirtualTime final : public Clock, public Executor {
 public:
  [[nodiscard]] MonotonicTime Now() const override { return now_; }
  [[nodiscard]] WallMicros WallNow() const override { return now_.time_since_epoch().count(); }

  bool Post(Task task) override {
    PostAt(now_, std::move(task));
    return true;
  }
  TimerId PostAt(MonotonicTime when, Task task) override {
    const TimerId id = ++last_id_;
    tasks_.emplace(Key(std::max(when, now_), id), std::move(task));
    return id;
  }
  bool Cancel(TimerId timer) override {
    return std::erase_if(tasks_, [&](const auto& entry) { return entry.first.second == timer; }) >
           0;
  }
  [[nodiscard]] size_t QueueLength() const override { return 0; }
  [[nodiscard]] bool IsCurrent() const override { return true; }

  // Runs tasks until the condition holds or nothing is left to run. Returns the condition.
  bool RunUntil(const std::function<bool()>& condition) {
    while (!condition() && !tasks_.empty()) {
      auto first = tasks_.extract(tasks_.begin());
      now_ = first.key().first;
      first.mapped()();
    }
    return condition();
  }

 private:
  using Key = std::pair<MonotonicTime, TimerId>;

  MonotonicTime now_{std::chrono::hours(1)};
  TimerId last_id_ = 0;
  std::map<Key, Task> tasks_;
};

}  // namespace quorate::client

#endif  // CLIENT_SRC_TEST_VIRTUAL_TIME_H_
