// One event loop of a simulated node.
#ifndef TESTS_SIM_SIM_EXECUTOR_H_
#define TESTS_SIM_SIM_EXECUTOR_H_

#include <deque>
#include <map>
#include <memory>

#include "server/runtime/runtime.h"
#include "tests/sim/sim_clock.h"
#include "tests/sim/sim_scheduler.h"

namespace quorate::sim {

struct SimExecutorOptions {
  uint32_t node = kNoNode;
  // The kind of event that its tasks are, a literal: "worker", "log_writer".
  const char* label = "executor";
  // Before each task passes a time drawn from this range: what the task, or the disk work it does,
  // takes. A task's effects all come at the end of it.
  Duration cost_min = std::chrono::microseconds(1);
  Duration cost_max = std::chrono::microseconds(20);
};

// Owned by SimRuntime, one life long: a crash kills it, a restart makes another. Calls may come
// from the simulation's thread only, between or within events.
class SimExecutor final : public Executor {
 public:
  SimExecutor(SimScheduler* scheduler, const SimClock* clock, const SimExecutorOptions& options);
  ~SimExecutor() override;
  SimExecutor(const SimExecutor&) = delete;
  SimExecutor& operator=(const SimExecutor&) = delete;

  bool Post(Task task) override;
  TimerId PostAt(MonotonicTime when, Task task) override;
  bool Cancel(TimerId timer) override;
  [[nodiscard]] size_t QueueLength() const override { return killed_ ? 0 : waiting_; }
  [[nodiscard]] bool IsCurrent() const override;

  // While paused, time goes on and work piles up, timers included; nothing runs.
  void Pause();
  void Resume();
  // Nothing runs any more and nothing is taken; never undone. The task under way, if any, runs on
  // to its end. What waits is kept until DropWork, since its captures may do anything when they
  // die.
  void Kill() { killed_ = true; }
  // Destroys what waits. Only when killed.
  void DropWork();

  // Runs what was posted, timers that are due included, and from now on what is posted from outside
  // of any task before Post returns: for calls that wait until a loop has done something, as those
  // of a thread may that is none of the loops'.
  void RunAtOnce();

  // Slows the loop by this much for each task, until changed (a disk that takes long).
  void SetExtraCost(Duration extra) { extra_cost_ = extra; }

  // Makes no loop the current one for its lifetime: what RocksDB calls from a job's thread is not a
  // task of the loop in whose task the job happens to run.
  class NoneCurrent {
   public:
    NoneCurrent();
    ~NoneCurrent();
    NoneCurrent(const NoneCurrent&) = delete;
    NoneCurrent& operator=(const NoneCurrent&) = delete;

   private:
    const SimExecutor* const saved_;
  };
  // The node whose task runs now, or kNoNode.
  static uint32_t CurrentNode();

 private:
  // Either a posted task, or a timer that fell due and waits for its turn.
  struct Item {
    TimerId timer = 0;
    Task task;
  };

  void Arm();
  void Step();
  void RunAll();
  void FireTimer(TimerId timer);
  void ArmTimer(TimerId timer, MonotonicTime when);
  void Run(Task task);

  SimScheduler* const scheduler_;
  const SimClock* const clock_;
  const SimExecutorOptions options_;
  SeededRandom random_;
  Duration extra_cost_{};
  bool paused_ = false;
  bool killed_ = false;
  bool at_once_ = false;
  // An event of ours is in the scheduler.
  bool armed_ = false;
  TimerId next_timer_ = 1;
  size_t waiting_ = 0;  // posted tasks in queue_
  std::deque<Item> queue_;
  struct Timer {
    MonotonicTime when;
    Task task;
  };
  std::map<TimerId, Timer> timers_;
  // Events in the scheduler outlive us, if the run ends them later; they look here first.
  std::shared_ptr<SimExecutor*> self_;
};

}  // namespace quorate::sim

#endif  // TESTS_SIM_SIM_EXECUTOR_H_
