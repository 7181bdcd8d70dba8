#include "tests/sim/sim_runtime.h"

#include <algorithm>

#include "server/runtime/check.h"

namespace quorate::sim {

using std::chrono::microseconds;

SimRuntime::SimRuntime(SimScheduler* scheduler, SimNetwork* network,
                       const SimRuntimeOptions& options)
    : scheduler_(scheduler),
      network_(network),
      options_(options),
      random_(scheduler->ForkRandom()),
      clock_(scheduler, options.boot_offset),
      disk_(scheduler, &clock_, options.node) {
  disk_.MakeDurableDirectory(options_.data_directory);
  StartLife();
}

SimRuntime::~SimRuntime() { network_->Stop(options_.address); }

SimExecutor* SimRuntime::AddLoop(Life& life, const char* label, Duration cost_min,
                                 Duration cost_max) {
  life.loops.push_back(std::make_unique<SimExecutor>(
      scheduler_, &clock_,
      SimExecutorOptions{
          .node = options_.node, .label = label, .cost_min = cost_min, .cost_max = cost_max}));
  return life.loops.back().get();
}

void SimRuntime::StartLife() {
  network_->Start(options_.address, options_.node);
  auto life = std::make_unique<Life>();
  Runtime& runtime = life->runtime;
  for (size_t i = 0; i < std::max<size_t>(options_.workers, 1); ++i) {
    life->workers.push_back(AddLoop(*life, "worker", microseconds(1), microseconds(20)));
    runtime.workers.push_back(life->workers.back());
  }
  life->log_writer = AddLoop(*life, "log_writer", microseconds(100), microseconds(1000));
  life->apply = AddLoop(*life, "apply", microseconds(5), microseconds(200));
  life->env = std::make_unique<SimEnv>(scheduler_, &clock_, &disk_, options_.node);
  life->port = std::make_unique<SimNetwork::Port>(network_, options_.address);
  runtime.clock = &clock_;
  runtime.log_writer = life->log_writer;
  runtime.apply = life->apply;
  runtime.background = AddLoop(*life, "background", microseconds(10), microseconds(2000));
  runtime.network = life->port.get();
  runtime.env = life->env.get();
  runtime.boot_id = std::to_string(options_.node) + "." + std::to_string(boots_);
  runtime.seed = random_.Next();
  lives_.push_back(std::move(life));
}

void SimRuntime::Silence() {
  network_->Stop(options_.address);
  lives_.back()->env->Kill();
  for (const auto& loop : lives_.back()->loops) loop->Kill();
}

void SimRuntime::Crash(CrashKind kind) {
  QUORATE_CHECK(!crashed_);
  // The disk first: what the dropped tasks held may try to write as it dies.
  disk_.Crash(kind);
  if (kind != CrashKind::kProcess) ++boots_;
  crashed_ = true;
  crash_pending_ = false;
  paused_ = false;
  Silence();
  for (const auto& loop : lives_.back()->loops) loop->DropWork();
}

void SimRuntime::RunLoopsAtOnce() {
  for (const auto& loop : lives_.back()->loops) loop->RunAtOnce();
}

void SimRuntime::Restart() {
  QUORATE_CHECK(crashed_);
  crashed_ = false;
  StartLife();
}

void SimRuntime::Pause() {
  if (crashed_ || paused_) return;
  paused_ = true;
  network_->Pause(options_.address);
  lives_.back()->env->Pause();
  for (const auto& loop : lives_.back()->loops) loop->Pause();
}

void SimRuntime::Resume() {
  if (!paused_) return;
  paused_ = false;
  network_->Resume(options_.address);
  lives_.back()->env->Resume();
  for (const auto& loop : lives_.back()->loops) loop->Resume();
}

void SimRuntime::ArmCrashAtDiskOperation(uint64_t operations) {
  disk_.ArmCrash(operations, [this] {
    crash_pending_ = true;
    Silence();
  });
}

}  // namespace quorate::sim
