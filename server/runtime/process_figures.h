// The process as the kernel sees it: for metrics of a real process only. Reads /proc, never on a
// hot path.
#ifndef SERVER_RUNTIME_PROCESS_FIGURES_H_
#define SERVER_RUNTIME_PROCESS_FIGURES_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/runtime/metrics.h"

namespace quorate {

struct ProcessFigures {
  double cpu_seconds = 0;
  double start_time_seconds = 0;  // since the Unix epoch
  uint64_t resident_bytes = 0;
  uint64_t virtual_bytes = 0;
  uint64_t threads = 0;
  uint64_t open_fds = 0;
  uint64_t max_fds = 0;
};

// What could not be read is 0.
ProcessFigures ReadProcessFigures();
// Processor time of all threads, by their name: which loop is busy.
std::map<std::string, double> ReadThreadCpuSeconds();

// One line of /proc/PID/stat or /proc/PID/task/TID/stat. Nothing when it is malformed.
struct ProcStat {
  std::string name;
  uint64_t cpu_ticks = 0;
  uint64_t threads = 0;
  uint64_t start_ticks = 0;  // since boot
  uint64_t virtual_bytes = 0;
  uint64_t resident_pages = 0;
};
std::optional<ProcStat> ParseProcStat(std::string_view line);

// Tells them under the names that Prometheus' own libraries use (process_…), for as long as the
// handles live.
std::vector<std::shared_ptr<void>> AddProcessMetrics(MetricsRegistry& registry);

}  // namespace quorate

#endif  // SERVER_RUNTIME_PROCESS_FIGURES_H_
