// An Executor on a thread of its own.
#ifndef SERVER_RUNTIME_EVENT_LOOP_H_
#define SERVER_RUNTIME_EVENT_LOOP_H_

#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "server/runtime/mutex.h"
#include "server/runtime/runtime.h"

namespace quorate {

// Posted tasks wait in a vector that the loop swaps out whole, so a burst of them costs the loop
// one lock; a poster wakes the thread only when it sleeps. Timers live in an ordered map that the
// loop alone touches; those set from other threads arrive through the same lock.
//
// Order: tasks run in the order of Post. A timer that is due runs before tasks posted after it fell
// due, as seen in batches of at most kTasksBetweenTimers tasks.
//
// Sleeping counts on CLOCK_MONOTONIC while `when` is in boot time: after a suspend a timer may be
// late by the time the sleep had left, never early.
//
// Owned by main() or a test, which destroys it after all that live on it. Stop() and the destructor
// must not be called from the loop itself.
class EventLoop final : public Executor {
 public:
  // `name` is the thread's (15 characters are shown). `clock` outlives the loop. The thread starts
  // at once.
  EventLoop(std::string name, const Clock* clock);
  ~EventLoop() override;
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  bool Post(Task task) override;
  TimerId PostAt(MonotonicTime when, Task task) override;
  bool Cancel(TimerId timer) override;
  [[nodiscard]] size_t QueueLength() const override {
    return queue_length_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] bool IsCurrent() const override;

  // Runs what was posted before, drops timers and later tasks, and joins the thread. Any thread but
  // the loop's; a second call does nothing.
  void Stop();

 private:
  struct NewTimer {
    TimerId id;
    MonotonicTime when;
    Task task;
  };
  using TimerKey = std::pair<MonotonicTime, TimerId>;

  static constexpr size_t kTasksBetweenTimers = 64;

  void Run();
  // Waits for work and takes it. False when the loop has stopped and nothing is left.
  bool TakeWork(std::vector<Task>& tasks) ABSL_LOCKS_EXCLUDED(mutex_);
  void RunTasks(std::vector<Task>& tasks);
  void RunDueTimers();
  void AddTimer(NewTimer timer);
  void AbsorbNewTimers() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Clock* const clock_;
  std::atomic<size_t> queue_length_{0};
  std::atomic<TimerId> next_timer_{1};

  mutable Mutex mutex_;
  CondVar wake_;
  bool sleeping_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Task> queue_ ABSL_GUARDED_BY(mutex_);
  std::vector<NewTimer> new_timers_ ABSL_GUARDED_BY(mutex_);

  // The loop's own.
  absl::btree_map<TimerKey, Task> timers_;
  absl::flat_hash_map<TimerId, MonotonicTime> timer_times_;

  std::thread thread_;
};

}  // namespace quorate

#endif  // SERVER_RUNTIME_EVENT_LOOP_H_
