// Virtual time and event loops driven by hand, for tests of one folder.
#ifndef SERVER_REPLICATION_TESTING_MANUAL_LOOPS_H_
#define SERVER_REPLICATION_TESTING_MANUAL_LOOPS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "server/runtime/runtime.h"

namespace quorate::testing {

class ManualLoop;

// All loops of a test in one order: by time, then by order of posting. One thread.
class ManualScheduler final : public Clock {
 public:
  [[nodiscard]] MonotonicTime Now() const override { return now_; }
  [[nodiscard]] WallMicros WallNow() const override {
    return wall_offset_us +
           std::chrono::duration_cast<std::chrono::microseconds>(now_.time_since_epoch()).count();
  }

  // False when nothing is left to run.
  bool RunOne();
  void RunFor(Duration duration);
  // Runs until `done` or until that much virtual time has passed. True: done.
  template <class Done>
  bool RunUntil(Done done, Duration most = std::chrono::seconds(60)) {
    const MonotonicTime end = now_ + most;
    while (!done()) {
      if (events_.empty() || events_.begin()->first.first > end) {
        now_ = end;
        return done();
      }
      RunOne();
    }
    return true;
  }

  WallMicros wall_offset_us = 1'700'000'000'000'000;

 private:
  friend class ManualLoop;
  using Key = std::pair<MonotonicTime, uint64_t>;
  struct Event {
    ManualLoop* loop;
    Task task;
  };

  uint64_t Add(ManualLoop* loop, MonotonicTime when, Task task);

  MonotonicTime now_{std::chrono::hours(1)};
  uint64_t last_number_ = 0;
  std::map<Key, Event> events_;
  ManualLoop* current_ = nullptr;
};

// Lives as long as its scheduler runs.
class ManualLoop final : public Executor {
 public:
  explicit ManualLoop(ManualScheduler* scheduler) : scheduler_(scheduler) {}

  bool Post(Task task) override;
  TimerId PostAt(MonotonicTime when, Task task) override;
  bool Cancel(TimerId timer) override;
  [[nodiscard]] size_t QueueLength() const override { return 0; }
  [[nodiscard]] bool IsCurrent() const override { return scheduler_->current_ == this; }

  // A paused loop keeps its tasks until it goes on: a hung disk, a stopped process.
  void Pause() { paused_ = true; }
  void Resume();
  // Drops all tasks, present and future.
  void Kill();

 private:
  friend class ManualScheduler;

  ManualScheduler* const scheduler_;
  bool paused_ = false;
  bool dead_ = false;
  std::vector<Task> held_;
};

}  // namespace quorate::testing

#endif  // SERVER_REPLICATION_TESTING_MANUAL_LOOPS_H_
