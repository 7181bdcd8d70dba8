// A clock that a test turns and an event loop that runs when the test says so.
#ifndef TESTS_FAKES_MANUAL_LOOP_H_
#define TESTS_FAKES_MANUAL_LOOP_H_

#include <deque>
#include <map>
#include <utility>

#include "server/runtime/runtime.h"

namespace quorate::fakes {

// One thread.
class ManualClock final : public Clock {
 public:
  [[nodiscard]] MonotonicTime Now() const override { return now_; }
  [[nodiscard]] WallMicros WallNow() const override {
    return std::chrono::duration_cast<std::chrono::microseconds>(now_.time_since_epoch()).count();
  }
  void Set(MonotonicTime now) { now_ = now; }

 private:
  MonotonicTime now_{std::chrono::hours(1)};
};

// One thread. Tasks before timers; timers in the order of their time.
class ManualLoop final : public Executor {
 public:
  explicit ManualLoop(ManualClock* clock) : clock_(clock) {}

  bool Post(Task task) override {
    tasks_.push_back(std::move(task));
    return true;
  }
  TimerId PostAt(MonotonicTime when, Task task) override {
    timers_.emplace(std::pair(when, ++last_timer_), std::move(task));
    return last_timer_;
  }
  bool Cancel(TimerId timer) override {
    return std::erase_if(timers_, [timer](const auto& t) { return t.first.second == timer; }) > 0;
  }
  [[nodiscard]] size_t QueueLength() const override { return tasks_.size(); }
  [[nodiscard]] bool IsCurrent() const override { return running_; }

  // Everything that is due now, and what that posts.
  void RunDue() { RunFor(Duration::zero()); }
  // Turns the clock on, from timer to timer.
  void RunFor(Duration duration) {
    const MonotonicTime end = clock_->Now() + duration;
    running_ = true;
    while (RunOne(end)) {
    }
    running_ = false;
    clock_->Set(end);
  }

 private:
  bool RunOne(MonotonicTime end) {
    Task task;
    if (!tasks_.empty()) {
      task = std::move(tasks_.front());
      tasks_.pop_front();
    } else if (!timers_.empty() && timers_.begin()->first.first <= end) {
      clock_->Set(std::max(clock_->Now(), timers_.begin()->first.first));
      task = std::move(timers_.begin()->second);
      timers_.erase(timers_.begin());
    } else {
      return false;
    }
    task();
    return true;
  }

  ManualClock* const clock_;
  bool running_ = false;
  TimerId last_timer_ = 0;
  std::deque<Task> tasks_;
  std::map<std::pair<MonotonicTime, TimerId>, Task> timers_;
};

}  // namespace quorate::fakes

#endif  // TESTS_FAKES_MANUAL_LOOP_H_
