// A client process in the simulation: the client library's whole logic on virtual time.
#ifndef TESTS_SIM_CLUSTER_SIM_CLIENT_H_
#define TESTS_SIM_CLUSTER_SIM_CLIENT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/src/client_core.h"
#include "tests/sim/cluster/sim_cluster.h"
#include "tests/sim/cluster/sim_transport.h"
#include "tests/sim/sim_clock.h"
#include "tests/sim/sim_executor.h"

namespace quorate::sim {

// Owned by the test; everything given outlives it. One thread.
class SimClient {
 public:
  SimClient(SimScheduler* scheduler, SimNetwork* network, SimCluster* cluster,
            const std::string& name, std::vector<std::string> endpoints, uint64_t seed);
  ~SimClient();
  SimClient(const SimClient&) = delete;
  SimClient& operator=(const SimClient&) = delete;

  [[nodiscard]] client::ClientCore& core() { return core_; }

 private:
  SimClock clock_;
  SimExecutor executor_;
  SimTransport transport_;
  client::ClientCore core_;
};

// Starts all nodes, initialises a cluster at node 1, waits until all have joined and are ready, and
// creates the keyspace. For the beginning of a run, before any fault.
absl::Status FoundCluster(SimScheduler* scheduler, SimCluster* cluster, SimClient* admin,
                          const std::string& keyspace, const client::Policy& policy);

}  // namespace quorate::sim

#endif  // TESTS_SIM_CLUSTER_SIM_CLIENT_H_
