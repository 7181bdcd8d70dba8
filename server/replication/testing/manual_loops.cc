#include "server/replication/testing/manual_loops.h"

namespace quorate::testing {

uint64_t ManualScheduler::Add(ManualLoop* loop, MonotonicTime when, Task task) {
  const uint64_t number = ++last_number_;
  events_.emplace(Key{std::max(when, now_), number}, Event{.loop = loop, .task = std::move(task)});
  return number;
}

bool ManualScheduler::RunOne() {
  if (events_.empty()) {
    return false;
  }
  auto first = events_.extract(events_.begin());
  now_ = std::max(now_, first.key().first);
  Event& event = first.mapped();
  if (event.loop->dead_) {
    return true;
  }
  if (event.loop->paused_) {
    event.loop->held_.push_back(std::move(event.task));
    return true;
  }
  current_ = event.loop;
  event.task();
  current_ = nullptr;
  return true;
}

void ManualScheduler::RunFor(Duration duration) {
  RunUntil([] { return false; }, duration);
}

bool ManualLoop::Post(Task task) {
  if (dead_) {
    return false;
  }
  scheduler_->Add(this, scheduler_->Now(), std::move(task));
  return true;
}

TimerId ManualLoop::PostAt(MonotonicTime when, Task task) {
  return dead_ ? 0 : scheduler_->Add(this, when, std::move(task));
}

bool ManualLoop::Cancel(TimerId timer) {
  for (auto it = scheduler_->events_.begin(); it != scheduler_->events_.end(); ++it) {
    if (it->first.second == timer) {
      scheduler_->events_.erase(it);
      return true;
    }
  }
  return false;
}

void ManualLoop::Resume() {
  paused_ = false;
  for (Task& task : std::exchange(held_, {})) {
    Post(std::move(task));
  }
}

void ManualLoop::Kill() {
  dead_ = true;
  held_.clear();
}

}  // namespace quorate::testing
