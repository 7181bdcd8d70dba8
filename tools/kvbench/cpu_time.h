// Processor time of processes of this machine.
#ifndef TOOLS_KVBENCH_CPU_TIME_H_
#define TOOLS_KVBENCH_CPU_TIME_H_

#include <cstdint>
#include <vector>

namespace quorate::kvbench {

// Of all their threads since they began, from /proc; a process that is not there counts as 0.
double CpuSecondsOf(const std::vector<int64_t>& pids);
double OwnCpuSeconds();

}  // namespace quorate::kvbench

#endif  // TOOLS_KVBENCH_CPU_TIME_H_
