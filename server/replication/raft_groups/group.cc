#include "server/replication/raft_groups/group.h"

#include <algorithm>
#include <iterator>

#include "fmt/format.h"
#include "server/replication/raft_groups/raft_codec.h"
#include "server/runtime/log.h"
#include "server/storage/version.h"

namespace quorate {
namespace {

constexpr size_t kOpenReadsMax = 16384;
constexpr uint32_t kQueueFullDelayMs = 20;
constexpr uint32_t kLogFullDelayMs = 1000;
constexpr int kTicksBetweenLogChecks = 40;
constexpr int kTicksBetweenMembershipChecks = 4;
constexpr char kReturning[] =
    "; this replica lost power, or its disk failed, and may lack writes: it waits for a majority "
    "of others";

raft::RaftConfig ConfigOf(const HostContext& context, const ReplicaSpec& spec) {
  raft::RaftConfig config;
  config.self = spec.self;
  config.seed = context.runtime.seed ^ spec.group.value() ^ spec.self.value();
  config.election_timeout_min = context.options.election_timeout_min;
  config.election_timeout_max = context.options.election_timeout_max;
  config.heartbeat_interval = context.options.heartbeat_interval;
  config.clock_drift_max = context.options.clock_drift_max;
  config.lease_enabled = spec.lease_enabled;
  config.quiet_after = context.options.quiet_after;
  config.commit_rides_along = true;
  return config;
}

kv::v1::ReplicaRole RoleOf(raft::Role role) {
  switch (role) {
    case raft::Role::kLeader:
      return kv::v1::REPLICA_ROLE_LEADER;
    case raft::Role::kCandidate:
    case raft::Role::kPreCandidate:
      return kv::v1::REPLICA_ROLE_CANDIDATE;
    case raft::Role::kFollower:
      break;
  }
  return kv::v1::REPLICA_ROLE_FOLLOWER;
}

void AddMembership(const raft::Configuration& configuration, kv::v1::ReplicaStatus* status) {
  for (const ReplicaId voter : configuration.voters) status->add_voters(voter.value());
  for (const ReplicaId voter : configuration.outgoing) status->add_voters_outgoing(voter.value());
  for (const ReplicaId learner : configuration.learners) status->add_learners(learner.value());
}

Refusal LeaderLost() {
  return {.reason = kv::v1::REASON_LEADER_LOST,
          .message = "leadership was lost after the write was proposed: it may or may not survive"};
}

}  // namespace

Group::Group(HostContext* context, DeadlineQueue* deadlines, std::shared_ptr<AppliedSink> worker,
             ReplicaSpec spec, RecoveredReplica replica, MonotonicTime now)
    : context_(context),
      deadlines_(deadlines),
      worker_(std::move(worker)),
      spec_(std::move(spec)),
      log_(std::move(replica.log)),
      state_(std::move(replica.state)),
      slot_(context->directory.FindOrMake(spec_.group)),
      self_node_(NodeOf(spec_.self)),
      node_(ConfigOf(*context, spec_), log_.get(), raft::LogIndex(state_->meta().applied_index()),
            now),
      last_stamp_(state_->meta().last_stamp()),
      log_ages_(context->options.log_age_max, context->options.log_age_max / 10),
      handed_over_(state_->meta().applied_index()) {
  PublishRole();
  PublishFigures(node_.Status());
  const bool is_new = log_->LastIndex().IsZero() && log_->InitialHardState().term.IsZero();
  const bool preferred = !spec_.members.empty() && spec_.members.front().first == spec_.self;
  if (spec_.members.size() == 1 || (is_new && preferred && spec_.founding)) {
    eager_until_ = now + context_->options.election_timeout_max;
    node_.Campaign(now);
  }
}

uint64_t Group::NodeOf(ReplicaId replica) const {
  for (const auto& [member, node] : spec_.members) {
    if (member == replica) {
      return node;
    }
  }
  return 0;
}

// ---- What comes in.

void Group::Step(const raft::Message& message, MonotonicTime now) {
  if (InService()) {
    node_.Step(message, now);
  }
}

void Group::Tick(MonotonicTime now) {
  if (!InService()) {
    return;
  }
  const bool led = IsLeader();
  node_.Tick(now);
  if (led && !IsLeader()) {
    TellLeftOffice(node_.DiskLagsBehind() ? "its log is not durable in time, and others' are"
                                          : "it hears no majority");
  }
  if (++ticks_ % 4 == 0 && now < eager_until_ && node_.leader().IsZero() &&
      node_.role() != raft::Role::kCandidate) {
    node_.Campaign(now);
  }
  CheckHandOver();
  if (ticks_ % kTicksBetweenMembershipChecks == 0) {
    DriveMembership(now);
    YieldWhereDamaged(now);
  }
  if (ticks_ % kTicksBetweenLogChecks == 0) {
    LookAfter(now);
    ReturnLeadership(now);
  }
  if (MustStayAwake()) {
    node_.Wake(now);
  }
}

void Group::LookAfter(MonotonicTime now) {
  CheckLog();
  if (InService()) {
    TruncateLog(now);
  }
}

void Group::CheckLog() {
  const raft::RaftStatus status = node_.Status();
  PublishFigures(status);
  if (!status.log_error.ok()) {
    SetFault(fmt::format("the log cannot be read: {}", std::string(status.log_error.message())),
             absl::IsDataLoss(status.log_error), context_->Now());
  }
}

std::optional<Refusal> Group::WhyNotServed() const {
  if (!fault_.empty()) {
    return Refusal{.reason = kv::v1::REASON_CORRUPT,
                   .message = fmt::format("this replica is quarantined: {}", fault_)};
  }
  if (IsLeader()) {
    return std::nullopt;
  }
  const uint64_t leader = NodeOf(node_.leader());
  if (leader == 0 || leader == self_node_) {
    return Refusal{.reason = kv::v1::REASON_NO_LEADER,
                   .message = fmt::format("partition {} of keyspace \"{}\" has no leader now{}",
                                          spec_.partition, spec_.keyspace,
                                          node_.returning() ? kReturning : "")};
  }
  return Refusal{.reason = kv::v1::REASON_NOT_LEADER,
                 .message = fmt::format("the leader is node {}", leader),
                 .leader_node = leader};
}

std::optional<Refusal> Group::WhyNotWritten() const {
  if (auto refusal = WhyNotServed()) {
    return refusal;
  }
  if (open_writes_ >= context_->options.pending_writes_max) {
    return Refusal{.reason = kv::v1::REASON_QUEUE_FULL,
                   .message = fmt::format("{} writes wait in this partition", open_writes_),
                   .retry_delay_ms = kQueueFullDelayMs};
  }
  if (log_->ByteSize() >= context_->options.log_bytes_max) {
    return Refusal{.reason = kv::v1::REASON_LOG_FULL,
                   .message = fmt::format("the partition's log reached its bound of {} bytes",
                                          context_->options.log_bytes_max),
                   .retry_delay_ms = kLogFullDelayMs};
  }
  return std::nullopt;
}

void Group::Accept(const std::shared_ptr<OpenRequest>& request) { deadlines_->Add(request); }

void Group::End(OpenRequest& request, const Refusal& refusal) {
  deadlines_->Remove(request);
  request.Refuse(refusal);
}

uint64_t Group::SinceLastCommandMicros(MonotonicTime now) const {
  if (last_command_.term != node_.term() || now < last_command_.at) {
    return 0;  // the time between two leaders counts for nobody
  }
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(now - last_command_.at).count());
}

