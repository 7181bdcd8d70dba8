// The consensus state machine behind RaftNode: terms, roles, and who does what on a role change.
//
// What a message does is in the handlers (handlers.h), what time does in raft_core_tick.cc; the
// arithmetic is in small types of their own (Election, Replication, HeartbeatRounds, ReadQueue,
// RaftLog, PersistTracker, ApplyQueue, Outbox), which know nothing of each other.
#ifndef RAFT_RAFT_CORE_H_
#define RAFT_RAFT_CORE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "raft/apply_queue.h"
#include "raft/config.h"
#include "raft/configuration.h"
#include "raft/election.h"
#include "raft/heartbeat_rounds.h"
#include "raft/log_storage.h"
#include "raft/message.h"
#include "raft/outbox.h"
#include "raft/persist_tracker.h"
#include "raft/raft_log.h"
#include "raft/raft_node.h"
#include "raft/reads.h"
#include "raft/ready.h"
#include "raft/replication.h"
#include "raft/transfer.h"
#include "raft/types.h"
#include "raft/uncommitted.h"

namespace quorate::raft {

// Owned by RaftNode, whose calls it mirrors; one thread at a time.
// Invariants: the role is kLeader exactly while leader() is self; term never falls; voted_for
// changes at most once a term; followers() is empty unless the role is kLeader.
class RaftCore {
 public:
  RaftCore(const RaftConfig& config, const LogStorage* storage, LogIndex applied,
           MonotonicTime now);
  RaftCore(const RaftCore&) = delete;
  RaftCore& operator=(const RaftCore&) = delete;

  // ---- RaftNode's calls, documented there.
  void Step(const Message& message, MonotonicTime now);
  void Tick(MonotonicTime now);
  void Campaign(MonotonicTime now);
  absl::StatusOr<ProposalPosition> Propose(std::shared_ptr<const std::string> payload,
                                           MonotonicTime now);
  absl::Status ReadIndex(uint64_t context, MonotonicTime now);
  void StepDown(MonotonicTime now);
  [[nodiscard]] bool quiet() const { return quiet_; }
  void Wake(MonotonicTime now);
  void SuspectLeader(MonotonicTime now);
  absl::Status TransferLeadership(ReplicaId target, MonotonicTime now);
  [[nodiscard]] ReplicaId TransferCandidate() const;
  absl::StatusOr<ProposalPosition> ProposeConfiguration(const Configuration& target,
                                                        MonotonicTime now);
  [[nodiscard]] bool HasReady() const;
  Ready TakeReady();
  void OnPersisted(uint64_t token, MonotonicTime now);
  void OnApplied(LogIndex index) { applies_.Applied(index); }
  bool CompactTo(LogIndex index);
  SnapshotOutcome InstallSnapshot(const SnapshotMeta& snapshot, ReplicaId leader, Term leader_term,
                                  MonotonicTime now);
  void ReportSnapshot(ReplicaId follower, std::optional<LogIndex> installed, MonotonicTime now);
  [[nodiscard]] std::optional<Lease> CurrentLease(MonotonicTime now) const;
  [[nodiscard]] RaftStatus Status() const;

  // ---- State.
  [[nodiscard]] const RaftConfig& config() const { return config_; }
  [[nodiscard]] const Configuration& configuration() const { return configurations_.latest(); }
  [[nodiscard]] const ConfigurationHistory& configurations() const { return configurations_; }
  [[nodiscard]] ReplicaId self() const { return config_.self; }
  [[nodiscard]] Role role() const { return role_; }
  [[nodiscard]] bool DiskLagsBehind() const;
  [[nodiscard]] Term term() const { return term_; }
  [[nodiscard]] ReplicaId voted_for() const { return voted_for_; }
  [[nodiscard]] ReplicaId leader() const { return leader_; }
  [[nodiscard]] MonotonicTime now() const { return now_; }
  // What waits for others go by: like now(), but steps by RaftConfig::wait_step_max at most.
  [[nodiscard]] MonotonicTime wait_clock() const { return wait_clock_; }
  [[nodiscard]] bool CommittedInOwnTerm() const {
    return role_ == Role::kLeader && log_.commit() >= term_start_;
  }

