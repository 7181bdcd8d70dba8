// Quiescence: a group with nothing to do stops to beat, and wakes again.
//
// Going quiet is agreed upon. A leader that is at rest says so in its heartbeats; a follower whose
// log ends where the leader's does goes quiet and answers that; the leader goes quiet when all have
// done so since it began to offer. A lost offer or answer is repaired by the next heartbeat, since
// the leader beats until it has every answer.
//
// Nothing here bears on safety: a quiet replica is one whose time-outs do not run. What has to be
// shown is that it wakes.
//   - A quiet leader wakes by any message that does not agree. If it is deposed meanwhile, its
//     successor sends to it until it answers, for it cannot go quiet itself before.
//   - A follower that is awake by itself, for whatever reason, campaigns after the usual silence,
//     and its pre-vote wakes leader and followers. So no single message must arrive.
//   - A follower that is quiet while its leader is not: each heartbeat without an offer wakes it.
//   - A follower that is quiet while nobody leads it in that term: the driver's SuspectLeader.
#include "raft/quorum.h"
#include "raft/raft_core.h"

namespace quorate::raft {

// All that is in the log is durable, committed and applied here.
bool RaftCore::IsLogAtRest() const {
  const LogIndex last = log_.last_index();
  return log_error_.ok() && disk_.idle() && disk_.persisted() == last && log_.commit() == last &&
         applies_.applied() == last;
}

// Members that are not heard from are waited for: without heartbeats nobody would tell them more.
bool RaftCore::IsGroupAtRest() const {
  if (config_.quiet_after <= Duration(0) || role_ != Role::kLeader ||
      now_ - busy_at_ < config_.quiet_after || !CommittedInOwnTerm() || !IsLogAtRest() ||
      transfer_ || reads_.size() > 0 || !configuration().outgoing.empty() ||
      !IsVoter(configuration(), config_.self)) {
    return false;
  }
  for (const auto& [replica, progress] : replication_.followers()) {
    if (progress.match() != log_.last_index() || progress.returning() ||
        wait_clock_ - progress.last_heard() >= config_.election_timeout_min) {
      return false;
    }
  }
  return true;
}

bool RaftCore::OfferQuiet() {
  if (!IsGroupAtRest()) {
    offered_round_ = 0;
  } else if (offered_round_ == 0) {
    offered_round_ = rounds_.newest();
  }
  return offered_round_ != 0;
}

void RaftCore::MaybeGoQuiet() {
  if (quiet_ || offered_round_ == 0 || !IsGroupAtRest()) return;
  for (const auto& [replica, progress] : replication_.followers()) {
    if (progress.quiet_round() < offered_round_) return;
  }
  quiet_ = true;
  rounds_.ForgetLease();
  role_changed_ = true;  // the driver withdraws it
}

bool RaftCore::FollowIntoQuiet(const HeartbeatRequest& request) {
  quiet_ = request.quiet && config_.quiet_after > Duration(0) &&
           request.commit == log_.last_index() && IsLogAtRest();
  return quiet_;
}

void RaftCore::Rouse() {
  busy_at_ = now_;
  offered_round_ = 0;
  if (!quiet_) return;
  quiet_ = false;
  if (role_ != Role::kLeader) {
    election_.RestartTimer(wait_clock_);
    return;
  }
  // Nobody was expected to answer meanwhile. The next tick sends a heartbeat.
  for (auto& [replica, progress] : replication_.followers()) progress.Heard(0, wait_clock_);
}

void RaftCore::RouseFor(const Message& message) {
  const auto* request = std::get_if<HeartbeatRequest>(&message.body);
  const auto* response = std::get_if<HeartbeatResponse>(&message.body);
  const bool agrees = message.term == term_ && ((request != nullptr && request->quiet) ||
                                                (response != nullptr && response->quiet));
  if (agrees) return;
  if (message.from == leader_ && message.term == term_) return Rouse();
  Wake(now_);
}

// Until now the leader was taken for alive. So it is given an election time-out to show itself, in
// which no rival gets help: the restart of one follower must not depose it. The other followers
// are woken too. Should the leader be gone, all then count from now on, and the first to campaign
// finds a majority.
void RaftCore::Wake(MonotonicTime now) {
  AdvanceTime(now);
  const bool asks = quiet_ && role_ != Role::kLeader;
  Rouse();
  if (!asks) return;
  election_.HeardLeader(now_, wait_clock_);
  AskForLeader();
}

void RaftCore::AskForLeader() {
  for (ReplicaId member : Members(configuration())) {
    if (member != config_.self) Send(member, HeartbeatResponse{});
  }
}

void RaftCore::SuspectLeader(MonotonicTime now) {
  AdvanceTime(now);
  if (!quiet_ || role_ == Role::kLeader) return;
  Rouse();
  election_.RestartShortly(wait_clock_, config_.heartbeat_interval);
  Send(leader_, HeartbeatResponse{});  // should it live after all
}

}  // namespace quorate::raft
