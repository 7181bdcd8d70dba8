// The only door to the consensus core: one replica of one Raft group as a pure state machine.
//
// Values go in (messages, time, proposals), a Ready comes out. No thread, clock, file, socket or
// hidden randomness is inside; the same calls with the same arguments give the same Readys. The
// driving loop is shown complete in raft/README.md.
//
// Source: Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm" (2014), and
// Ongaro's thesis (2014): pre-vote 9.6, check-quorum and leases 6.4.1, ReadIndex 6.4,
// transfer 3.10.
#ifndef RAFT_RAFT_NODE_H_
#define RAFT_RAFT_NODE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "raft/config.h"
#include "raft/log_storage.h"
#include "raft/message.h"
#include "raft/ready.h"
#include "raft/types.h"

namespace quorate::raft {

// Where an accepted proposal sits in the log. It was committed exactly if the entry applied at
// `index` has this term.
struct ProposalPosition {
  Term term;
  LogIndex index;
};

// While it holds, no other replica can have committed anything in a later term: reads of applied
// state are linearizable if an entry of the leader's own term is applied (design section 6).
struct Lease {
  Term term;
  MonotonicTime expires;  // exclusive
};

struct FollowerProgress {
  ReplicaId replica;
  LogIndex match;
  LogIndex next;
  bool recently_active = false;
  size_t inflight_bytes = 0;
  // The entries it needs next are unreadable here: it gets nothing until that changes.
  bool log_unavailable = false;
  // It needs compacted entries and waits for a snapshot.
  bool awaits_snapshot = false;
  // Lost power, and perhaps entries with it: it does not vote, nor do its copies count yet.
  bool returning = false;
};

struct RaftStatus {
  Role role = Role::kFollower;
  HardState hard_state;
  // This replica may have lost what it acknowledged: it neither votes nor leads until a leader has
  // cured it. A group of which a majority is returning stays without a leader.
  bool returning = false;
  ReplicaId leader;  // zero: unknown
  LogIndex compacted_index;
  LogIndex last_index;
  LogIndex persisted_index;
  LogIndex commit;
  LogIndex applied;
  bool committed_in_own_term = false;  // leaders only
  // Not OK: committed entries could not be read back from LogStorage. Nothing more is handed out
  // for applying; the replica is to be taken out of service.
  absl::Status log_error;
  // In force, committed or not; and the index of its entry, or where the log begins.
  Configuration configuration;
  LogIndex configuration_index;
  ReplicaId transfer_target;                // leaders only; zero: no transfer under way
  std::vector<FollowerProgress> followers;  // leaders only
};

// What became of a snapshot that was handed in.
enum class SnapshotOutcome : uint8_t {
  kIgnored,   // older than what is committed here, unusable, or another is being installed
  kLogHolds,  // the log has all of it: no data is needed, only the commit index moved
  kInstalls,  // the next Ready says what to do with the data
};

class RaftCore;

// Threads: none of its own; all calls from one thread at a time (the group's worker).
// Ownership: `storage` must outlive the node. On error no state has changed.
class RaftNode {
 public:
  // `applied` is what the state machine has already applied according to its own durable record; a
  // log that does not reach from there on is a log_error (see RaftStatus).
  // A restarted voter (its hard state has a term) grants no vote for election_timeout_min after
  // `now`, since it may have promised that to a leader it no longer remembers.
  RaftNode(const RaftConfig& config, const LogStorage* storage, LogIndex applied,
           MonotonicTime now);
  ~RaftNode();
  RaftNode(const RaftNode&) = delete;
  RaftNode& operator=(const RaftNode&) = delete;

  // Takes a message from another replica. Messages that do not fit (other receiver, older term, a
  // vote or an answer from no member) are ignored, save that requests of an older term are told the
  // present one; nothing that a peer sends can crash the node.
  void Step(const Message& message, MonotonicTime now);
  // Lets time pass: heartbeats, elections, check-quorum. Call it about every 20–50 ms.
  void Tick(MonotonicTime now);
  // Starts an election (with its pre-vote) at once instead of after a silence; for the designated
  // first leader of a new group and for groups of one. Ignored by leaders, by replicas that may not
  // vote, and while a leader was heard within election_timeout_min.
  void Campaign(MonotonicTime now);

