#include "raft/raft_core.h"

#include <algorithm>
#include <utility>

#include "fmt/format.h"
#include "raft/check.h"
#include "raft/handlers.h"
#include "raft/quorum.h"

namespace quorate::raft {

RaftCore::RaftCore(const RaftConfig& config, const LogStorage* storage, LogIndex applied,
                   MonotonicTime now)
    : config_(config),
      configurations_(storage->CompactedIndex(), storage->CompactedConfiguration()),
      now_(now),
      wait_clock_(now),
      term_(storage->InitialHardState().term),
      voted_for_(storage->InitialHardState().voted_for),
      life_(storage->InitialHardState().life),
      cured_(storage->InitialHardState().cured),
      // What was applied was committed, even if the stored commit index lags behind.
      log_(storage, std::max(storage->InitialHardState().commit, applied)),
      disk_(storage->InitialHardState(), log_.last_index()),
      applies_(std::max(applied, storage->CompactedIndex()), config.unapplied_bytes_max),
      // Who never had a term never answered a leader.
      election_(config, !storage->InitialHardState().term.IsZero(), now),
      replication_(config_),
      rounds_(config),
      reads_(config.pending_reads_max),
      uncommitted_(config.uncommitted_bytes_max),
      given_(storage->InitialHardState()) {
  LoadConfigurations();
  // Entries are missing that nobody will hand out again.
  if (applied < log_.compacted_index() || applied > log_.last_index()) {
    log_error_ = absl::DataLossError(
        fmt::format("the state is that of entry {}, but the log holds what follows {} up to {}",
                    applied.value(), log_.compacted_index().value(), log_.last_index().value()));
  }
}

void RaftCore::AdvanceTime(MonotonicTime now) {
  if (now <= now_) return;
  wait_clock_ += std::min(now - now_, config_.wait_step_max);
  now_ = now;
}

void RaftCore::Send(ReplicaId to, Term term, MessageBody body) {
  const HardState& durable = disk_.durable();
  outbox_.Send(Message{config_.self, to, term, std::move(body), life_, durable.cured},
               durable.term);
}

// ---- Messages: the term rule first, then the table.

namespace {

// Only an elected leader sends these.
bool IsLeaderMessage(const MessageBody& body) {
  return std::holds_alternative<AppendRequest>(body) ||
         std::holds_alternative<HeartbeatRequest>(body);
}

}  // namespace

void RaftCore::Step(const Message& message, MonotonicTime now) {
  AdvanceTime(now);
  if (message.to != config_.self || message.from == config_.self || message.from.IsZero()) return;
  if (!IsMember(configuration(), message.from) && !TakesFromStranger(message)) return;
  if (quiet_) RouseFor(message);
  if (message.term < term_) {
    AnswerStale(message);
    return;
  }
  if (message.term > term_ && !ApplyTermRule(message)) return;
  if (const Handler handler = FindHandler(role_, message.body)) handler(*this, message);
}

// The configuration here may be older than the sender's, so a stranger may be a newer member: its
// appends are taken, and votes are asked for with a log at least as complete as this one, without
// which a group could be left where those who know each other are no majority. A replica that was
// removed lacks the entry that removed it, so to all who have that its campaigns are nothing.
bool RaftCore::TakesFromStranger(const Message& message) const {
  if (configuration().voters.empty() || IsLeaderMessage(message.body)) return true;
  if (const auto* vote = std::get_if<VoteRequest>(&message.body)) {
    return log_.IsUpToDate(vote->last_index, vote->last_term);
  }
  if (const auto* vote = std::get_if<PreVoteRequest>(&message.body)) {
    return log_.IsUpToDate(vote->last_index, vote->last_term);
  }
  // From a leader that the newest configuration has removed.
  return std::holds_alternative<TimeoutNowRequest>(message.body) && message.term == term_ &&
         message.from == leader_;
}

// Raft paper, section 5.1, with the exceptions that pre-vote and leader protection make.
bool RaftCore::ApplyTermRule(const Message& message) {
  if (std::holds_alternative<PreVoteRequest>(message.body)) return true;
  if (const auto* pre_vote = std::get_if<PreVoteResponse>(&message.body)) {
    if (pre_vote->granted) return true;
  }
  if (const auto* vote = std::get_if<VoteRequest>(&message.body)) {
    if (!vote->leadership_transfer && MustProtectLeader()) return false;
  }
  const bool from_leader =
      IsLeaderMessage(message.body) || std::holds_alternative<TimeoutNowRequest>(message.body);
  BecomeFollower(message.term, from_leader ? message.from : ReplicaId());
  return true;
}

// Tells a sender of an older term of the present one. Without this a replica that got ahead (it
// campaigned in vain) would ignore the leader for ever and be ignored by it.
void RaftCore::AnswerStale(const Message& message) {
  if (const auto* append = std::get_if<AppendRequest>(&message.body)) {
    AppendResponse response;
    response.rejected_index = append->previous_index;
    response.conflict_index = log_.last_index().Next();
    Send(message.from, response);
  } else if (std::holds_alternative<HeartbeatRequest>(message.body)) {
    Send(message.from, HeartbeatResponse{});
  } else if (std::holds_alternative<PreVoteRequest>(message.body)) {
    Send(message.from, PreVoteResponse{false});
  } else if (std::holds_alternative<VoteRequest>(message.body)) {
    Send(message.from, VoteResponse{false});
  }
}

bool RaftCore::MustProtectLeader() const {
  if (role_ == Role::kLeader) return true;
  // Where no other vote counts, no other leader can exist.
  return election_.PromiseHolds(now_) && !IsSoleVoter(configuration(), config_.self);
}

// ---- Roles.

void RaftCore::SetRole(Role role, ReplicaId leader) {
  if (role == role_ && leader == leader_) return;
  role_ = role;
  leader_ = leader;
  role_changed_ = true;
}

void RaftCore::BecomeFollower(Term term, ReplicaId leader) {
  QUORATE_CHECK(term >= term_);
  if (term > term_) {
    term_ = term;
    voted_for_ = ReplicaId();
    role_changed_ = true;
  }
  if (role_ == Role::kLeader) {
    replication_.Stop();
    rounds_.Reset();
    uncommitted_.Reset();
    reads_.RefuseAll(&reads_refused_);
    snapshots_wanted_.clear();
    transfer_.reset();
    election_.RestartTimer(wait_clock_);
  }
  SetRole(Role::kFollower, leader);
}

bool RaftCore::IsEligible() const {
  if (IsVoter(configuration(), config_.self)) return true;
  const bool committed = configurations_.latest_index() <= log_.commit();
  return !committed && IsVoter(configurations_.previous(), config_.self);
}

bool RaftCore::MayCampaign() const {
  return role_ != Role::kLeader && log_error_.ok() && !IsInstalling() && !IsReturning() &&
         IsEligible() && !MustProtectLeader();
}

void RaftCore::Campaign(MonotonicTime now) {
  AdvanceTime(now);
  Rouse();
  if (MayCampaign()) StartPreVote();
}

void RaftCore::StartPreVote() {
  election_.RestartTimer(wait_clock_);
  if (IsSoleVoter(configuration(), config_.self)) {
    if (role_ != Role::kCandidate) StartElection(false);
    return;
  }
  SetRole(Role::kPreCandidate, ReplicaId());
  election_.StartTally();
  election_.Record(config_.self, true);
  for (ReplicaId member : Members(configuration())) {
    if (member == config_.self || !IsVoter(configuration(), member)) continue;
    Send(member, term_.Next(), PreVoteRequest{log_.last_index(), log_.last_term()});
  }
}

void RaftCore::StartElection(bool transfer) {
  term_ = term_.Next();
  voted_for_ = config_.self;
  role_changed_ = true;
  SetRole(Role::kCandidate, ReplicaId());
  election_.AwaitVotes(wait_clock_, disk_.pace());
  election_.StartTally();
  for (ReplicaId member : Members(configuration())) {
    if (member == config_.self || !IsVoter(configuration(), member)) continue;
    Send(member, VoteRequest{log_.last_index(), log_.last_term(), transfer});
  }
}

void RaftCore::ActOnVotes() {
  const VoteResult result = election_.Result(configuration());
  if (result == VoteResult::kPending) return;
  if (result == VoteResult::kLost) {
    BecomeFollower(term_, ReplicaId());
  } else if (role_ == Role::kPreCandidate) {
    StartElection(false);
  } else if (role_ == Role::kCandidate) {
    BecomeLeader();
  }
}

void RaftCore::BecomeLeader() {
  QUORATE_CHECK(!IsReturning());
  SetRole(Role::kLeader, config_.self);
  term_start_ = log_.last_index().Next();
  lag_.reset();
  Rouse();
  replication_.Start(configuration(), log_.last_index(), wait_clock_);
  uncommitted_.Reset();
  rounds_.Reset();
  // Commits what earlier terms left, which may not be counted by itself (Raft paper, section 8).
  log_.Append(Entry{term_, term_start_, EntryKind::kNoop, nullptr});
  // The first round is the appends that carry this entry.
  OpenRound();
  WantFlush();
}

// ---- Requests of the layer above.

absl::StatusOr<ProposalPosition> RaftCore::Propose(std::shared_ptr<const std::string> payload,
                                                   MonotonicTime now) {
  QUORATE_CHECK(payload != nullptr);
  AdvanceTime(now);
  if (role_ != Role::kLeader) return absl::UnavailableError("not the leader");
  Rouse();
  if (transfer_) return absl::UnavailableError("leadership is being handed over");
  Entry entry{term_, log_.last_index().Next(), EntryKind::kCommand, std::move(payload)};
  const size_t bytes = entry.ByteSize();
  if (!uncommitted_.Admits(bytes)) {
    return absl::ResourceExhaustedError("too many bytes wait for a majority");
  }
  const ProposalPosition position{entry.term, entry.index};
  uncommitted_.Add(entry.index, bytes);
  log_.Append(std::move(entry));
  WantFlush();
  return position;
}

absl::Status RaftCore::ReadIndex(uint64_t context, MonotonicTime now) {
  AdvanceTime(now);
  if (role_ != Role::kLeader) return absl::UnavailableError("not the leader");
  Rouse();
  absl::Status added = reads_.Add(context);
  if (added.ok()) MaybeOpenReadRound();
  return added;
}

void RaftCore::StepDown(MonotonicTime now) {
  AdvanceTime(now);
  if (role_ != Role::kLeader) return;
  Rouse();
  BecomeFollower(term_, ReplicaId());
}

absl::Status RaftCore::TransferLeadership(ReplicaId target, MonotonicTime now) {
  AdvanceTime(now);
  if (role_ != Role::kLeader) return absl::UnavailableError("not the leader");
  const std::vector<ReplicaId>& voters = configuration().voters;
  if (target == config_.self || std::find(voters.begin(), voters.end(), target) == voters.end()) {
    return absl::InvalidArgumentError("the target is no other voter");
  }
  if (const Progress* progress = replication_.Find(target); progress && progress->returning()) {
    return absl::FailedPreconditionError("the target lost power and is not whole yet");
  }
  Rouse();
  if (transfer_ && transfer_->target == target) return absl::OkStatus();
  if (transfer_) return absl::FailedPreconditionError("a transfer is under way");
  transfer_ = LeadershipTransfer{target, now_ + config_.election_timeout_min};
  MaybeFinishTransfer();
  return absl::OkStatus();
}

void RaftCore::MaybeFinishTransfer() {
  if (!transfer_ || transfer_->asked) return;
  const Progress* progress = replication_.Find(transfer_->target);
  if (progress == nullptr || progress->match() < log_.last_index()) return;
  transfer_->asked = true;
  rounds_.ForbidLease();
  role_changed_ = true;  // the driver withdraws the lease before it sends anything
  Send(transfer_->target, TimeoutNowRequest{});
}

ReplicaId RaftCore::TransferCandidate() const {
  ReplicaId best;
  LogIndex best_match;
  for (ReplicaId voter : configuration().voters) {
    const Progress* progress = replication_.Find(voter);
    if (progress == nullptr || progress->log_unavailable() || progress->returning() ||
        progress->state() == Progress::State::kSnapshot ||
        (!quiet_ && wait_clock_ - progress->last_heard() >= config_.election_timeout_min)) {
      continue;
    }
    if (best.IsZero() || progress->match() > best_match) {
      best = voter;
      best_match = progress->match();
    }
  }
  return best;
}

std::optional<Lease> RaftCore::CurrentLease(MonotonicTime now) const {
  if (role_ != Role::kLeader || quiet_ || applies_.applied() < term_start_) return std::nullopt;
  const std::optional<MonotonicTime> end = rounds_.LeaseEnd();
  if (!end || now >= *end) return std::nullopt;
  return Lease{term_, *end};
}

RaftStatus RaftCore::Status() const {
  RaftStatus status;
  status.role = role_;
  status.hard_state = HeldNow();
  status.returning = IsReturning();
  status.leader = leader_;
  status.compacted_index = log_.compacted_index();
  status.last_index = log_.last_index();
  status.persisted_index = disk_.persisted();
  status.commit = log_.commit();
  status.applied = applies_.applied();
  status.committed_in_own_term = CommittedInOwnTerm();
  status.log_error = log_error_;
  status.configuration = configuration();
  status.configuration_index = configurations_.latest_index();
  if (transfer_) status.transfer_target = transfer_->target;
  for (const auto& [replica, progress] : replication_.followers()) {
    FollowerProgress follower;
    follower.replica = replica;
    follower.match = progress.match();
    follower.next = progress.next();
    follower.recently_active =
        quiet_ || wait_clock_ - progress.last_heard() < config_.election_timeout_min;
    follower.inflight_bytes = progress.inflights().bytes();
    follower.log_unavailable = progress.log_unavailable();
    follower.awaits_snapshot = progress.state() == Progress::State::kSnapshot;
    follower.returning = progress.returning();
    status.followers.push_back(follower);
  }
  return status;
}

}  // namespace quorate::raft
