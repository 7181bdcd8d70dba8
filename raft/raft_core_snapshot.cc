// Where the log does not reach: what of it may be forgotten, who needs the state as a whole, and
// taking such a state (Raft paper, section 7). The state itself is the driver's.
#include <algorithm>
#include <utility>

#include "raft/check.h"
#include "raft/raft_core.h"

namespace quorate::raft {

bool RaftCore::CompactTo(LogIndex index) {
  QUORATE_CHECK(index <= applies_.applied(), "what is not applied is needed");
  return log_.CompactTo(index);
}

// ---- The leader.

void RaftCore::WantSnapshot(ReplicaId follower, Progress* progress) {
  progress->AwaitSnapshot(log_.compacted_index().Next());
  snapshots_wanted_.push_back(follower);
}

void RaftCore::ReportSnapshot(ReplicaId follower, std::optional<LogIndex> installed,
                              MonotonicTime now) {
  AdvanceTime(now);
  Progress* progress = replication_.Find(follower);
  if (progress == nullptr) return;
  if (installed) installed = std::min(*installed, log_.last_index());
  progress->SnapshotEnded(installed);
  WantFlush();
}

// ---- The follower.

bool RaftCore::IsUsable(const SnapshotMeta& snapshot, Term leader_term) const {
  return !snapshot.term.IsZero() && snapshot.term <= leader_term &&
         CheckConfiguration(snapshot.configuration).ok();
}

SnapshotOutcome RaftCore::InstallSnapshot(const SnapshotMeta& snapshot, ReplicaId leader,
                                          Term leader_term, MonotonicTime now) {
  AdvanceTime(now);
  if (!IsUsable(snapshot, leader_term) || !log_error_.ok()) return SnapshotOutcome::kIgnored;
  Rouse();
  if (leader_term > term_) BecomeFollower(leader_term, leader);
  // A leader's log holds all that was ever committed.
  if (role_ == Role::kLeader || IsInstalling()) return SnapshotOutcome::kIgnored;
  if (snapshot.index <= log_.commit()) {
    AnswerSnapshot(leader, leader_term, log_.commit());
    return SnapshotOutcome::kIgnored;
  }
  if (log_.Matches(snapshot.index, snapshot.term)) {
    log_.CommitTo(snapshot.index);
    AnswerSnapshot(leader, leader_term, snapshot.index);
    return SnapshotOutcome::kLogHolds;
  }
  // It stands for committed entries, so what contradicts it here never can be committed.
  BecomeFollower(term_, leader_);
  log_.Reset(snapshot.index, snapshot.term);
  disk_.Reset();
  applies_.Reset(snapshot.index);
  configurations_.Reset(snapshot.index, snapshot.configuration);
  snapshot_ = snapshot;
  role_changed_ = true;
  AnswerSnapshot(leader, leader_term, snapshot.index);
  return SnapshotOutcome::kInstalls;
}

// To the leader of today, who need not be the one that sent it.
void RaftCore::AnswerSnapshot(ReplicaId leader, Term leader_term, LogIndex match) {
  const ReplicaId to = leader_.IsZero() && leader_term == term_ ? leader : leader_;
  if (to.IsZero() || to == config_.self) return;
  AppendResponse response;
  response.accepted = true;
  response.match_index = match;
  Send(to, response);
}

}  // namespace quorate::raft