void Group::Write(std::shared_ptr<WriteRequest> request, MonotonicTime now) {
  node_.Wake(now);  // a follower too: whoever asks it may have found the leader dead
  if (const auto refusal = WhyNotWritten()) {
    request->Refuse(*refusal);
    return;
  }
  const uint64_t stamp =
      NextStamp(last_stamp_, StampFromMicros(context_->runtime.clock->WallNow()));
  const auto position =
      node_.Propose(request->TakePayload(stamp, SinceLastCommandMicros(now)), now);
  if (!position.ok()) {
    const bool handing_over = absl::IsUnavailable(position.status());
    request->Refuse({.reason = handing_over ? kv::v1::REASON_NO_LEADER : kv::v1::REASON_QUEUE_FULL,
                     .message = std::string(position.status().message()),
                     .retry_delay_ms = kQueueFullDelayMs});
    return;
  }
  last_stamp_ = stamp;
  last_command_ = {.term = position->term, .at = now};
  context_->SawStamp(stamp);
  request->MarkProposed(position->term, position->index);
  Accept(request);
  ++open_writes_;
  proposed_.push_back(std::move(request));
}

void Group::Read(std::shared_ptr<ReadRequest> request, MonotonicTime now) {
  node_.Wake(now);
  if (const auto refusal = WhyNotServed()) {
    request->Refuse(*refusal);
    return;
  }
  if (open_reads_ >= kOpenReadsMax) {
    request->Refuse({.reason = kv::v1::REASON_QUEUE_FULL,
                     .message = fmt::format("{} reads wait in this partition", open_reads_),
                     .retry_delay_ms = kQueueFullDelayMs});
    return;
  }
  Accept(request);
  ++open_reads_;
  if (node_.CurrentLease(now)) {
    request->served_by = kv::v1::SERVED_BY_LEADER_LEASE;
    servable_.push_back(std::move(request));
  } else {
    gathering_.push_back(std::move(request));
  }
}