  [[nodiscard]] RaftLog& log() { return log_; }
  [[nodiscard]] const RaftLog& log() const { return log_; }
  [[nodiscard]] Election& election() { return election_; }
  [[nodiscard]] Replication& replication() { return replication_; }
  [[nodiscard]] const Replication& replication() const { return replication_; }
  [[nodiscard]] HeartbeatRounds& rounds() { return rounds_; }
  [[nodiscard]] PersistTracker& disk() { return disk_; }
  [[nodiscard]] const PersistTracker& disk() const { return disk_; }
  [[nodiscard]] const ApplyQueue& applies() const { return applies_; }

  // ---- What handlers do.
  void Send(ReplicaId to, MessageBody body) { Send(to, term_, std::move(body)); }
  void Send(ReplicaId to, Term term, MessageBody body);
  // May this replica lead? A voter, or one that an uncommitted entry of its log removes: its log
  // may be the only one that is complete enough (Raft thesis, section 4.2.2).
  [[nodiscard]] bool IsEligible() const;
  // Does this replica owe a leader, known or forgotten, that no rival gets its help?
  [[nodiscard]] bool MustProtectLeader() const;
  // Enters `term` (not below the present one) as a follower of `leader` (zero: unknown).
  void BecomeFollower(Term term, ReplicaId leader);
  void StartPreVote();
  // `transfer`: the leader asked for it, voters need not protect it.
  void StartElection(bool transfer);
  // A follower's log is cut to end with `previous`, or grows by an entry of the leader.
  void CutLogAfter(LogIndex previous, Term previous_term);
  void AppendFromLeader(const Entry& entry);
  // Acts on the tally: wins, loses or waits.
  void ActOnVotes();
  void Vote(ReplicaId candidate) { voted_for_ = candidate; }
  // Something to replicate, or room for it, came up; messages are made when the Ready is taken, so
  // that all that gathered until then shares them.
  void WantFlush() { flush_wanted_ = true; }
  // What this follower needs next is compacted: the driver has to bring it the state.
  void WantSnapshot(ReplicaId follower, Progress* progress);
  // Commits what a majority has, of the own term only (Raft paper, section 5.4.2).
  void MaybeCommit();
  // Asks the target of a transfer to campaign once its log equals this one.
  void MaybeFinishTransfer();
  // Acts on newly confirmed rounds: reads, lease.
  void OnRoundsAnswered();
  // A follower goes quiet with its leader if it may, and is awake otherwise. True: it is quiet.
  bool FollowIntoQuiet(const HeartbeatRequest& request);
  // A leader goes quiet once all members did.
  void MaybeGoQuiet();
  // May what this replica acknowledged in an earlier life be gone? Until its cure is durable it
  // neither votes nor leads.
  [[nodiscard]] bool IsReturning() const { return life_ > disk_.durable().cured; }
  // Notes what a message says of the life of its sender, a follower. False: it is of an earlier one
  // and means nothing any more.
  bool KnowLife(const Message& message, Progress* progress);
  void TakeCure(const Cure& cure);
  // Not quiet any more, and not soon again.
  void Rouse();

