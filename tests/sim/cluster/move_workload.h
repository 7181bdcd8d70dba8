// The operator: hands leadership from node to node, and, if wanted, moves replicas between nodes,
// turns moves back and drains nodes, while all else goes on.
#ifndef TESTS_SIM_CLUSTER_MOVE_WORKLOAD_H_
#define TESTS_SIM_CLUSTER_MOVE_WORKLOAD_H_

#include <cstdint>
#include <map>
#include <string>

#include "server/runtime/random.h"
#include "tests/sim/cluster/sim_client.h"
#include "tests/sim/cluster/sim_cluster.h"

namespace quorate::sim {

struct MoveWorkloadOptions {
  std::string keyspace = "registers";
  // Not only transfers; wants more nodes than replicas.
  bool moves = false;
  Duration think_max = std::chrono::seconds(4);
};

struct MoveCounts {
  uint64_t finished = 0;        // moves of partitions that were seen to be through
  uint64_t cancelled = 0;       // of these, turned back by the operator
  uint64_t leader_removed = 0;  // of these, the replica that left was taken for the leader
  uint64_t meta_moves = 0;      // changes of the meta group's voters seen
  uint64_t drains = 0;
  uint64_t transfers = 0;           // asked for
  uint64_t transfers_finished = 0;  // of these, the old leader saw that the other one leads
};

// Owned by the test; one thread.
class MoveWorkload {
 public:
  MoveWorkload(SimScheduler* scheduler, SimNetwork* network, SimCluster* cluster,
               const MoveWorkloadOptions& options);
  MoveWorkload(const MoveWorkload&) = delete;
  MoveWorkload& operator=(const MoveWorkload&) = delete;

  void Begin() { Think(); }
  // No new moves; a call under way ends by its deadline.
  void Stop() { stopped_ = true; }
  [[nodiscard]] bool Idle() const { return under_way_ == 0; }
  // After Stop, when idle: lets the drained node have replicas again and looks at the state, again
  // and again, until no move is open.
  void Settle();
  [[nodiscard]] bool settled() const { return settled_; }
  [[nodiscard]] const MoveCounts& counts() const { return counts_; }

 private:
  struct Open {
    bool cancelled = false;
    bool leader_leaves = false;
  };

  void Think();
  void Look(bool act);
  void Note(const client::ClusterState& state);
  void Act(const client::ClusterState& state);
  void Transfer(const client::ClusterState& state, const client::Partition& partition);
  void Move(const client::ClusterState& state, const client::Partition& partition);
  void Drain(uint64_t node_id, bool undo);
  void UndoDrains(const client::ClusterState& state);

  SimScheduler* const scheduler_;
  const MoveWorkloadOptions options_;
  SeededRandom random_;
  SimClient client_;
  std::map<uint64_t, Open> open_;  // by group
  uint64_t meta_epoch_ = 0;
  uint64_t under_way_ = 0;
  bool stopped_ = false;
  bool settled_ = false;
  MoveCounts counts_;
};

}  // namespace quorate::sim

#endif  // TESTS_SIM_CLUSTER_MOVE_WORKLOAD_H_
