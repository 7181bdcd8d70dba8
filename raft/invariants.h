// Checks that hold over all replicas of one group at every moment (Raft paper, Figure 3, and what
// this implementation promises on top). For tests: run after each step.
#ifndef RAFT_INVARIANTS_H_
#define RAFT_INVARIANTS_H_

#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "raft/config.h"
#include "raft/log_storage.h"
#include "raft/message.h"
#include "raft/raft_node.h"
#include "raft/types.h"

namespace quorate::raft {

// One replica as it is now. `disk` holds what would survive a crash, also while `node` is null
// (down); it must answer InitialHardState for now, not for its start.
struct ReplicaView {
  ReplicaId id;
  const RaftNode* node = nullptr;
  const LogStorage* disk = nullptr;
  // Its own clock, where clocks differ; else Check's.
  std::optional<MonotonicTime> now = std::nullopt;
};

// Remembers the whole history, so that it catches what two moments contradict. Each violation is a
// line "name: what was seen". Checked:
//   election_safety      at most one leader a term, ever
//   log_matching         equal (index, term), equal entry and equal predecessor
//   leader_append_only   a leader never cuts its own log
//   leader_completeness  a leader's log holds all that earlier terms committed
//   commit_agreement     one entry an index is committed, for ever
//   quorum_log           what is committed is on the disks of a majority of the newest committed
//                        configuration, not counting those that are returning
//   returning_helps_none who is returning leads nothing, and gives no vote
//   one_change           no log holds two uncommitted changes of membership
//   config_from_log      the membership in force is what log and snapshot prescribe
//   state_machine_safety all replicas apply the same entries in the same order, without gaps save
//                        by a snapshot of what was committed
//   durable_promise      no message claims a term, vote, match or cure that its sender's disk lacks
//   term_monotonic       term, and vote within a term, never go back, across restarts either
//   quiet_caught_up      who is quiet with a quiet leader has exactly its log, all of it committed
//   lease_exclusion      while a lease holds, no leader of a later term exists
// Owned by a test fixture; one thread.
class Invariants {
 public:
  // `configuration`: the group's first one.
  explicit Invariants(Configuration configuration)
      : committed_configurations_{{LogIndex(), std::move(configuration)}} {}

  // The whole group, after any step.
  void Check(const std::vector<ReplicaView>& replicas, MonotonicTime now);
  // `message` leaves its sender, whose disk this is; `durable` is what of its hard state outlives a
  // loss of power.
  void OnSend(const Message& message, const LogStorage& disk, const HardState& durable);
  // `entry` is applied by `replica`.
  void OnApply(ReplicaId replica, const Entry& entry);
  // A snapshot takes the place of `replica`'s state.
  void OnInstall(ReplicaId replica, const SnapshotMeta& snapshot);
  // `replica` starts (again) with a state machine that holds what was applied up to `applied`.
  void OnStart(ReplicaId replica, LogIndex applied);

  [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }
  // The highest index that was ever committed.
  [[nodiscard]] LogIndex LastCommitted() const {
    return committed_.empty() ? LogIndex() : committed_.rbegin()->first;
  }

 private:
  // What was last seen of one running replica.
  struct Seen {
    std::vector<Term> terms;  // terms[i] is that of entry first + i
    LogIndex first{1};
    LogIndex commit;
    LogIndex applied;
    Term leads;  // zero: no leader
    Term term;
    ReplicaId voted_for;
  };
  struct KnownEntry {
    Term previous_term;
    Entry entry;
  };
  struct Committed {
    Term entry_term;
    Term seen_in_term;  // of the replica that was first seen to count it as committed
  };

  void Fail(std::string text);
  void CheckReplica(const ReplicaView& replica);
  void CheckTermAndVote(const ReplicaView& replica, Seen* seen);
  void CheckLog(const ReplicaView& replica, Seen* seen);
  void CheckEntry(const ReplicaView& replica, LogIndex index);
  void CheckCommit(const ReplicaView& replica, Seen* seen);
  void NoteCommitted(LogIndex index, Term term);
  // As of a committed index.
  [[nodiscard]] const Configuration& CommittedConfiguration(LogIndex index) const {
    return std::prev(committed_configurations_.upper_bound(index))->second;
  }
  void CheckMembership(const ReplicaView& replica);
  void CheckLeaderHolds(const ReplicaView& leader, LogIndex index, const Committed& committed);
  void CheckLeader(const ReplicaView& replica, Seen* seen);
  void CheckQuorumLog(const std::vector<ReplicaView>& replicas);
  void CheckQuiet(const std::vector<ReplicaView>& replicas);
  void CheckLeases(const std::vector<ReplicaView>& replicas, MonotonicTime now);

  // By the index of the entry; zero: the first one.
  std::map<LogIndex, Configuration> committed_configurations_;
  std::vector<std::string> violations_;
  std::map<ReplicaId, Seen> seen_;
  std::map<Term, ReplicaId> leaders_;
  std::map<std::pair<LogIndex, Term>, KnownEntry> entries_;
  std::map<LogIndex, Committed> committed_;
};

}  // namespace quorate::raft

#endif  // RAFT_INVARIANTS_H_
