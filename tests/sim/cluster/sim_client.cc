#include "tests/sim/cluster/sim_client.h"

#include <fmt/format.h>

#include <utility>

namespace quorate::sim {
namespace {

using std::chrono::seconds;

client::ClientCoreOptions CoreOptions(std::vector<std::string> endpoints,
                                      client::Transport* transport, const Clock* clock,
                                      Executor* executor, uint64_t seed) {
  client::ClientCoreOptions options;
  options.endpoints = std::move(endpoints);
  options.transport = transport;
  options.clock = clock;
  options.executor = executor;
  options.seed = seed;
  return options;
}

}  // namespace

SimClient::SimClient(SimScheduler* scheduler, SimNetwork* network, SimCluster* cluster,
                     const std::string& name, std::vector<std::string> endpoints, uint64_t seed)
    : clock_(scheduler, Duration(0)),
      executor_(scheduler, &clock_, {.node = kNoNode, .label = "client"}),
      transport_(scheduler, network, &clock_, name,
                 [cluster](const std::string& address) { return cluster->Resolve(address); }),
      core_(CoreOptions(std::move(endpoints), &transport_, &clock_, &executor_, seed)) {}

SimClient::~SimClient() {
  core_.Close();
  executor_.Kill();
}

absl::Status FoundCluster(SimScheduler* scheduler, SimCluster* cluster, SimClient* admin,
                          const std::string& keyspace, const client::Policy& policy) {
  for (uint32_t node = 1; node <= cluster->size(); ++node) {
    if (absl::Status started = cluster->Start(node); !started.ok()) return started;
  }
  scheduler->RunFor(seconds(1));
  absl::Status outcome = absl::DeadlineExceededError("init did not end");
  bool done = false;
  admin->core().Init(SimCluster::AddressOf(1), false, {}, [&](const client::InitResult& result) {
    done = true;
    outcome = result.status;
  });
  scheduler->RunUntilTrue([&] { return done; }, seconds(10));
  if (!outcome.ok()) return outcome;
  const auto all_ready = [&] {
    for (uint32_t node = 1; node <= cluster->size(); ++node) {
      if (!cluster->node(node)->readiness().ready()) return false;
    }
    return true;
  };
  if (!scheduler->RunUntilTrue(all_ready, seconds(20))) {
    return absl::DeadlineExceededError("not all nodes joined and got ready in 20 s");
  }
  outcome = absl::DeadlineExceededError("creating the keyspace did not end");
  done = false;
  admin->core().CreateKeyspace(keyspace, policy, {},
                               [&](const client::CreateKeyspaceResult& result) {
                                 done = true;
                                 outcome = result.status;
                               });
  scheduler->RunUntilTrue([&] { return done; }, seconds(10));
  return outcome;
}

}  // namespace quorate::sim