 private:
  void AdvanceTime(MonotonicTime now);
  [[nodiscard]] bool MayCampaign() const;
  [[nodiscard]] bool TakesFromStranger(const Message& message) const;
  // A snapshot was accepted and is not durable yet.
  [[nodiscard]] bool IsInstalling() const { return snapshot_ || installing_token_; }
  // After which a write that has not ended counts as stuck.
  [[nodiscard]] Duration DiskPatience() const;
  [[nodiscard]] bool DiskIsStuck() const;
  [[nodiscard]] bool HardStateChanged() const;
  [[nodiscard]] HardState HeldNow() const;
  // May `entries` not be lost by a loss of power, apart from what they acknowledge?
  bool MustSync(const std::vector<Entry>& entries);
  [[nodiscard]] bool HasCommittedToHandOut() const;
  // The term rule. False: the message ends here.
  bool ApplyTermRule(const Message& message);
  void AnswerStale(const Message& message);
  void BecomeLeader();
  // raft_core_membership.cc
  void LoadConfigurations();
  [[nodiscard]] absl::Status WhyNotChanged(const Configuration& target) const;
  [[nodiscard]] absl::Status WhyNotPromoted(const Configuration& target) const;
  ProposalPosition AppendConfiguration(Configuration configuration);
  // A leader's commit index moved: goes on with a change of configuration.
  void OnCommitted();
  void ResignAsRemoved();
  // raft_core_quiet.cc
  [[nodiscard]] bool IsLogAtRest() const;
  [[nodiscard]] bool IsGroupAtRest() const;
  bool OfferQuiet();
  void RouseFor(const Message& message);
  // Wakes all members, so that a leader shows itself.
  void AskForLeader();
  // raft_core_lives.cc
  [[nodiscard]] Cure CureFor(const Progress& progress) const;
  [[nodiscard]] absl::Status WhyTooFewWhole(const Configuration& target) const;
  // raft_core_snapshot.cc
  [[nodiscard]] bool IsUsable(const SnapshotMeta& snapshot, Term leader_term) const;
  void AnswerSnapshot(ReplicaId leader, Term leader_term, LogIndex match);
  void SetRole(Role role, ReplicaId leader);
  void TickLeader();
  void MeasureLag();
  void OpenRound();
  void BroadcastHeartbeat();
  void MaybeOpenReadRound();
  void FlushAppends();
  void TakeCommitted(Ready* ready);
  void ReleaseMemory();

  const RaftConfig config_;
  ConfigurationHistory configurations_;
  MonotonicTime now_;
  MonotonicTime wait_clock_;

  Term term_;
  ReplicaId voted_for_;
  const uint64_t life_;
  uint64_t cured_;
  Role role_ = Role::kFollower;
  ReplicaId leader_;
  // Index of the first entry of the present leadership; meaningful for leaders only.
  LogIndex term_start_;
  // Leaders: what others who could decide alone had made durable at a time, and this disk had not.
  struct Lag {
    LogIndex index;
    MonotonicTime since;
  };
  std::optional<Lag> lag_;

  RaftLog log_;
  PersistTracker disk_;
  ApplyQueue applies_;
  Election election_;
  Replication replication_;
  HeartbeatRounds rounds_;
  ReadQueue reads_;
  UncommittedBytes uncommitted_;
  std::optional<LeadershipTransfer> transfer_;  // leaders only

  bool quiet_ = false;
  MonotonicTime busy_at_;       // leaders: when there was something to do last
  uint64_t offered_round_ = 0;  // leaders: the first round of the present offer to go quiet

  // What gathers for the next Ready.
  Outbox outbox_;
  HardState given_;           // the last hard state handed out
  bool log_was_cut_ = false;  // since the last Ready that carries entries
  uint64_t last_token_ = 0;
  std::vector<ReadState> reads_served_;
  std::vector<uint64_t> reads_refused_;
  std::optional<SnapshotMeta> snapshot_;
  std::vector<ReplicaId> snapshots_wanted_;
  bool role_changed_ = false;
  bool flush_wanted_ = false;
  bool commit_due_ = false;  // the next flush tells it, even without entries
  // Of the Ready that carries a snapshot, until it is durable.
  std::optional<uint64_t> installing_token_;
  // Committed entries could not be read; nothing more is handed out.
  absl::Status log_error_;
};

}  // namespace quorate::raft

#endif  // RAFT_RAFT_CORE_H_
