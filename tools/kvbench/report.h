// The figures of a run, for people and for programs.
#ifndef TOOLS_KVBENCH_REPORT_H_
#define TOOLS_KVBENCH_REPORT_H_

#include <string>

#include "tools/kvbench/figures.h"
#include "tools/kvbench/options.h"

namespace quorate::kvbench {

// One line of JSON. Times in microseconds: latencies, and processor time for each operation.
std::string ToJson(const Options& options, const Figures& figures);
std::string ToText(const Options& options, const Figures& figures);

}  // namespace quorate::kvbench

#endif  // TOOLS_KVBENCH_REPORT_H_
