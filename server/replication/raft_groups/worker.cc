#include "server/replication/raft_groups/worker.h"

#include <iterator>

#include "fmt/format.h"
#include "server/replication/raft_groups/snapshot_exchange.h"
#include "server/runtime/log.h"
#include "server/storage/data_store.h"
#include "server/storage/log_store.h"
#include "server/storage/log_writer.h"

namespace quorate {
namespace {

const Refusal& WorkerClosed() {
  static const Refusal refusal{.reason = kv::v1::REASON_SHUTTING_DOWN,
                               .message = "the node is stopping"};
  return refusal;
}

constexpr std::string_view kWentBack =
    "the node's disk went back in time: a peer remembers more than it holds";

void RefuseAsClosed(Worker::Input& input) {
  if (auto* write = std::get_if<std::shared_ptr<WriteRequest>>(&input)) {
    (*write)->Refuse(WorkerClosed());
  } else if (auto* read = std::get_if<std::shared_ptr<ReadRequest>>(&input)) {
    (*read)->Refuse(WorkerClosed());
  } else if (auto* transfer = std::get_if<std::shared_ptr<TransferRequest>>(&input)) {
    (*transfer)->Refuse(WorkerClosed());
  }
}

}  // namespace

Worker::Worker(size_t number, std::shared_ptr<HostContext> context,
               std::shared_ptr<Applier> applier)
    : number_(number),
      context_(std::move(context)),
      applier_(std::move(applier)),
      loop_(context_->runtime.workers[number]),
      messages_sent_(context_->runtime.metrics->GetCounter(
          {.name = "quorate_raft_messages_sent_total",
           .help = "Raft messages of all groups sent to other nodes, many in an envelope."})) {}

void Worker::Start() { ScheduleTick(); }

void Worker::Enqueue(Input input) {
  {
    MutexLock lock(&inbox_mutex_);
    if (!closed_) {
      inbox_.push_back(std::move(input));
      if (std::exchange(scheduled_, true)) {
        return;
      }
      loop_->Post([self = shared_from_this()] { self->Drain(); });
      return;
    }
  }
  RefuseAsClosed(input);
}

void Worker::EnqueuePeers(std::vector<GroupMessage> messages, size_t bytes) {
  {
    MutexLock lock(&inbox_mutex_);
    if (inbox_peer_bytes_ != 0 && inbox_peer_bytes_ + bytes > kPeerBytesMax) {
      context_->peer_messages_dropped.Add(messages.size());
      return;
    }
    inbox_peer_bytes_ += bytes;
  }
  Enqueue(std::move(messages));
}

void Worker::Close() {
  gate_.Close([this] {
    std::vector<Input> rest;
    {
      MutexLock lock(&inbox_mutex_);
      closed_ = true;
      rest.swap(inbox_);
    }
    for (Input& input : rest) {
      RefuseAsClosed(input);
    }
    for (auto& [id, group] : groups_) {
      group->Stop(WorkerClosed());
    }
    for (const auto& request : deadlines_.TakeAll()) {
      request->Refuse(WorkerClosed());
    }
    awake_.clear();
    held_.clear();
    groups_.clear();
    dirty_.clear();
  });
}

// ---- Turns.

void Worker::Drain() {
  // Taken inside the gate: what is taken is dealt with, what is not is Close's to refuse.
  gate_.Run([this] {
    std::vector<Input> inputs;
    {
      MutexLock lock(&inbox_mutex_);
      inputs.swap(inbox_);
      inbox_peer_bytes_ = 0;
      scheduled_ = false;
    }
    now_ = context_->Now();
    for (Input& input : inputs) {
      std::visit([this](auto& taken) { Take(taken); }, input);
    }
    EndTurn();
  });
}

void Worker::ScheduleTick() {
  loop_->PostAt(context_->Now() + context_->options.tick_interval,
                [self = shared_from_this()] { self->OnTick(); });
}

void Worker::OnTick() {
  gate_.Run([this] {
    now_ = context_->Now();
    // The log may fail where nobody waits for a write.
    if (const absl::Status health = context_->log->Health(); !health.ok()) {
      context_->Poison(health);
    }
    if (!poisoned_) {
      for (auto& [id, group] : awake_) {
        group->Tick(now_);
        if (group->WantsFlush()) {
          MarkDirty(*group);
        }
      }
      LookAtOneQuietGroup();
    }
    EndTurn();
    ScheduleTick();
  });
}

// What an awake group does about once a second, at a cost that does not depend on their number.
void Worker::LookAtOneQuietGroup() {
  if (groups_.size() == awake_.size()) {
    return;
  }
  auto next = groups_.upper_bound(looked_at_);
  if (next == groups_.end()) {
    next = groups_.begin();
  }
  looked_at_ = next->first;
  if (!next->second->awake) {
    next->second->LookAfter(now_);
    MarkDirty(*next->second);
  }
}

void Worker::EndTurn() {
  if (context_->poisoned.load(std::memory_order_relaxed) && !poisoned_) {
    OnPoisoned();
  }
  TurnOutput out;
  out.messages = std::exchange(after_persist_, {});
  for (const std::shared_ptr<Group>& group : dirty_) {
    group->dirty = false;
    group->Flush(now_, &out);
    const bool awake = !group->quiet() && !group->stopped();
    if (awake == std::exchange(group->awake, awake)) {
      continue;
    }
    if (awake) {
      awake_.emplace(group->spec().group, group.get());
    } else {
      awake_.erase(group->spec().group);
    }
  }
  dirty_.clear();
  SendAll(out.messages);
  if (!out.persisting.empty() || !out.appends.empty()) {
    context_->writer->Submit(
        std::move(out.appends), [self = shared_from_this(),
                                 shares = std::move(out.persisting)](absl::Status status) mutable {
          self->Enqueue(Persisted{.status = std::move(status), .shares = std::move(shares)});
        });
  }
  if (!out.applies.empty()) {
    applier_->Submit(std::move(out.applies));
  }
  if (out.flush_wanted) {
    FlushData();
  }
  ArmDeadlineTimer();
}

void Worker::FlushData() {
  if (context_->flush_under_way.exchange(true)) {
    return;
  }
  applier_->PostBackground([context = context_] {
    if (const absl::Status status = context->data->Flush(); !status.ok()) {
      context->Poison(status);
    }
    context->flush_under_way.store(false);
  });
}

void Worker::SendAll(PeerMessages& messages) {
  for (auto& [node, batch] : messages) {
    messages_sent_.Add(batch.size());
    context_->hooks.send_raft(node, std::move(batch));
  }
}

void Worker::MarkDirty(Group& group) {
  if (!std::exchange(group.dirty, true)) {
    dirty_.push_back(group.shared_from_this());
  }
}

Group* Worker::Find(GroupId group) const {
  const auto found = groups_.find(group);
  return found == groups_.end() ? nullptr : found->second.get();
}

// ---- Inputs.

Group* Worker::Admit(OpenRequest& request) {
  if (now_ >= request.deadline()) {
    request.Refuse({.reason = kv::v1::REASON_DEADLINE,
                    .message = "the deadline passed before anything was begun"});
    return nullptr;
  }
  if (poisoned_) {
    request.Refuse({.reason = kv::v1::REASON_STORE_POISONED,
                    .message = "the node's store failed; it serves again after a restart"});
    return nullptr;
  }
  if (Group* const group = Find(request.group())) {
    return group;
  }
  if (const auto broken = broken_.find(request.group()); broken != broken_.end()) {
    request.Refuse(
        {.reason = kv::v1::REASON_CORRUPT,
         .message = fmt::format("this replica is quarantined: {}", broken->second.fault)});
    return nullptr;
  }
  const GroupSlot* const slot = context_->directory.Find(request.group());
  if (slot != nullptr && slot->wanted.load(std::memory_order_relaxed)) {
    request.Refuse(
        {.reason = kv::v1::REASON_NO_LEADER, .message = "the replica here is still being started"});
  } else {
    request.Refuse(
        {.reason = kv::v1::REASON_WRONG_NODE,
         .message = fmt::format("no replica of group {} here", request.group().value())});
  }
  return nullptr;
}

void Worker::Take(std::shared_ptr<WriteRequest>& request) {
  request->stages.Mark(RequestStage::kTaken, now_);
  if (Group* const group = Admit(*request)) {
    group->Write(std::move(request), now_);
    MarkDirty(*group);
  }
}

void Worker::Take(std::shared_ptr<ReadRequest>& request) {
  request->stages.Mark(RequestStage::kTaken, now_);
  if (Group* const group = Admit(*request)) {
    group->Read(std::move(request), now_);
    MarkDirty(*group);
  }
}

void Worker::Take(std::shared_ptr<TransferRequest>& request) {
  if (Group* const group = Admit(*request)) {
    group->Transfer(std::move(request), now_);
    MarkDirty(*group);
  }
}

void Worker::Take(std::vector<GroupMessage>& messages) {
  for (const GroupMessage& message : messages) {
    Group* const group = poisoned_ ? nullptr : Find(message.group);
    // Another incarnation's mail is not for the one that is here now.
    if (group != nullptr && message.message.to == group->spec().self) {
      group->Step(message.message, now_);
      MarkDirty(*group);
    }
  }
}

void Worker::Take(Persisted& persisted) {
  if (!persisted.status.ok()) {
    context_->Poison(persisted.status);
    return;
  }
  for (TurnOutput::Persisting& share : persisted.shares) {
    if (share.group->stopped() || poisoned_) {
      continue;
    }
    share.group->OnPersisted(share, now_);
    MarkDirty(*share.group);
    for (auto& [node, message] : share.messages) {
      after_persist_[node].push_back(std::move(message));
    }
  }
}

void Worker::Take(std::vector<AppliedNotice>& notices) {
  for (AppliedNotice& notice : notices) {
    Group* const group = Find(notice.group);
    if (group != nullptr && group->spec().self == notice.replica) {
      group->OnApplied(std::move(notice), now_);
      MarkDirty(*group);
      continue;
    }
    for (const auto& request : notice.finished) {
      deadlines_.Remove(*request);
    }
  }
}

// ---- Groups.

void Worker::AddGroup(const ReplicaSpec& spec, RecoveredReplica replica) {
  if (poisoned_ || groups_.contains(spec.group)) {
    return;
  }
  switch (context_->start.Judge(spec, replica.log->ConfigurationAt(replica.log->LastIndex()))) {
    case Standing::kHeld:
      held_.insert_or_assign(spec.group, Held{.spec = spec, .replica = std::move(replica)});
      return;
    case Standing::kRolledBack:
      AddBroken(spec, absl::DataLossError(std::string(kWentBack)));
      return;
    case Standing::kSpeaks:
      break;
  }
  --context_->starting;
  auto group = std::make_shared<Group>(context_.get(), &deadlines_, shared_from_this(), spec,
                                       std::move(replica), now_);
  MarkDirty(*group);
  groups_.emplace(spec.group, std::move(group));
}

void Worker::AddBroken(const ReplicaSpec& spec, const absl::Status& why) {
  LogError("replica/not_started", {{"group", spec.group.value()},
                                   {"keyspace", spec.keyspace},
                                   {"partition", spec.partition},
                                   {"error", std::string(why.message())}});
  context_->damaged.AddIfDamage(spec.group, {.replica = spec.self, .silent = true}, why);
  --context_->starting;
  context_->directory.FindOrMake(spec.group)->figures.quarantined = true;
  broken_[spec.group] = {.spec = spec, .fault = std::string(why.message())};
}

void Worker::JudgeStarts() {
  for (auto& [id, held] : std::exchange(held_, {})) {
    AddGroup(held.spec, std::move(held.replica));
  }
  for (auto& [id, group] : groups_) {
    JudgeRunning(*group);
  }
}

void Worker::JudgeRunning(Group& group) {
  if (context_->start.rolled_back() &&
      context_->start.Judge(group.spec(), group.node().Status().configuration) ==
          Standing::kRolledBack) {
    group.Quarantine(kWentBack, now_);
    MarkDirty(group);
  }
}

void Worker::RemoveGroup(GroupId group) {
  context_->damaged.Remove(group);
  context_->starting -= held_.erase(group);
  if (broken_.erase(group) > 0) {
    context_->directory.FindOrMake(group)->figures.quarantined = false;
  }
  const auto found = groups_.find(group);
  if (found == groups_.end()) {
    return;
  }
  found->second->Stop(
      {.reason = kv::v1::REASON_WRONG_NODE, .message = "the replica here was removed"});
  found->second->awake = false;
  awake_.erase(group);
  groups_.erase(found);
  context_->snapshots->Forget(group);
}

void Worker::UpdateGroup(ReplicaSpec spec) {
  if (const auto broken = broken_.find(spec.group); broken != broken_.end()) {
    broken->second.spec = std::move(spec);
  } else if (auto held = held_.extract(spec.group); !held.empty()) {
    AddGroup(spec, std::move(held.mapped().replica));  // others may be members now
  } else if (Group* const group = Find(spec.group)) {
    group->UpdateSpec(std::move(spec));
    MarkDirty(*group);
    JudgeRunning(*group);
  }
}

void Worker::Wake(const std::vector<QuietGroup>& groups, WakeCall call) {
  for (const QuietGroup& quiet : groups) {
    Group* const group = Find(quiet.group);
    if (group != nullptr && group->quiet() && group->node().term().value() == quiet.term) {
      (group->*call)(now_);
      MarkDirty(*group);
    }
  }
}

void Worker::HandOver(const std::shared_ptr<void>& under_way) {
  for (auto& [id, group] : groups_) {
    group->HandOver(under_way, now_);
    MarkDirty(*group);
  }
}

void Worker::AppendStatus(
    std::vector<std::pair<kv::v1::ReplicaStatus, std::shared_ptr<ReplicaState>>>* to) const {
  for (const auto& [id, group] : groups_) {
    to->emplace_back(group->Status(), group->state());
  }
  const auto append = [to](const ReplicaSpec& spec) -> kv::v1::ReplicaStatus& {
    kv::v1::ReplicaStatus& status = to->emplace_back().first;
    status.set_keyspace(spec.keyspace);
    status.set_partition(spec.partition);
    status.set_group_id(spec.group.value());
    status.set_incarnation(spec.self.value());
    return status;
  };
  for (const auto& [id, broken] : broken_) {
    append(broken.spec).set_fault(broken.fault);
  }
  // Neither a role nor a fault: it waits for what its peers remember.
  for (const auto& [id, held] : held_) {
    const GroupLog& log = *held.replica.log;
    kv::v1::ReplicaStatus& status = append(held.spec);
    status.set_last_index(log.LastIndex().value());
    status.set_last_term(log.TermAt(log.LastIndex()).value_or(raft::Term()).value());
  }
}

// ---- The disk.

void Worker::OnPoisoned() {
  poisoned_ = true;
  for (auto& [id, group] : groups_) {
    group->LeaveOffice("the store failed", now_);
    MarkDirty(*group);
  }
}

// ---- Deadlines: a timer for the earliest one, so that an answer is as exact as the loop's timers.

void Worker::ArmDeadlineTimer() {
  const auto earliest = deadlines_.Earliest();
  if (!earliest || (deadline_timer_ && deadline_timer_->first <= *earliest)) {
    return;
  }
  if (deadline_timer_) {
    loop_->Cancel(deadline_timer_->second);
  }
  const TimerId timer =
      loop_->PostAt(*earliest, [self = shared_from_this()] { self->OnDeadline(); });
  deadline_timer_ = {*earliest, timer};
}

void Worker::OnDeadline() {
  gate_.Run([this] {
    now_ = context_->Now();
    deadline_timer_.reset();
    for (const auto& request : deadlines_.TakeDue(now_)) {
      request->Refuse({.reason = kv::v1::REASON_DEADLINE,
                       .message = request->is_write()
                                      ? "the deadline passed before a majority had the write"
                                      : "the deadline passed before the read was confirmed"});
    }
    ArmDeadlineTimer();
  });
}

}  // namespace quorate
