// RocksDB's environment in the simulation: files on a SimDisk, virtual time, and background jobs
// that run one at a time at moments drawn from the seed.
#ifndef TESTS_SIM_SIM_ENV_H_
#define TESTS_SIM_SIM_ENV_H_

#include <rocksdb/env.h>
#include <rocksdb/options.h>
#include <rocksdb/system_clock.h>

#include <deque>
#include <memory>
#include <string>

#include "tests/sim/sim_clock.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_scheduler.h"
#include "tests/sim/sim_wait.h"

namespace quorate::sim {

// Owned by SimRuntime, one life of a node long, and outlives every RocksDB opened on it. RocksDB
// hands it flushes and compactions by Schedule; each runs on a thread of its own that is joined
// before the simulation goes on. A RocksDB call that blocks until a job has run (Flush, Close, a
// full stop of writes) has the job run under it, see sim_wait.h.
//
// After a crash the owner destroys the RocksDB objects; their jobs still run, on a disk that
// refuses every change.
class SimEnv final : public rocksdb::EnvWrapper, private WaitHelper {
 public:
  SimEnv(SimScheduler* scheduler, const SimClock* clock, SimDisk* disk, uint32_t node);
  ~SimEnv() override;

  const char* Name() const override { return "QuorateSimEnv"; }

  // Between which delays a job begins after it was scheduled.
  void SetJobDelay(Duration low, Duration high);
  // While paused no job begins by itself.
  void Pause() { paused_ = true; }
  void Resume();
  // No job begins by itself any more; those that RocksDB waits for still do.
  void Kill() { killed_ = true; }

  // Runs all queued jobs, and those they queue, now.
  void RunAllJobs();
  [[nodiscard]] size_t queued_jobs() const { return jobs_.size(); }
  [[nodiscard]] uint64_t jobs_run() const { return jobs_run_; }

  void Schedule(void (*function)(void*), void* argument, Priority priority, void* tag,
                void (*unschedule)(void*)) override;
  int UnSchedule(void* tag, Priority priority) override;
  void StartThread(void (*function)(void*), void* argument) override;
  void WaitForJoin() override { RunAllJobs(); }
  unsigned int GetThreadPoolQueueLen(Priority priority) const override;
  int ReserveThreads(int /*count*/, Priority /*priority*/) override { return 0; }
  int ReleaseThreads(int /*count*/, Priority /*priority*/) override { return 0; }
  void SetBackgroundThreads(int /*count*/, Priority /*priority*/) override {}
  int GetBackgroundThreads(Priority /*priority*/) override { return 1; }
  void IncBackgroundThreadsIfNeeded(int /*count*/, Priority /*priority*/) override {}
  void LowerThreadPoolIOPriority(Priority /*priority*/) override {}
  void LowerThreadPoolCPUPriority(Priority /*priority*/) override {}
  rocksdb::Status LowerThreadPoolCPUPriority(Priority /*priority*/,
                                             rocksdb::CpuPriority /*cpu*/) override {
    return rocksdb::Status::OK();
  }
  rocksdb::Status GetHostName(char* name, uint64_t size) override;

  uint64_t NowMicros() override { return system_clock_->NowMicros(); }
  uint64_t NowNanos() override { return system_clock_->NowNanos(); }
  uint64_t NowCPUNanos() override { return 0; }
  void SleepForMicroseconds(int /*micros*/) override {}
  rocksdb::Status GetCurrentTime(int64_t* seconds) override {
    return system_clock_->GetCurrentTime(seconds);
  }
  std::string TimeToString(uint64_t seconds) override { return std::to_string(seconds); }

 private:
  struct Job {
    void (*function)(void*);
    void* argument;
    Priority priority;
    void* tag;
    void (*unschedule)(void*);
  };

  bool HelpOnce() override { return RunOneJob(); }
  void ScheduleMoment();
  bool RunOneJob();

  SimScheduler* const scheduler_;
  const uint32_t node_;
  SeededRandom random_;
  Duration delay_low_ = std::chrono::microseconds(50);
  Duration delay_high_ = std::chrono::milliseconds(5);
  bool paused_ = false;
  bool killed_ = false;
  size_t missed_while_paused_ = 0;
  uint64_t jobs_run_ = 0;
  std::deque<Job> jobs_;
  // Events in the scheduler may outlive us; they look here first.
  std::shared_ptr<SimEnv*> self_;
};

// Changes options so that no write ever waits for a job and RocksDB starts no thread that matters.
// Applied last, on top of what production would use; also sets the environment.
void ApplySimOptions(rocksdb::DBOptions* options, rocksdb::Env* env);
void ApplySimOptions(rocksdb::ColumnFamilyOptions* options);
void ApplySimOptions(rocksdb::Options* options, rocksdb::Env* env);

}  // namespace quorate::sim

#endif  // TESTS_SIM_SIM_ENV_H_