  // Appends a command. kUnavailable: not the leader, or about to hand over; definitely not
  // proposed. kResourceExhausted: uncommitted_bytes_max reached, definitely not proposed.
  absl::StatusOr<ProposalPosition> Propose(std::shared_ptr<const std::string> payload,
                                           MonotonicTime now);
  // Begins a change of membership to `target` (its `outgoing` empty), by joint consensus where the
  // voters differ; the group then carries it through by itself. Done when a configuration equal to
  // `target` is committed (RaftStatus). New voters must be learners that have caught up.
  // kInvalidArgument: see CheckConfiguration. kUnavailable: not the leader, handing over, or
  // nothing of this term committed yet. kFailedPrecondition: a change is under way, a new voter has
  // not caught up or is returning, too many of the voters are, or target.epoch is below that of the
  // configuration in force. kAlreadyExists: nothing to change.
  absl::StatusOr<ProposalPosition> ProposeConfiguration(const Configuration& target,
                                                        MonotonicTime now);
  // Registers a linearizable read; `context` comes back in Ready::reads or Ready::reads_refused.
  // kUnavailable: not the leader. kResourceExhausted: pending_reads_max reached.
  absl::Status ReadIndex(uint64_t context, MonotonicTime now);
  // Nothing has to be ticked until another call is made: the group has nothing to do, and all its
  // members know that (RaftConfig::quiet_after). A quiet leader holds no lease. Every message, but
  // for one that agrees, and every request wakes; a woken follower wakes the others.
  //
  // A quiet follower does not notice by itself that its leader is gone. So the driver of a group
  // that may go quiet watches over the leaders' nodes, and calls SuspectLeader on the followers as
  // soon as such a node is silent, has begun a new life, or does not count this group and term
  // among those that it leads.
  [[nodiscard]] bool quiet() const;
  // There is something to do, here or soon: not quiet, and not for quiet_after from now on.
  void Wake(MonotonicTime now);
  // Wakes a quiet follower, which campaigns soon if its leader stays silent. Nothing to all others.
  void SuspectLeader(MonotonicTime now);

  // Leaves leadership at once (its disk is stuck, say). No effect on others.
  void StepDown(MonotonicTime now);

  // Hands leadership to `target`, another voter (Raft thesis, section 3.10): takes no proposals
  // until its log equals this one's, then asks it to campaign. Ends with this replica's leadership,
  // or without success after election_timeout_min. Once the target was asked there is no lease for
  // the rest of the term: Ready::role_changed tells the driver to look, before anything is sent.
  // kUnavailable: not the leader. kInvalidArgument: no other voter. kFailedPrecondition: another
  // transfer is under way, or the target is returning. Repeats for the same target are OK.
  absl::Status TransferLeadership(ReplicaId target, MonotonicTime now);
  // Who would take over soonest: the voter, heard of lately, with the most complete log. Zero:
  // none, or not the leader.
  [[nodiscard]] ReplicaId TransferCandidate() const;

  [[nodiscard]] bool HasReady() const;
  // Moves out all that has gathered. Calls may go on before the Ready is persisted or applied.
  Ready TakeReady();
  // All Readys up to this token are durable.
  void OnPersisted(uint64_t persist_token, MonotonicTime now);
  void OnApplied(LogIndex index);

  // Forgets the log up to `index`, which the state machine has applied durably. The driver may then
  // drop these entries from the log, in its own time; they are never asked for again. False: there
  // is nothing to drop, or the entry at `index` is unreadable.
  bool CompactTo(LogIndex index);
  // The data of a snapshot is here, complete and checked, by a stream that `leader` offered in
  // `leader_term`. It may come late or from a deposed leader: it is of committed entries all the
  // same. An accepting answer goes to the leader when it is durable.
  SnapshotOutcome InstallSnapshot(const SnapshotMeta& snapshot, ReplicaId leader, Term leader_term,
                                  MonotonicTime now);
  // What became of a snapshot for a follower that Ready::snapshots_wanted named: it is installed
  // there up to an index, or (nothing) it was not. Exactly one report an asking; reports after a
  // role change are ignored. After a failure the follower is named again when it still needs one.
  void ReportSnapshot(ReplicaId follower, std::optional<LogIndex> installed, MonotonicTime now);

  // The lease as of now, leaders only; empty when lease_enabled is false, no entry of the own term
  // is applied yet, it has run out, or the leader is quiet.
  [[nodiscard]] std::optional<Lease> CurrentLease(MonotonicTime now) const;
  // Cheap accessors for the hot path.
  [[nodiscard]] Role role() const;
  // Leads, or led last, with a log that becomes durable much later than that of others who could
  // decide without it.
  [[nodiscard]] bool DiskLagsBehind() const;
  [[nodiscard]] Term term() const;
  [[nodiscard]] ReplicaId leader() const;
  [[nodiscard]] bool returning() const;  // RaftStatus::returning
  [[nodiscard]] RaftStatus Status() const;

  // For invariant checkers and scenario tests only.
  [[nodiscard]] const RaftCore& core() const { return *core_; }

 private:
  std::unique_ptr<RaftCore> core_;
};

}  // namespace quorate::raft

#endif  // RAFT_RAFT_NODE_H_
