#include "tests/sim/sim_env.h"

#include <cstring>
#include <thread>
#include <utility>

#include "tests/sim/sim_executor.h"
#include "tests/sim/sim_file_system.h"

namespace quorate::sim {
namespace {

class SimSystemClock final : public rocksdb::SystemClock {
 public:
  explicit SimSystemClock(const SimClock* clock) : clock_(clock) {}

  const char* Name() const override { return "QuorateSimClock"; }
  uint64_t NowMicros() override { return static_cast<uint64_t>(clock_->WallNow()); }
  uint64_t NowNanos() override {
    return static_cast<uint64_t>(clock_->Now().time_since_epoch().count());
  }
  void SleepForMicroseconds(int /*micros*/) override {}
  rocksdb::Status GetCurrentTime(int64_t* seconds) override {
    *seconds = clock_->WallNow() / 1'000'000;
    return rocksdb::Status::OK();
  }
  std::string TimeToString(uint64_t seconds) override { return std::to_string(seconds); }

 private:
  const SimClock* const clock_;
};

constexpr int kNever = 1 << 30;

}  // namespace

SimEnv::SimEnv(SimScheduler* scheduler, const SimClock* clock, SimDisk* disk, uint32_t node)
    : EnvWrapper(rocksdb::NewCompositeEnv(std::make_shared<SimFileSystem>(disk))),
      scheduler_(scheduler),
      node_(node),
      random_(scheduler->ForkRandom()),
      self_(std::make_shared<SimEnv*>(this)) {
  file_system_ = target()->GetFileSystem();
  system_clock_ = std::make_shared<SimSystemClock>(clock);
  BecomeSimulationThread();
  AddWaitHelper(this);
}

SimEnv::~SimEnv() {
  RunAllJobs();
  RemoveWaitHelper(this);
  *self_ = nullptr;
}

void SimEnv::SetJobDelay(Duration low, Duration high) {
  delay_low_ = low;
  delay_high_ = high;
}

void SimEnv::Resume() {
  paused_ = false;
  for (size_t missed = std::exchange(missed_while_paused_, 0); missed > 0; --missed) {
    ScheduleMoment();
  }
}

void SimEnv::Schedule(void (*function)(void*), void* argument, Priority priority, void* tag,
                      void (*unschedule)(void*)) {
  jobs_.push_back({function, argument, priority, tag, unschedule});
  ScheduleMoment();
}

void SimEnv::ScheduleMoment() {
  scheduler_->After(UniformDuration(random_, delay_low_, delay_high_), "rocksdb/job", node_,
                    [self = self_] {
                      SimEnv* const env = *self;
                      if (env == nullptr || env->killed_) return;
                      if (env->paused_) {
                        ++env->missed_while_paused_;
                      } else {
                        env->RunOneJob();
                      }
                    });
}

int SimEnv::UnSchedule(void* tag, Priority priority) {
  std::deque<Job> kept;
  std::deque<Job> dropped;
  for (Job& job : jobs_) {
    (job.tag == tag && job.priority == priority ? dropped : kept).push_back(job);
  }
  jobs_ = std::move(kept);
  for (const Job& job : dropped) {
    if (job.unschedule != nullptr) job.unschedule(job.argument);
  }
  return static_cast<int>(dropped.size());
}

void SimEnv::StartThread(void (*function)(void*), void* argument) {
  Schedule(function, argument, USER, nullptr, nullptr);
}

unsigned int SimEnv::GetThreadPoolQueueLen(Priority priority) const {
  unsigned int count = 0;
  for (const Job& job : jobs_) count += job.priority == priority ? 1 : 0;
  return count;
}

bool SimEnv::RunOneJob() {
  if (jobs_.empty()) return false;
  // Flushes and compactions come from pools of several threads: any may be first.
  const auto chosen = jobs_.begin() + static_cast<ptrdiff_t>(UniformBelow(random_, jobs_.size()));
  const Job job = *chosen;
  jobs_.erase(chosen);
  ++jobs_run_;
  scheduler_->Note("rocksdb/run", node_, static_cast<uint64_t>(job.priority));
  const SimExecutor::NoneCurrent none_current;
  // Not on the caller's thread, which may be inside RocksDB with thread-local state of its own.
  std::thread thread([&job] {
    BecomeSimulationThread();
    job.function(job.argument);
  });
  thread.join();
  return true;
}

void SimEnv::RunAllJobs() {
  while (RunOneJob()) {
  }
}

rocksdb::Status SimEnv::GetHostName(char* name, uint64_t size) {
  std::strncpy(name, "simulated", size);
  return rocksdb::Status::OK();
}

void ApplySimOptions(rocksdb::DBOptions* options, rocksdb::Env* env) {
  options->env = env;
  options->stats_dump_period_sec = 0;
  options->stats_persist_period_sec = 0;
  options->skip_stats_update_on_db_open = true;
  options->enable_write_thread_adaptive_yield = false;
  options->enable_pipelined_write = false;
  options->use_adaptive_mutex = false;
  options->max_subcompactions = 1;
  options->max_file_opening_threads = 1;
  // A background error stays until the owner reopens: recovery by itself runs on a real thread.
  options->max_bgerror_resume_count = 0;
  // Rolling the information log asks the file system's logger for sizes, which ours does not keep.
  options->max_log_file_size = 0;
  options->log_file_time_to_roll = 0;
}

void ApplySimOptions(rocksdb::ColumnFamilyOptions* options) {
  options->max_write_buffer_number = 10'000;
  options->level0_slowdown_writes_trigger = kNever;
  options->level0_stop_writes_trigger = kNever;
  options->soft_pending_compaction_bytes_limit = 0;
  options->hard_pending_compaction_bytes_limit = 0;
}

void ApplySimOptions(rocksdb::Options* options, rocksdb::Env* env) {
  ApplySimOptions(static_cast<rocksdb::DBOptions*>(options), env);
  ApplySimOptions(static_cast<rocksdb::ColumnFamilyOptions*>(options));
}

}  // namespace quorate::sim
