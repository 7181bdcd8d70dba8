// Several whole nodes in one process, on simulated machines.
#ifndef TESTS_SIM_CLUSTER_SIM_CLUSTER_H_
#define TESTS_SIM_CLUSTER_SIM_CLUSTER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "server/node.h"
#include "tests/sim/cluster/fault_schedule.h"
#include "tests/sim/cluster/sim_transport.h"
#include "tests/sim/sim_network.h"
#include "tests/sim/sim_runtime.h"
#include "tests/sim/sim_scheduler.h"

namespace quorate::sim {

struct FaultCounts {
  uint64_t crashes = 0;
  uint64_t crashes_at_disk = 0;
  uint64_t clean_stops = 0;
  uint64_t restarts = 0;
  uint64_t partitions = 0;
  uint64_t pauses = 0;
  uint64_t link_changes = 0;
  uint64_t clock_changes = 0;
  uint64_t failed_syncs = 0;
  uint64_t flips = 0;
  uint64_t full_disks = 0;
  // Of these, the nodes that ran into it and said so.
  uint64_t full_disks_told = 0;
  // Leases that had run out when their node went on after a pause, so that it refused a read.
  uint64_t leases_refused = 0;

  [[nodiscard]] uint64_t Total() const {
    return crashes + crashes_at_disk + clean_stops + partitions + pauses + link_changes +
           clock_changes + failed_syncs + flips + full_disks;
  }
};

// Nodes 1..N, each on a machine of its own, all in each other's --join. Owned by the test; one
// thread, all calls from outside the nodes' tasks.
class SimCluster {
 public:
  SimCluster(SimScheduler* scheduler, SimNetwork* network, uint32_t nodes);
  ~SimCluster();
  SimCluster(const SimCluster&) = delete;
  SimCluster& operator=(const SimCluster&) = delete;

  // Starts the process on machine `node`. An error means that the node refused its own folder.
  absl::Status Start(uint32_t node);
  void Crash(uint32_t node, CrashKind kind);
  // Begins what a signal to stop begins: the node hands over what it leads and stops cleanly. Then
  // `kind` befalls the machine.
  void Stop(uint32_t node, CrashKind kind);
  // Does what the fault says; one that does not fit (a crash of a crashed node) is passed over.
  absl::Status Inject(const Fault& fault);
  // Ends all faults and starts what is down.
  absl::Status HealAll();
  // Crashes nodes whose armed crash has fired. After each event.
  void CollectArmedCrashes();
  // After an event with this machine's replica at the head of a group in a joint configuration.
  void SawJointLeader(uint32_t node);
  // From now on no fsync of a write-ahead log makes anything durable: as a log writer that does not
  // sync.
  void LieAboutLogSyncs();

  [[nodiscard]] uint32_t size() const { return static_cast<uint32_t>(machines_.size()); }
  [[nodiscard]] bool IsRunning(uint32_t node) const { return At(node).node != nullptr; }
  // Null while it is down.
  [[nodiscard]] Node* node(uint32_t node) { return At(node).node.get(); }
  [[nodiscard]] SimRuntime& machine(uint32_t node) { return *At(node).runtime; }
  [[nodiscard]] static std::string AddressOf(uint32_t node);
  [[nodiscard]] std::vector<std::string> Addresses() const;
  [[nodiscard]] SimServer Resolve(const std::string& address);
  [[nodiscard]] const FaultCounts& counts() const { return counts_; }
  // What nodes that start from now on are given.
  ReplicaHost::Options& replication() { return replication_; }
  // A counter of the nodes' metrics, summed up over all nodes and lives; one of kSummed.
  [[nodiscard]] uint64_t Sum(const std::string& metric) const;
  static constexpr const char* kSummed[] = {
      "quorate_snapshots_sent_total", "quorate_snapshots_installed_total",
      "quorate_snapshots_resumed_total", "quorate_peer_envelopes_damaged_total"};

 private:
  struct Machine {
    std::unique_ptr<SimRuntime> runtime;
    std::unique_ptr<Node> node;
    bool started_before = false;
  };

  Machine& At(uint32_t node) { return machines_.at(node - 1); }
  [[nodiscard]] const Machine& At(uint32_t node) const { return machines_.at(node - 1); }
  void EndStop(uint32_t node, CrashKind kind);
  void SlowLinks(double loss, double delay_ms);
  // As links_ says.
  void SetLinks();
  void InjectClock(const Fault& fault);
  void InjectDisk(const Fault& fault);
  void Pause(uint32_t node);
  absl::Status Resume(uint32_t node);
  // Groups that a node reads from under its lease at this moment.
  std::set<GroupId> LeasesOn(uint32_t node);

  SimScheduler* const scheduler_;
  SimNetwork* const network_;
  std::vector<Machine> machines_;
  // Nodes that were given a failing fsync in their present life.
  std::set<uint32_t> failing_syncs_;
  // And those whose disk is full.
  std::set<uint32_t> full_disks_;
  uint64_t joint_events_left_ = 0;  // until a crash; 0: none is armed
  LinkRule links_;                  // between nodes
  struct Paused {
    MonotonicTime since;  // by its own clock
    std::set<GroupId> leases;
  };
  std::map<uint32_t, Paused> paused_;
  FaultCounts counts_;
  ReplicaHost::Options replication_ = NodeOptions().replication;
  std::map<std::string, uint64_t> of_past_lives_;
};

}  // namespace quorate::sim

#endif  // TESTS_SIM_CLUSTER_SIM_CLUSTER_H_