void Group::OnPersisted(const TurnOutput::Persisting& share, MonotonicTime now) {
  if (stopped_) {
    return;
  }
  node_.OnPersisted(share.token, now);
  const auto by_index = [](const std::shared_ptr<WriteRequest>& request, raft::LogIndex index) {
    return request->index() <= index;
  };
  for (auto write = std::lower_bound(proposed_.begin(), proposed_.end(), marked_durable_, by_index);
       write != proposed_.end() && (*write)->index() <= share.last_index; ++write) {
    (*write)->stages.Mark(RequestStage::kDurable, now);
  }
  marked_durable_ = std::max(marked_durable_, share.last_index);
}

void Group::OnApplied(AppliedNotice notice, MonotonicTime now) {
  for (const auto& request : notice.finished) {
    deadlines_->Remove(*request);
    size_t& open = request->is_write() ? open_writes_ : open_reads_;
    --open;
  }
  last_stamp_ = std::max(last_stamp_, notice.last_stamp);
  installed_ |= notice.snapshot_installed;
  node_.OnApplied(notice.index);
  if (!notice.fault.empty() && fault_.empty()) {
    SetFault(std::move(notice.fault), notice.damaged, now);
  }
}

void Group::Quarantine(std::string_view why, MonotonicTime now) {
  if (InService()) {
    LogError("replica/quarantined", {{"group", spec_.group.value()}, {"fault", why}});
    SetFault(std::string(why), /*damaged=*/true, now);
  }
}

void Group::SetFault(std::string fault, bool damaged, MonotonicTime now) {
  fault_ = std::move(fault);
  if (damaged) {
    context_->damaged.Add(spec_.group, {.replica = spec_.self, .silent = true});
  }
  slot_->figures.quarantined.store(true, std::memory_order_relaxed);
  node_.StepDown(now);
}

void Group::Stop(const Refusal& refusal) {
  stopped_ = true;
  PublishQuiet(context_->Now());
  handing_over_.reset();
  DropSnapshot();
  slot_->lease.Withdraw();
  slot_->leader_node.store(0, std::memory_order_relaxed);
  slot_->figures.role.store(kv::v1::REPLICA_ROLE_UNSPECIFIED, std::memory_order_relaxed);
  slot_->figures.quarantined.store(false, std::memory_order_relaxed);
  if (slot_->figures.returning.exchange(false)) --context_->starting;
  for (const auto& request : proposed_) {
    End(*request, refusal);
  }
  const auto end_all = [&](auto& requests) {
    for (const auto& request : requests) {
      End(*request, refusal);
    }
    requests.clear();
  };
  proposed_.clear();
  if (const auto request = std::exchange(transferring_, nullptr)) {
    End(*request, refusal);
  }
  end_all(gathering_);
  end_all(servable_);
  for (auto& [context, requests] : rounds_) {
    end_all(requests);
  }
  for (auto& [index, requests] : confirmed_) {
    end_all(requests);
  }
}

// ---- What goes out, at the end of a turn.

void Group::Flush(MonotonicTime now, TurnOutput* out) {
  if (stopped_) {
    return;
  }
  StartReadRound(now);
  EmitInstalled(out);
  bool role_changed = false;
  while (node_.HasReady()) {
    raft::Ready ready = node_.TakeReady();
    role_changed |= ready.role_changed;
    Emit(std::move(ready), now, out);
  }
  if (role_changed) {
    OnRoleChanged();
  }
  EmitReads(now, out);
  EmitTruncation(out);
  // Before any message of this turn leaves: a vote for another must not meet a lease still shown.
  PublishLease(now);
  PublishQuiet(now);
}

