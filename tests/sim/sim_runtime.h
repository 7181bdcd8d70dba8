// One simulated machine: its clock and disk, and the Runtime of the process that runs on it.
#ifndef TESTS_SIM_SIM_RUNTIME_H_
#define TESTS_SIM_SIM_RUNTIME_H_

#include <memory>
#include <string>
#include <vector>

#include "server/runtime/runtime.h"
#include "tests/sim/sim_clock.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_env.h"
#include "tests/sim/sim_executor.h"
#include "tests/sim/sim_network.h"
#include "tests/sim/sim_scheduler.h"

namespace quorate::sim {

struct SimRuntimeOptions {
  // Its number in event labels and the hash.
  uint32_t node = 0;
  // Where peers reach it; also good for SimNetwork::Deliver.
  std::string address;
  size_t workers = 1;
  // Exists, synced, when the first process starts.
  std::string data_directory = "/data";
  Duration boot_offset{};
};

// Owned by the test, with `scheduler` and `network` outliving it. The machine starts with a running
// process. Crash, then Restart, gives the next process new loops, a new environment and a new port
// on the same clock and disk. What belongs to a crashed process stays valid, without effect, until
// this object dies, so the owner can destroy the crashed node's objects after Crash, before or
// after Restart.
class SimRuntime {
 public:
  SimRuntime(SimScheduler* scheduler, SimNetwork* network, const SimRuntimeOptions& options);
  ~SimRuntime();
  SimRuntime(const SimRuntime&) = delete;
  SimRuntime& operator=(const SimRuntime&) = delete;

  // The present process's. A reference is good until the next Restart; the pointers in it for ever.
  [[nodiscard]] const Runtime& runtime() const { return lives_.back()->runtime; }

  // Ends the process here and now: its tasks, timers and messages are gone, the disk loses what
  // `kind` says. After any loss of power the machine has another boot id. May be called from within
  // one of its own tasks, which then runs on without effect.
  void Crash(CrashKind kind);
  // For a process that ends by itself, and in doing so waits for its loops: they work without
  // taking time (SimExecutor::RunAtOnce), until Crash.
  void RunLoopsAtOnce();
  // Only when crashed.
  void Restart();
  [[nodiscard]] bool crashed() const { return crashed_; }

  // The process stands still while time goes on. Ended by Resume or Crash.
  void Pause();
  void Resume();
  [[nodiscard]] bool paused() const { return paused_; }

  // Power is lost at the `operations`-th change of the disk from now, in the middle of what the
  // node does there: from that moment nothing that it does leaves it. `crash_pending()` then holds
  // until the owner calls Crash, after the event in which it happened (SimScheduler::SetAfterEvent
  // is the place).
  void ArmCrashAtDiskOperation(uint64_t operations);
  [[nodiscard]] bool crash_pending() const { return crash_pending_; }

  [[nodiscard]] uint32_t node() const { return options_.node; }
  [[nodiscard]] const std::string& address() const { return options_.address; }
  [[nodiscard]] const std::string& data_directory() const { return options_.data_directory; }
  SimClock& clock() { return clock_; }
  SimDisk& disk() { return disk_; }
  SimEnv& env() { return *lives_.back()->env; }
  // Each loop of the present process, e.g. to slow one.
  [[nodiscard]] const std::vector<SimExecutor*>& worker_loops() const {
    return lives_.back()->workers;
  }
  SimExecutor& log_writer_loop() { return *lives_.back()->log_writer; }
  SimExecutor& apply_loop() { return *lives_.back()->apply; }

 private:
  struct Life {
    std::vector<std::unique_ptr<SimExecutor>> loops;
    std::vector<SimExecutor*> workers;
    SimExecutor* log_writer = nullptr;
    SimExecutor* apply = nullptr;
    std::unique_ptr<SimEnv> env;
    std::unique_ptr<SimNetwork::Port> port;
    Runtime runtime;
  };

  SimExecutor* AddLoop(Life& life, const char* label, Duration cost_min, Duration cost_max);
  void StartLife();
  // Everything of the present life but the disk falls silent.
  void Silence();

  SimScheduler* const scheduler_;
  SimNetwork* const network_;
  const SimRuntimeOptions options_;
  SeededRandom random_;
  SimClock clock_;
  SimDisk disk_;
  uint64_t boots_ = 1;  // of the machine
  bool crashed_ = false;
  bool crash_pending_ = false;
  bool paused_ = false;
  std::vector<std::unique_ptr<Life>> lives_;
};

}  // namespace quorate::sim

#endif  // TESTS_SIM_SIM_RUNTIME_H_
