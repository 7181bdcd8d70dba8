// Changes of membership: joint consensus (Raft thesis, section 4.3), for one voter as for many.
//
// A change is one joint entry and, once that is committed, the entry that leaves it; whoever leads
// then appends the latter. Before the joint entry commits a new leader may never have heard of the
// change; after that it will be carried through.
#include <algorithm>
#include <utility>

#include "fmt/format.h"
#include "raft/quorum.h"
#include "raft/raft_core.h"

namespace quorate::raft {

void RaftCore::LoadConfigurations() {
  for (const Entry& entry : log_.StoredConfigurations()) {
    absl::StatusOr<Configuration> configuration = DecodeConfiguration(*entry.payload);
    if (!configuration.ok()) {
      // Who belongs to the group is not known: this replica must not help to decide anything.
      log_error_ = configuration.status();
      return;
    }
    configurations_.Add(entry.index, *std::move(configuration));
  }
  configurations_.CommittedTo(log_.commit());
}

void RaftCore::CutLogAfter(LogIndex previous, Term previous_term) {
  log_.CutAfter(previous, previous_term);
  log_was_cut_ = true;
  disk_.CutAfter(previous);
  if (configurations_.CutAfter(previous)) role_changed_ = true;
}

void RaftCore::AppendFromLeader(const Entry& entry) {
  log_.Append(entry);
  if (entry.kind != EntryKind::kConfig) return;
  configurations_.CommittedTo(log_.commit());
  configurations_.Add(entry.index, *DecodeConfiguration(*entry.payload));
  role_changed_ = true;
}

absl::StatusOr<ProposalPosition> RaftCore::ProposeConfiguration(const Configuration& target,
                                                                MonotonicTime now) {
  AdvanceTime(now);
  if (absl::Status refused = WhyNotChanged(target); !refused.ok()) return refused;
  Rouse();
  return AppendConfiguration(FirstStep(configuration(), target));
}

absl::Status RaftCore::WhyNotChanged(const Configuration& target) const {
  if (absl::Status valid = CheckConfiguration(target); !valid.ok()) return valid;
  if (!target.outgoing.empty()) {
    return absl::InvalidArgumentError("outgoing: the way there is the group's own business");
  }
  if (role_ != Role::kLeader) return absl::UnavailableError("not the leader");
  if (transfer_) return absl::UnavailableError("leadership is being handed over");
  // Before that an earlier leader's uncommitted change could still be cut and come back.
  if (!CommittedInOwnTerm()) return absl::UnavailableError("nothing of this term is committed yet");
  if (configurations_.latest_index() > log_.commit() || !configuration().outgoing.empty()) {
    return absl::FailedPreconditionError("another change of membership is under way");
  }
  if (target.epoch < configuration().epoch) {
    return absl::FailedPreconditionError(fmt::format(
        "epoch: {} is older than {}, which is in force", target.epoch, configuration().epoch));
  }
  if (target == configuration()) return absl::AlreadyExistsError("that is the membership now");
  if (absl::Status refused = WhyTooFewWhole(target); !refused.ok()) return refused;
  return WhyNotPromoted(target);
}

// A voter that lacks much of the log could leave the group without a majority that can commit.
absl::Status RaftCore::WhyNotPromoted(const Configuration& target) const {
  for (ReplicaId voter : target.voters) {
    if (IsVoter(configuration(), voter)) continue;
    const Progress* progress = replication_.Find(voter);
    if (progress == nullptr) {
      return absl::FailedPreconditionError(
          fmt::format("voters: {} is no learner yet", voter.value()));
    }
    if (progress->returning()) {
      return absl::FailedPreconditionError(
          fmt::format("voters: {} lost power and is not whole yet", voter.value()));
    }
    const bool heard = wait_clock_ - progress->last_heard() < config_.election_timeout_min;
    const uint64_t lag = log_.last_index().value() - progress->match().value();
    if (!heard || progress->state() != Progress::State::kReplicate ||
        lag > config_.promotion_lag_entries_max) {
      return absl::FailedPreconditionError(
          fmt::format("voters: {} has not caught up: it lacks {} entries{}", voter.value(), lag,
                      heard ? "" : " and is not heard of"));
    }
  }
  return absl::OkStatus();
}

ProposalPosition RaftCore::AppendConfiguration(Configuration configuration) {
  const LogIndex index = log_.last_index().Next();
  log_.Append(Entry{term_, index, EntryKind::kConfig,
                    std::make_shared<const std::string>(EncodeConfiguration(configuration))});
  configurations_.Add(index, std::move(configuration));
  replication_.SetMembers(this->configuration(), log_.last_index(), wait_clock_);
  // Until a round is answered by the majorities that count from now on.
  rounds_.ForgetLease();
  role_changed_ = true;
  WantFlush();
  return {term_, index};
}

void RaftCore::OnCommitted() {
  configurations_.CommittedTo(log_.commit());
  if (configurations_.latest_index() > log_.commit()) return;
  if (!configuration().outgoing.empty()) {
    AppendConfiguration(LeaveJoint(configuration()));
  } else if (!IsVoter(configuration(), config_.self)) {
    ResignAsRemoved();
  }
}

// A leader that is no voter any more has led to here without counting itself (Raft thesis, section
// 4.2.2). It names its successor, so that nobody waits for a time-out.
void RaftCore::ResignAsRemoved() {
  if (const ReplicaId successor = TransferCandidate(); !successor.IsZero()) {
    rounds_.ForbidLease();
    Send(successor, TimeoutNowRequest{});
  }
  BecomeFollower(term_, ReplicaId());
}

}  // namespace quorate::raft
