#include "server/runtime/production_runtime.h"

#include <fmt/format.h>
#include <rocksdb/env.h>

#include <algorithm>

#include "server/runtime/proc_file.h"
#include "server/runtime/random.h"

namespace quorate {

ProductionRuntime::ProductionRuntime(const ProductionRuntimeOptions& options)
    : log_writer_("log_writer", &clock_),
      apply_("apply", &clock_),
      background_("background", &clock_) {
  for (size_t i = 0; i < std::max<size_t>(options.workers, 1); ++i) {
    workers_.push_back(std::make_unique<EventLoop>(fmt::format("worker_{}", i), &clock_));
    runtime_.workers.push_back(workers_.back().get());
  }
  runtime_.clock = &clock_;
  runtime_.log_writer = &log_writer_;
  runtime_.apply = &apply_;
  runtime_.background = &background_;
  runtime_.env = rocksdb::Env::Default();
  runtime_.boot_id = ReadProcFile("/proc/sys/kernel/random/boot_id");
  if (runtime_.boot_id.ends_with('\n')) runtime_.boot_id.pop_back();
  runtime_.seed = KernelSeed();
}

ProductionRuntime::~ProductionRuntime() { Stop(); }

void ProductionRuntime::Stop() {
  // Workers feed the blocking loops, so they go first and their last work is still done.
  for (auto& worker : workers_) worker->Stop();
  log_writer_.Stop();
  apply_.Stop();
  background_.Stop();
}

}  // namespace quorate
