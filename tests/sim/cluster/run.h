// One simulated run: a cluster is made, clients work while faults come and go, everything heals,
// and all checkers have their say.
#ifndef TESTS_SIM_CLUSTER_RUN_H_
#define TESTS_SIM_CLUSTER_RUN_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/cluster/counter_workload.h"
#include "tests/sim/cluster/fault_schedule.h"
#include "tests/sim/cluster/pair_workload.h"
#include "tests/sim/cluster/register_workload.h"

namespace quorate::sim {

struct RunOptions {
  uint64_t seed = 1;
  uint32_t nodes = 3;
  uint32_t partitions = 4;
  Duration length = std::chrono::seconds(60);
  bool lease = true;
  // After which idle time groups go quiet; 0: never. Unset: drawn from the seed.
  std::optional<Duration> quiet_after;
  // Writes are acknowledged without fsync. Then processes die, but no machine loses power unless
  // its node was stopped cleanly before, and no sync fails: what else holds is the same, and what
  // such faults do is buffered_test's.
  bool buffered = false;
  // An operator moves replicas meanwhile; wants more nodes than replicas (3).
  bool moves = false;
  // Bytes of its log that a replica keeps: few, so that who was away for a while needs a snapshot.
  // Unset: as nodes do by default.
  std::optional<uint64_t> log_keep_bytes;
  // Unset: drawn from the seed.
  std::optional<std::vector<Fault>> faults;
  RegisterWorkloadOptions workload;
  PairWorkloadOptions pairs;
  CounterWorkloadOptions counters;
  // A run in which too little happened has shown nothing.
  uint64_t ok_min = 500;
  // Mutant: every fsync of a log reports success and makes nothing durable.
  bool lying_log_syncs = false;
  // Events that must have happened, by name in RunReport::counts: what a regression is about.
  std::vector<std::string> expected_events;
};

struct RunReport {
  std::vector<std::string> failures;
  std::vector<Fault> faults;
  uint64_t hash = 0;
  double virtual_seconds = 0;
  std::map<std::string, uint64_t> counts;
};

// Deterministic where addresses are (determinism.h).
[[nodiscard]] RunReport Run(const RunOptions& options);

}  // namespace quorate::sim

#endif  // TESTS_SIM_CLUSTER_RUN_H_
