// What a run found.
#ifndef TOOLS_KVBENCH_FIGURES_H_
#define TOOLS_KVBENCH_FIGURES_H_

#include <cstdint>
#include <string>

#include "tools/kvbench/latency_histogram.h"

namespace quorate::kvbench {

struct Figures {
  double seconds = 0;           // that were counted
  uint64_t attempts_again = 0;  // requests repeated because a server could not take them then
  uint64_t failures = 0;
  std::string first_error;        // of a failure or of an attempt that was repeated; empty: none
  double client_cpu_seconds = 0;  // of this process
  double server_cpu_seconds = 0;  // of all Options.server_pids
  LatencyHistogram latencies;     // of operations that were done, from their first attempt on
};

}  // namespace quorate::kvbench

#endif  // TOOLS_KVBENCH_FIGURES_H_
