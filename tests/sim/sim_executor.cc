#include "tests/sim/sim_executor.h"

#include <utility>

#include "server/runtime/check.h"

namespace quorate::sim {
namespace {

// One thread at a time runs the simulation, a joined RocksDB job's included; a plain variable does.
const SimExecutor* g_current = nullptr;
uint32_t g_current_node = kNoNode;

}  // namespace

SimExecutor::NoneCurrent::NoneCurrent() : saved_(std::exchange(g_current, nullptr)) {}

SimExecutor::NoneCurrent::~NoneCurrent() { g_current = saved_; }

uint32_t SimExecutor::CurrentNode() { return g_current_node; }

SimExecutor::SimExecutor(SimScheduler* scheduler, const SimClock* clock,
                         const SimExecutorOptions& options)
    : scheduler_(scheduler),
      clock_(clock),
      options_(options),
      random_(scheduler->ForkRandom()),
      self_(std::make_shared<SimExecutor*>(this)) {}

SimExecutor::~SimExecutor() {
  Kill();
  DropWork();
  *self_ = nullptr;
}

bool SimExecutor::IsCurrent() const { return g_current == this; }

bool SimExecutor::Post(Task task) {
  if (killed_) return false;
  queue_.push_back({0, std::move(task)});
  ++waiting_;
  if (at_once_ && g_current == nullptr) {
    RunAll();
    return queue_.empty();  // else a task before it killed us
  }
  Arm();
  return true;
}

TimerId SimExecutor::PostAt(MonotonicTime when, Task task) {
  const TimerId timer = next_timer_++;
  if (killed_) return timer;
  timers_.emplace(timer, Timer{when, std::move(task)});
  ArmTimer(timer, when);
  return timer;
}

bool SimExecutor::Cancel(TimerId timer) {
  const auto found = timers_.find(timer);
  if (found == timers_.end()) return false;
  // What the task holds may call back into us when it dies.
  const Task dropped = std::move(found->second.task);
  timers_.erase(found);
  return true;
}

void SimExecutor::Pause() { paused_ = true; }

void SimExecutor::Resume() {
  paused_ = false;
  Arm();
}

void SimExecutor::RunAtOnce() {
  at_once_ = true;
  RunAll();
}

void SimExecutor::RunAll() {
  while (!paused_ && !killed_ && !queue_.empty()) Step();
}

void SimExecutor::DropWork() {
  QUORATE_CHECK(killed_);
  waiting_ = 0;
  // Moved out first: a dying capture may call Post or Cancel.
  const std::deque<Item> dropped_tasks = std::exchange(queue_, {});
  const std::map<TimerId, Timer> dropped_timers = std::exchange(timers_, {});
}

void SimExecutor::Arm() {
  if (armed_ || paused_ || killed_ || queue_.empty()) return;
  armed_ = true;
  const Duration cost =
      UniformDuration(random_, options_.cost_min, options_.cost_max) + extra_cost_;
  scheduler_->After(cost, options_.label, options_.node, [self = self_] {
    if (*self == nullptr) return;
    (*self)->armed_ = false;
    (*self)->Step();
  });
}

void SimExecutor::Step() {
  if (paused_ || killed_ || queue_.empty()) return;
  Item item = std::move(queue_.front());
  queue_.pop_front();
  if (item.timer == 0) {
    --waiting_;
    Run(std::move(item.task));
  } else if (const auto found = timers_.find(item.timer); found != timers_.end()) {
    Task task = std::move(found->second.task);
    timers_.erase(found);
    Run(std::move(task));
  }
  Arm();
}

void SimExecutor::Run(Task task) {
  const SimExecutor* const outer = std::exchange(g_current, this);
  const uint32_t outer_node = std::exchange(g_current_node, options_.node);
  QUORATE_CHECK(outer == nullptr) << "a task ran the scheduler";
  task();
  // Captures die as part of the task.
  task = nullptr;
  g_current = outer;
  g_current_node = outer_node;
}

void SimExecutor::ArmTimer(TimerId timer, MonotonicTime when) {
  scheduler_->At(clock_->ToVirtual(when), "timer", options_.node, [self = self_, timer] {
    if (*self != nullptr) (*self)->FireTimer(timer);
  });
}

void SimExecutor::FireTimer(TimerId timer) {
  const auto found = timers_.find(timer);
  if (killed_ || found == timers_.end()) return;
  if (clock_->Now() < found->second.when) {
    // The clock was slowed down since.
    ArmTimer(timer, found->second.when);
    return;
  }
  queue_.push_back({timer, nullptr});
  Arm();
}

}  // namespace quorate::sim
