#include "tools/kvbench/cpu_time.h"

#include <unistd.h>

#include "fmt/format.h"
#include "server/runtime/proc_file.h"
#include "server/runtime/process_figures.h"

namespace quorate::kvbench {

double CpuSecondsOf(const std::vector<int64_t>& pids) {
  uint64_t ticks = 0;
  for (const int64_t pid : pids) {
    const auto stat = ParseProcStat(ReadProcFile(fmt::format("/proc/{}/stat", pid)));
    if (stat) ticks += stat->cpu_ticks;
  }
  return static_cast<double>(ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double OwnCpuSeconds() { return CpuSecondsOf({getpid()}); }

}  // namespace quorate::kvbench