void Group::StartReadRound(MonotonicTime now) {
  if (gathering_.empty()) {
    return;
  }
  const uint64_t context = ++last_context_;
  const absl::Status status = node_.ReadIndex(context, now);
  if (status.ok()) {
    rounds_[context] = std::exchange(gathering_, {});
    return;
  }
  const Refusal full{.reason = kv::v1::REASON_QUEUE_FULL,
                     .message = std::string(status.message()),
                     .retry_delay_ms = kQueueFullDelayMs};
  for (const auto& request : std::exchange(gathering_, {})) {
    --open_reads_;
    End(*request, WhyNotServed().value_or(full));
  }
}

void Group::Emit(raft::Ready ready, MonotonicTime now, TurnOutput* out) {
  OfferSnapshots(ready, now);
  if (ready.snapshot) {
    EmitSnapshot(ready, out);
  } else {
    EmitMessages(ready, out);
  }
  TakeConfirmedReads(ready);
  if (!ready.committed_entries.empty()) {
    EmitCommitted(std::move(ready.committed_entries), now, out);
  }
}

void Group::EmitMessages(raft::Ready& ready, TurnOutput* out) {
  for (const raft::Message& message : ready.messages) {
    if (const uint64_t node = NodeOf(message.to); node != 0) {
      out->messages[node].push_back(EncodeRaftMessage(spec_.group, message));
    }
  }
  if (!ready.NeedsPersist() && ready.messages_after_persist.empty()) {
    return;
  }
  TurnOutput::Persisting share{
      .group = shared_from_this(),
      .token = ready.persist_token,
      .last_index = ready.entries.empty() ? raft::LogIndex() : ready.entries.back().index,
      .messages = {}};
  for (const raft::Message& message : ready.messages_after_persist) {
    if (const uint64_t node = NodeOf(message.to); node != 0) {
      share.messages.emplace_back(node, EncodeRaftMessage(spec_.group, message));
    }
  }
  out->persisting.push_back(std::move(share));
  if (ready.NeedsPersist()) {
    out->appends.push_back({.group = spec_.group,
                            .hard_state = ready.hard_state,
                            .entries = std::move(ready.entries),
                            .reset = std::move(ready.snapshot),
                            .sync = ready.must_sync || !spec_.buffered});
  }
}

void Group::EmitCommitted(std::vector<raft::Entry> entries, MonotonicTime now, TurnOutput* out) {
  ApplyWork work{.replica = state_, .worker = worker_, .entries = {}, .writes = {}, .reads = {}};
  for (const raft::Entry& entry : entries) {
    while (!proposed_.empty() && proposed_.front()->index() <= entry.index) {
      std::shared_ptr<WriteRequest> request = std::move(proposed_.front());
      proposed_.pop_front();
      if (request->index() == entry.index && request->term() == entry.term) {
        request->stages.Mark(RequestStage::kCommitted, now);
        work.writes.push_back(std::move(request));
      } else {
        --open_writes_;
        End(*request, LeaderLost());
      }
    }
  }
  handed_over_ = entries.back().index;
  work.entries = std::move(entries);
  out->applies.push_back(std::move(work));
}

void Group::TakeConfirmedReads(const raft::Ready& ready) {
  for (const raft::ReadState& read : ready.reads) {
    if (auto round = rounds_.extract(read.context)) {
      auto& waiting = confirmed_[read.index];
      std::move(round.mapped().begin(), round.mapped().end(), std::back_inserter(waiting));
    }
  }
  for (const uint64_t context : ready.reads_refused) {
    if (auto round = rounds_.extract(context)) {
      for (const auto& request : round.mapped()) {
        --open_reads_;
        End(*request, WhyNotServed().value_or(Refusal{.reason = kv::v1::REASON_NO_LEADER,
                                                      .message = "leadership changed"}));
      }
    }
  }
}

void Group::EmitReads(MonotonicTime now, TurnOutput* out) {
  while (!confirmed_.empty() && confirmed_.begin()->first <= handed_over_) {
    auto& requests = confirmed_.begin()->second;
    std::move(requests.begin(), requests.end(), std::back_inserter(servable_));
    confirmed_.erase(confirmed_.begin());
  }
  for (const auto& request : servable_) {
    request->stages.Mark(RequestStage::kCommitted, now);
  }
  if (!servable_.empty()) {
    out->applies.push_back({.replica = state_,
                            .worker = worker_,
                            .entries = {},
                            .writes = {},
                            .reads = std::exchange(servable_, {})});
  }
}

