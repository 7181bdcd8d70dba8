// The closed loop: so many requests in flight, each answer followed by the next request.
#ifndef TOOLS_KVBENCH_DRIVER_GRPC_H_
#define TOOLS_KVBENCH_DRIVER_GRPC_H_

#include "tools/kvbench/figures.h"
#include "tools/kvbench/options.h"
#include "tools/kvbench/target_grpc.h"

namespace quorate::kvbench {

// Random keys for Options.duration after Options.warm_up. One thread and one completion queue.
Figures Run(const Options& options, Target* target);
// Puts each key once.
Figures Load(const Options& options, Target* target);

}  // namespace quorate::kvbench

#endif  // TOOLS_KVBENCH_DRIVER_GRPC_H_
