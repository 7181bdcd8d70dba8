// Watches all replicas of all groups of a simulated cluster from outside.
#ifndef TESTS_SIM_CLUSTER_RAFT_OBSERVER_H_
#define TESTS_SIM_CLUSTER_RAFT_OBSERVER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "raft/invariants.h"
#include "raft/raft_node.h"
#include "tests/sim/cluster/sim_cluster.h"

namespace quorate::sim {

// Runs raft::Invariants for each group after each event that changed one of its replicas, and
// checks what only lives across crashes: a replica that comes back still holds what it could have
// claimed
// (`durable_promise`). Owned by the test.
class RaftObserver {
 public:
  explicit RaftObserver(SimCluster* cluster) : cluster_(cluster) {}

  // Between two events.
  void AfterEvent();
  [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }
  [[nodiscard]] uint64_t elections() const { return elections_; }
  [[nodiscard]] uint64_t committed_entries() const;
  // How often a leader went quiet, and woke; and how often another one was elected in its place
  // before it had noticed anything.
  [[nodiscard]] uint64_t rests() const { return rests_; }
  [[nodiscard]] uint64_t wakes() const { return wakes_; }
  [[nodiscard]] uint64_t quiet_leaders_deposed() const { return quiet_leaders_deposed_; }
  // How often a replica dropped the beginning of its log.
  [[nodiscard]] uint64_t truncations() const { return truncations_; }
  // A machine whose replica led a group in a joint configuration after the last event; 0: none.
  [[nodiscard]] uint32_t joint_leader() const { return joint_leader_; }
  // How often a machine crashed whose replica led a group in a joint configuration.
  [[nodiscard]] uint64_t joints_interrupted() const { return joints_interrupted_; }

 private:
  // What decides whether a replica needs a look.
  struct Signature {
    raft::Role role = raft::Role::kFollower;
    raft::Term term;
    ReplicaId voted_for;
    raft::LogIndex last;
    raft::LogIndex persisted;
    raft::LogIndex commit;
    bool quiet = false;
    bool joint = false;
    friend bool operator==(const Signature&, const Signature&) = default;
  };
  struct Watched {
    const raft::RaftNode* node = nullptr;  // of the present life
    bool alive = false;
    uint32_t machine = 0;
    Signature signature;
    raft::LogIndex compacted;
    // What messages of its lives may have claimed.
    raft::HardState claimed;
    raft::LogIndex claimed_persisted;
  };
  struct Group {
    std::unique_ptr<raft::Invariants> invariants;
    std::map<ReplicaId, Watched> replicas;
    size_t reported = 0;
    bool changed = false;
  };

  void Look(uint32_t machine, const ReplicaSpec& spec, const raft::RaftNode& replica);
  void OnNewLife(const ReplicaSpec& spec, const raft::RaftNode& replica, Watched* watched,
                 Group* group);
  void CheckGroup(GroupId id, Group* group);

  SimCluster* const cluster_;
  std::map<GroupId, Group> groups_;
  std::map<ReplicaId, raft::ReplicaView> views_;
  std::vector<std::string> violations_;
  uint64_t elections_ = 0;
  uint64_t rests_ = 0;
  uint64_t wakes_ = 0;
  uint64_t quiet_leaders_deposed_ = 0;
  uint64_t truncations_ = 0;
  uint64_t joints_interrupted_ = 0;
  uint32_t joint_leader_ = 0;
};

}  // namespace quorate::sim

#endif  // TESTS_SIM_CLUSTER_RAFT_OBSERVER_H_