void Group::OnRoleChanged() {
  CountCampaign();
  PublishRole();
  PublishLeader();
  CheckHandOver();
  WithdrawSnapshots();
  marked_durable_ = raft::LogIndex();  // a new term may write indexes anew
  // What was proposed in an earlier term may still be committed by its successor, or not.
  while (!proposed_.empty() && (!IsLeader() || proposed_.front()->term() != node_.term())) {
    --open_writes_;
    End(*proposed_.front(), LeaderLost());
    proposed_.pop_front();
  }
}

// A candidate of one voter is leader before anybody sees it, so elections are known by their term.
void Group::CountCampaign() {
  const raft::Role role = node_.role();
  if (role == raft::Role::kPreCandidate) {
    context_->metrics.prevotes_started.Add();
  } else if ((role == raft::Role::kCandidate || IsLeader()) && node_.term() != counted_term_) {
    context_->metrics.elections_started.Add();
    counted_term_ = node_.term();
  }
}

void Group::PublishRole() {
  slot_->figures.role.store(RoleOf(node_.role()), std::memory_order_relaxed);
}

void Group::PublishFigures(const raft::RaftStatus& raft) {
  const auto behind = [](raft::LogIndex ahead, raft::LogIndex index) {
    return ahead > index ? ahead.value() - index.value() : 0;
  };
  uint64_t follower_lag = 0;
  for (const raft::FollowerProgress& follower : raft.followers) {
    follower_lag = std::max(follower_lag, behind(raft.last_index, follower.match));
  }
  GroupFigures& figures = slot_->figures;
  if (figures.returning.exchange(raft.returning) != raft.returning) {
    raft.returning ? ++context_->starting : --context_->starting;
  }
  figures.term.store(raft.hard_state.term.value(), std::memory_order_relaxed);
  figures.apply_lag.store(behind(raft.commit, raft.applied), std::memory_order_relaxed);
  figures.commit_lag.store(behind(raft.last_index, raft.commit), std::memory_order_relaxed);
  figures.follower_lag.store(follower_lag, std::memory_order_relaxed);
  figures.log_bytes.store(log_->ByteSize(), std::memory_order_relaxed);
  figures.open_writes.store(open_writes_, std::memory_order_relaxed);
  figures.open_reads.store(open_reads_, std::memory_order_relaxed);
}

void Group::PublishLeader() {
  const uint64_t leader = fault_.empty() ? NodeOf(node_.leader()) : 0;
  if (slot_->leader_node.exchange(leader, std::memory_order_relaxed) == leader) {
    return;
  }
  LogDebug("replica/leader", {{"group", spec_.group.value()},
                              {"term", node_.term().value()},
                              {"leader", leader},
                              {"self", self_node_}});
  context_->metrics.leader_changes.Add();
  if (context_->hooks.leader_changed) {
    context_->hooks.leader_changed(spec_.group, leader);
  }
}

void Group::PublishLease(MonotonicTime now) {
  const auto lease = fault_.empty() && IsLeader() ? node_.CurrentLease(now) : std::nullopt;
  if (lease) {
    slot_->lease.Publish(spec_.self, spec_.placement_epoch, lease->expires);
  } else {
    slot_->lease.Withdraw();
  }
}

kv::v1::ReplicaStatus Group::Status() const {
  const raft::RaftStatus raft = node_.Status();
  kv::v1::ReplicaStatus status;
  status.set_keyspace(spec_.keyspace);
  status.set_partition(spec_.partition);
  status.set_group_id(spec_.group.value());
  status.set_incarnation(spec_.self.value());
  status.set_role(RoleOf(raft.role));
  if (!fault_.empty()) {
    status.set_role(kv::v1::REPLICA_ROLE_UNSPECIFIED);
    status.set_fault(fault_);
  }
  status.set_term(raft.hard_state.term.value());
  status.set_leader_node(NodeOf(raft.leader));
  status.set_last_index(raft.last_index.value());
  status.set_commit_index(raft.commit.value());
  status.set_log_bytes(log_->ByteSize());
  AddMembership(raft.configuration, &status);
  status.set_returning(raft.returning);
  status.set_last_term(log_->TermAt(log_->LastIndex()).value_or(raft::Term()).value());
  return status;
}

}  // namespace quorate
