#include "server/replication/raft_groups/apply.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "fmt/format.h"
#include "server/replication/raft_groups/recovery.h"
#include "server/runtime/log.h"

namespace quorate {
namespace {

// Bounds what one write to the store holds up, and its memory.
constexpr size_t kBatchBytesMax = size_t{4} << 20;

Refusal Quarantined(const std::string& fault) {
  return {.reason = kv::v1::REASON_CORRUPT,
          .message = fmt::format("this replica is quarantined: {}", fault)};
}

// A value that cannot be read is refused; the replica goes on with the others until its node is
// told to build it anew.
void NoteDamage(HostContext& context, GroupId group, ReplicaId replica,
                const absl::Status& status) {
  if (context.damaged.AddIfDamage(group, {.replica = replica}, status)) {
    LogError("replica/damaged",
             {{"group", group.value()}, {"error", std::string(status.message())}});
  }
}

}  // namespace

void Applier::Submit(std::vector<ApplyWork> work) {
  {
    MutexLock lock(&inbox_mutex_);
    if (inbox_.empty()) {
      inbox_ = std::move(work);
    } else {
      std::move(work.begin(), work.end(), std::back_inserter(inbox_));
    }
    if (std::exchange(scheduled_, true)) {
      return;
    }
  }
  context_->runtime.apply->Post([self = shared_from_this()] { self->Drain(); });
}

void Applier::Post(absl::AnyInvocable<void()> task) {
  context_->runtime.apply->Post([self = shared_from_this(), task = std::move(task)]() mutable {
    self->gate_.Run([&] { task(); });
  });
}

void Applier::PostBackground(absl::AnyInvocable<void()> task) {
  context_->runtime.background->Post([self = shared_from_this(), task = std::move(task)]() mutable {
    self->background_gate_.Run([&] { task(); });
  });
}

void Applier::Close() {
  // Work that nobody will drain any more holds its worker, which holds this. Its requests were
  // answered when the worker was closed.
  gate_.Close([this] {
    std::vector<ApplyWork> rest;
    MutexLock lock(&inbox_mutex_);
    rest.swap(inbox_);
  });
  background_gate_.Close([] {});
}

void Applier::Drain() {
  std::vector<ApplyWork> work;
  {
    MutexLock lock(&inbox_mutex_);
    work.swap(inbox_);
    scheduled_ = false;
  }
  gate_.Run([&] { Turn(std::move(work)); });
}

void Applier::Turn(std::vector<ApplyWork> work) {
  for (ApplyWork& share : work) {
    if (share.snapshot != nullptr) {
      InstallSnapshot(share);
    }
    ApplyEntries(share);
  }
  Commit();
  Notices notices;
  for (ApplyWork& share : work) {
    ServeReads(share);
    Notify(share, &notices);
  }
  for (auto& [number, batch] : notices) {
    batch.first->OnApplied(std::move(batch.second));
  }
}

void Applier::InstallSnapshot(ApplyWork& work) {
  // What was applied before lies below it.
  if (!Commit()) {
    return;
  }
  ReplicaState& replica = *work.replica;
  absl::Status status = context_->data->InstallSnapshot(*work.snapshot);
  if (status.ok()) {
    status = ReloadState(*context_, &replica);
  }
  if (!status.ok()) {
    PoisonStore(status);
    return;
  }
  context_->metrics.snapshots_installed.Add();
  LogInfo("replica/snapshot_installed",
          {{"group", replica.group().value()}, {"index", replica.meta().applied_index()}});
}

void Applier::PoisonStore(const absl::Status& status) {
  poisoned_ = true;
  LogError("apply/store_failed", {{"error", std::string(status.message())}});
  for (Answer& waiting : answers_) {
    waiting.request->Refuse(
        {.reason = kv::v1::REASON_STORE_POISONED, .message = std::string(status.message())});
  }
  answers_.clear();
  context_->Poison(status);
}

void Applier::ApplyEntries(ApplyWork& work) {
  ReplicaState& replica = *work.replica;
  auto write = work.writes.begin();
  for (const raft::Entry& entry : work.entries) {
    if (poisoned_ || !replica.fault().empty()) {
      break;
    }
    if (batch_.ByteSize() >= kBatchBytesMax && !Commit()) {
      break;
    }
    const bool ours = write != work.writes.end() && (*write)->index() == entry.index;
    const internal::v1::Command* const command =
        replica.Decode(entry, ours ? &(*write)->command() : nullptr);
    if (command != nullptr && ReplicaState::ReadsValues(*command) && !Commit()) {
      break;
    }
    auto outcome = replica.Apply(entry, command, *context_->data, context_->hooks.cluster, &batch_);
    if (!outcome.ok()) {
      replica.Quarantine(
          fmt::format("entry {}: {}", entry.index.value(), std::string(outcome.status().message())),
          absl::IsDataLoss(outcome.status()));
      LogError("replica/quarantined",
               {{"group", replica.group().value()}, {"fault", replica.fault()}});
      break;
    }
    if (in_batch_.empty() || in_batch_.back() != &replica) {
      in_batch_.push_back(&replica);  // twice does no harm
    }
    if (ours) {
      answers_.push_back({.request = *write, .answer = std::move(outcome->answer)});
      ++write;
    }
  }
  for (; write != work.writes.end(); ++write) {
    (*write)->Refuse(poisoned_ ? Refusal{.reason = kv::v1::REASON_STORE_POISONED,
                                         .message = "the node's store failed"}
                               : Quarantined(replica.fault()));
  }
}

bool Applier::Commit() {
  if (poisoned_) {
    return false;
  }
  for (ReplicaState* replica : in_batch_) {
    batch_.PutMeta(replica->replica(), replica->meta());
    context_->SawStamp(replica->meta().last_stamp());
  }
  in_batch_.clear();
  HostMetrics& metrics = context_->metrics;
  if (!batch_.IsEmpty()) {
    const MonotonicTime begun = context_->Now();
    metrics.apply_bytes.Record(batch_.ByteSize());
    if (const absl::Status status = context_->data->Apply(batch_); !status.ok()) {
      PoisonStore(status);
      return false;
    }
    batch_.Clear();
    metrics.CountApply(context_->Now() - begun);
  }
  const MonotonicTime now = answers_.empty() ? MonotonicTime() : context_->Now();
  for (Answer& ready : answers_) {
    metrics.CountWrite(ready.request->stages, now);
    ready.request->Answer(std::move(ready.answer));
  }
  answers_.clear();
  return true;
}

void Applier::ServeReads(ApplyWork& work) {
  for (std::shared_ptr<ReadRequest>& read : work.reads) {
    if (poisoned_) {
      read->Refuse({.reason = kv::v1::REASON_STORE_POISONED, .message = "the node's store failed"});
    } else if (!work.replica->fault().empty()) {
      read->Refuse(Quarantined(work.replica->fault()));
    } else if (read->get() != nullptr) {
      ServeGet(*work.replica, *read);
    } else if (read->get_many() != nullptr) {
      ServeGetMany(*work.replica, *read);
    } else {
      ServePage(work.replica, std::move(read), work.worker);
    }
  }
}

absl::StatusOr<ReadAnswer> Applier::ReadKey(const ReplicaState& replica, const ReadRequest& read,
                                            const std::string& key) const {
  auto stored = context_->data->Get(replica.replica(), key);
  if (!stored.ok()) {
    return stored.status();
  }
  context_->metrics.CountRead(read.served_by);
  ReadAnswer answer;
  answer.served_by = read.served_by;
  if (stored->has_value()) {
    answer.found = true;
    answer.version = (*stored)->version.ToBytes();
    answer.value = std::move((*stored)->value);
  }
  return answer;
}

void Applier::ServeGet(ReplicaState& replica, ReadRequest& read) {
  auto answer = ReadKey(replica, read, read.get()->key);
  if (answer.ok()) {
    read.Answer(*std::move(answer));
  } else {
    NoteDamage(*context_, replica.group(), replica.replica(), answer.status());
    read.Refuse(
        {.reason = kv::v1::REASON_CORRUPT, .message = std::string(answer.status().message())});
  }
}

// At one moment, without a snapshot: only this loop changes the replica's data.
void Applier::ServeGetMany(ReplicaState& replica, ReadRequest& read) {
  const ReadRequest::GetMany& query = *read.get_many();
  std::vector<ReadAnswer> answers;
  size_t bytes = 0;
  for (const std::string& key : query.keys) {
    auto answer = ReadKey(replica, read, key);
    if (!answer.ok()) {
      NoteDamage(*context_, replica.group(), replica.replica(), answer.status());
      read.Refuse(
          {.reason = kv::v1::REASON_CORRUPT, .message = std::string(answer.status().message())});
      return;
    }
    bytes += answer->value.size();
    if (bytes > query.bytes_max && !answers.empty()) {
      break;
    }
    answers.push_back(*std::move(answer));
  }
  read.Answer(std::move(answers));
}

void Applier::ServePage(const std::shared_ptr<ReplicaState>& replica,
                        std::shared_ptr<ReadRequest> read, std::shared_ptr<AppliedSink> worker) {
  PostBackground([context = context_, id = replica->replica(), group = replica->group(),
                  read = std::move(read), worker = std::move(worker)]() mutable {
    const PageQuery& query = read->page()->query;
    auto page = context->data->ReadPage(context->data->Snapshot(), id,
                                        {.begin = query.begin,
                                         .end = query.end,
                                         .limit = query.limit,
                                         .bytes_max = query.bytes_max,
                                         .keys_only = query.keys_only});
    if (page.ok()) {
      context->metrics.pages.Add();
      PageAnswer answer;
      answer.more = page->more;
      answer.entries.reserve(page->entries.size());
      for (DataPage::Entry& from : page->entries) {
        auto& entry = answer.entries.emplace_back();
        entry.set_key(std::move(from.key));
        entry.set_value(std::move(from.stored.value));
        entry.set_version(from.stored.version.ToBytes());
      }
      read->Answer(std::move(answer));
    } else {
      NoteDamage(*context, group, id, page.status());
      read->Refuse(
          {.reason = kv::v1::REASON_CORRUPT, .message = std::string(page.status().message())});
    }
    AppliedNotice notice{.group = group, .replica = id};
    notice.finished.push_back(std::move(read));
    std::vector<AppliedNotice> notices;
    notices.push_back(std::move(notice));
    worker->OnApplied(std::move(notices));
  });
}

void Applier::Notify(ApplyWork& work, Notices* notices) {
  // After a failed batch the state is ahead of the store: nothing more counts as applied.
  const raft::LogIndex applied(poisoned_ ? 0 : work.replica->meta().applied_index());
  if (GroupSlot* const slot = context_->directory.Find(work.replica->group())) {
    slot->figures.request_rows.store(work.replica->memory_rows(), std::memory_order_relaxed);
  }
  AppliedNotice notice{.group = work.replica->group(),
                       .replica = work.replica->replica(),
                       .index = applied,
                       .last_stamp = work.replica->meta().last_stamp(),
                       .snapshot_installed = work.snapshot != nullptr && !poisoned_,
                       .fault = work.replica->fault(),
                       .damaged = work.replica->damaged()};
  notice.finished.reserve(work.writes.size() + work.reads.size());
  std::move(work.writes.begin(), work.writes.end(), std::back_inserter(notice.finished));
  for (auto& read : work.reads) {
    if (read != nullptr) {  // null: a page, on its way over the background loop
      notice.finished.push_back(std::move(read));
    }
  }
  auto& [sink, batch] = (*notices)[work.worker->number()];
  sink = std::move(work.worker);
  batch.push_back(std::move(notice));
}

}  // namespace quorate
