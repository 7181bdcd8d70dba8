#include "server/runtime/event_loop.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "server/runtime/check.h"

namespace quorate {
namespace {

thread_local const EventLoop* t_current_loop = nullptr;

constexpr size_t kThreadNameMax = 15;  // pthread_setname_np refuses longer ones

}  // namespace

EventLoop::EventLoop(std::string name, const Clock* clock) : clock_(clock) {
  name.resize(std::min(name.size(), kThreadNameMax));
  thread_ = std::thread([this, thread_name = std::move(name)] {
    pthread_setname_np(pthread_self(), thread_name.c_str());
    Run();
  });
}

EventLoop::~EventLoop() { Stop(); }

bool EventLoop::IsCurrent() const { return t_current_loop == this; }

bool EventLoop::Post(Task task) {
  bool wake = false;
  {
    MutexLock lock(&mutex_);
    if (stopping_) return false;
    queue_length_.fetch_add(1, std::memory_order_relaxed);
    queue_.push_back(std::move(task));
    wake = std::exchange(sleeping_, false);
  }
  if (wake) wake_.NotifyOne();
  return true;
}

TimerId EventLoop::PostAt(MonotonicTime when, Task task) {
  const TimerId id = next_timer_.fetch_add(1, std::memory_order_relaxed);
  if (IsCurrent()) {
    AddTimer({id, when, std::move(task)});
    return id;
  }
  bool wake = false;
  {
    MutexLock lock(&mutex_);
    if (stopping_) return id;
    new_timers_.push_back({id, when, std::move(task)});
    wake = std::exchange(sleeping_, false);
  }
  if (wake) wake_.NotifyOne();
  return id;
}

bool EventLoop::Cancel(TimerId timer) {
  QUORATE_CHECK(IsCurrent());
  auto found = timer_times_.find(timer);
  if (found == timer_times_.end()) {
    // Set by another thread a moment ago, perhaps.
    {
      MutexLock lock(&mutex_);
      AbsorbNewTimers();
    }
    found = timer_times_.find(timer);
    if (found == timer_times_.end()) return false;
  }
  timers_.erase({found->second, timer});
  timer_times_.erase(found);
  return true;
}

void EventLoop::Stop() {
  QUORATE_CHECK(!IsCurrent());
  {
    MutexLock lock(&mutex_);
    if (stopping_) return;
    stopping_ = true;
    sleeping_ = false;
  }
  wake_.NotifyOne();
  thread_.join();
}

void EventLoop::Run() {
  t_current_loop = this;
  std::vector<Task> tasks;
  while (TakeWork(tasks)) {
    RunDueTimers();
    RunTasks(tasks);
  }
  // What the dropped timers captured is destroyed here, on the loop that it belongs to.
  timers_.clear();
  timer_times_.clear();
}

bool EventLoop::TakeWork(std::vector<Task>& tasks) {
  MutexLock lock(&mutex_);
  while (true) {
    AbsorbNewTimers();
    if (!queue_.empty()) {
      tasks.swap(queue_);
      return true;
    }
    if (stopping_) return false;
    if (timers_.empty()) {
      sleeping_ = true;
      wake_.Wait(&mutex_);
    } else {
      const Duration left = timers_.begin()->first.first - clock_->Now();
      if (left <= Duration::zero()) return true;
      sleeping_ = true;
      wake_.WaitFor(&mutex_, left);
    }
    sleeping_ = false;
  }
}

void EventLoop::RunTasks(std::vector<Task>& tasks) {
  size_t since_timers = 0;
  for (Task& task : tasks) {
    queue_length_.fetch_sub(1, std::memory_order_relaxed);
    // Moved out, so that what the task holds dies when it has run and not at the end of the batch.
    Task running = std::move(task);
    running();
    if (++since_timers == kTasksBetweenTimers) {
      since_timers = 0;
      RunDueTimers();
    }
  }
  tasks.clear();
}

void EventLoop::RunDueTimers() {
  if (timers_.empty()) return;
  // One reading for the whole round: timers that set each other anew for "now" cannot starve tasks.
  const MonotonicTime now = clock_->Now();
  while (!timers_.empty() && timers_.begin()->first.first <= now) {
    Task task = std::move(timers_.begin()->second);
    timer_times_.erase(timers_.begin()->first.second);
    timers_.erase(timers_.begin());
    task();
  }
}

void EventLoop::AddTimer(NewTimer timer) {
  timer_times_.emplace(timer.id, timer.when);
  timers_.emplace(TimerKey(timer.when, timer.id), std::move(timer.task));
}

void EventLoop::AbsorbNewTimers() {
  for (NewTimer& timer : new_timers_) AddTimer(std::move(timer));
  new_timers_.clear();
}

}  // namespace quorate
