// What time does: elections, rounds of heartbeats, check-quorum; and the reads that rounds serve.
#include <algorithm>

#include "raft/quorum.h"
#include "raft/raft_core.h"

namespace quorate::raft {

Duration RaftCore::DiskPatience() const {
  return std::max(config_.election_timeout_min, disk_.pace().Wait(wait_clock_));
}

bool RaftCore::DiskIsStuck() const {
  const std::optional<MonotonicTime> oldest = disk_.oldest();
  return oldest && wait_clock_ - *oldest >= DiskPatience();
}

// Deposing a leader helps only if others do better. Whether they do is seen from their answers, not
// from this disk alone: where all disks are slow, or the votes of the others do not suffice, the
// next leader would be no better off, and clients would only lose the answers they wait for.
void RaftCore::MeasureLag() {
  if (lag_ && lag_->index > disk_.persisted()) return;
  lag_.reset();
  const LogIndex others = replication_.QuorumMatch(configuration(), LogIndex());
  if (others > disk_.persisted()) lag_ = {others, wait_clock_};
}

bool RaftCore::DiskLagsBehind() const {
  return lag_ && wait_clock_ - lag_->since >= DiskPatience();
}

void RaftCore::Tick(MonotonicTime now) {
  AdvanceTime(now);
  if (quiet_) return;
  if (role_ == Role::kLeader) {
    TickLeader();
    return;
  }
  if (!election_.TimedOut(wait_clock_)) return;
  // A replica that cannot write can neither vote for itself nor lead; it must not disturb others.
  if (MayCampaign() && !DiskIsStuck()) {
    StartPreVote();
    return;
  }
  election_.RestartTimer(wait_clock_);
  // A leader that is quiet, or knows an older term only, has no other way to learn of this return.
  if (IsReturning()) AskForLeader();
}

void RaftCore::TickLeader() {
  // Check-quorum (Raft thesis, section 6.2): a leader that hears no majority stops being one, so
  // that clients go elsewhere and reads are not held for ever. One that cannot write is of no use
  // either, though its heartbeats would keep it in office.
  const MonotonicTime heard = replication_.QuorumHeard(configuration(), wait_clock_);
  MeasureLag();
  if (wait_clock_ - heard >= config_.election_timeout_min || DiskLagsBehind()) {
    BecomeFollower(term_, ReplicaId());
    return;
  }
  if (transfer_ && now_ >= transfer_->deadline) transfer_.reset();
  if (now_ - rounds_.newest_sent() >= config_.heartbeat_interval) BroadcastHeartbeat();
  if (config_.commit_rides_along && replication_.OwesCommit(log_.commit())) {
    commit_due_ = true;
    WantFlush();
  }
}

void RaftCore::OpenRound() {
  const uint64_t round = rounds_.Open(now_);
  if (CommittedInOwnTerm()) reads_.AssignRound(round, log_.commit());
  OnRoundsAnswered();
}

void RaftCore::BroadcastHeartbeat() {
  OpenRound();
  const bool quiet = OfferQuiet();
  for (const auto& [replica, progress] : replication_.followers()) {
    Send(replica, HeartbeatRequest{std::min(log_.commit(), progress.match()), rounds_.newest(),
                                   quiet, CureFor(progress)});
  }
  if (replication_.followers().empty()) MaybeGoQuiet();
}

// Before an entry of the own term is committed, the commit index may lie behind what earlier
// leaders acknowledged, so no read gets an index from it (Raft thesis, section 6.4, step 1).
void RaftCore::MaybeOpenReadRound() {
  if (CommittedInOwnTerm() && reads_.WantsRound()) BroadcastHeartbeat();
}

void RaftCore::OnRoundsAnswered() {
  const uint64_t round = replication_.QuorumRound(configuration(), rounds_.newest());
  if (round <= rounds_.confirmed()) return;
  rounds_.Confirm(round);
  reads_.Confirm(rounds_.confirmed(), &reads_served_);
  MaybeOpenReadRound();
}

}  // namespace quorate::raft
