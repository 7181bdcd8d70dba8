#include "server/replication/replica_host.h"

#include <algorithm>
#include <set>
#include <utility>

#include "fmt/format.h"
#include "proto/error_detail.h"
#include "server/replication/raft_groups/apply.h"
#include "server/replication/raft_groups/host_context.h"
#include "server/replication/raft_groups/raft_codec.h"
#include "server/replication/raft_groups/recovery.h"
#include "server/replication/raft_groups/snapshot_exchange.h"
#include "server/replication/raft_groups/status_query.h"
#include "server/replication/raft_groups/take_over.h"
#include "server/replication/raft_groups/worker.h"
#include "server/runtime/check.h"
#include "server/runtime/log.h"
#include "server/storage/data_store.h"
#include "server/storage/log_store.h"
#include "server/storage/log_writer.h"
#include "server/storage/node_records.h"
#include "server/storage/version.h"

namespace quorate {
namespace {

// Wires workers, apply loop and directory together, and keeps the set of replicas.
class ReplicaHostImpl final : public ReplicaHost {
 public:
  ReplicaHostImpl(const Runtime& runtime, const Options& options, DataStore* data, LogStore* log,
                  LogWriter* writer, Hooks hooks)
      : context_(
            std::make_shared<HostContext>(runtime, options, data, log, writer, std::move(hooks))),
        applier_(std::make_shared<Applier>(context_)),
        replicas_(std::make_shared<ReplicaSet>()) {
    QUORATE_CHECK(!runtime.workers.empty());
    // What the exchange calls, it calls before its Close returns.
    snapshots_ = std::make_shared<SnapshotExchange>(
        context_, SnapshotExchange::Sinks{
                      .ended =
                          [this](const SnapshotRoute& route, std::optional<raft::LogIndex> index) {
                            WorkerOf(route.group)->EnqueueSnapshotSent(route, index);
                          },
                      .arrived =
                          [this](ArrivedSnapshot arrived) {
                            WorkerOf(arrived.route.group)->EnqueueSnapshot(std::move(arrived));
                          }});
    context_->snapshots = snapshots_.get();
    for (size_t i = 0; i < runtime.workers.size(); ++i) {
      workers_.push_back(std::make_shared<Worker>(i, context_, applier_));
      workers_.back()->Start();
    }
  }
  ~ReplicaHostImpl() override { Stop(); }

  void SetReplicas(std::vector<ReplicaSpec> specs) override;
  void HandOverLeadership(absl::AnyInvocable<void()> done) override;
  void TransferLeadership(GroupId group, uint64_t node, CallTerms terms,
                          absl::AnyInvocable<void(absl::Status)> done) override {
    WorkerOf(group)->Enqueue(
        std::make_shared<TransferRequest>(group, node, terms, std::move(done)));
  }
  void Stop() override;
  void OnRemembered(const PeerMemory& memory) override;
  void StepRaft(uint64_t from_node, std::vector<internal::v1::RaftMessage> messages) override;
  void StepSnapshot(uint64_t from_node, internal::v1::SnapshotMessage message) override;
  void Write(GroupId group, internal::v1::Command command, CallTerms terms,
             Callback<WriteAnswer> done) override;
  void ProposeCluster(internal::v1::ClusterCommand command, MonotonicTime deadline,
                      absl::AnyInvocable<void(absl::Status)> done) override;
  std::optional<ReadAnswer> TryLeaseGet(GroupId group, std::string_view key) override;
  void Get(GroupId group, std::string key, CallTerms terms, Callback<ReadAnswer> done) override;
  void GetMany(GroupId group, std::vector<std::string> keys, size_t bytes_max, CallTerms terms,
               Callback<std::vector<ReadAnswer>> done) override;
  void ReadPage(GroupId group, PageQuery query, CallTerms terms,
                Callback<PageAnswer> done) override;
  [[nodiscard]] QuietDigest LedQuietly(uint64_t node) const override {
    return context_->led_quietly.Digest(node);
  }
  [[nodiscard]] QuietDigest FollowedQuietly(uint64_t node) const override {
    return context_->followed_quietly.Digest(node);
  }
  [[nodiscard]] std::vector<QuietGroup> ListFollowedQuietly(uint64_t node) const override {
    return context_->followed_quietly.List(node);
  }
  [[nodiscard]] std::vector<uint64_t> QuietLeaders() const override {
    return context_->followed_quietly.Nodes();
  }
  [[nodiscard]] std::vector<QuietGroup> NotLedFor(
      uint64_t node, const std::vector<QuietGroup>& groups) const override;
  void SuspectLeadersOn(uint64_t node) override {
    SuspectLeadersOf(context_->followed_quietly.List(node));
  }
  void SuspectLeadersOf(const std::vector<QuietGroup>& groups) override {
    Wake(groups, &Group::SuspectLeader);
  }
  void WakeQuietWith(uint64_t node) override {
    SuspectLeadersOn(node);
    Wake(context_->led_quietly.List(node), &Group::Wake);
  }
  [[nodiscard]] uint64_t LeaderOf(GroupId group) const override;
  [[nodiscard]] std::map<GroupId, uint64_t> Leaders() const override {
    return context_->directory.Leaders();
  }
  [[nodiscard]] std::vector<DamagedReplica> Damaged() const override {
    return context_->damaged.List();
  }
  [[nodiscard]] bool AllStarted() const override { return context_->starting == 0; }
  void ListReplicas(bool checksum, Callback<std::vector<kv::v1::ReplicaStatus>> done) override;
  [[nodiscard]] HostFigures Figures() const override {
    return {.replicas = context_->directory.Figures(),
            .pending_write_bytes = context_->write_bytes.load(std::memory_order_relaxed)};
  }
  [[nodiscard]] uint64_t ClusterTimeMicros() const override;
  void Inspect(const Inspector& inspector) const override {
    for (const auto& worker : workers_) worker->Inspect(inspector);
  }

 private:
  // What is to be here, and what is on its way. Shared with tasks that finish a removal.
  struct ReplicaSet {
    struct Entry {
      ReplicaSpec spec;
      bool removing = false;
      // Begins when the removal of the earlier incarnation is done.
      std::optional<ReplicaSpec> successor;
    };
    Mutex mutex;
    std::map<GroupId, Entry> entries ABSL_GUARDED_BY(mutex);
    bool looked_for_leftovers ABSL_GUARDED_BY(mutex) = false;
    bool stopped ABSL_GUARDED_BY(mutex) = false;
  };

  [[nodiscard]] const std::shared_ptr<Worker>& WorkerOf(GroupId group) const {
    return workers_[group.value() % workers_.size()];
  }
  void Enqueue(std::shared_ptr<ReadRequest> request);
  void Wake(const std::vector<QuietGroup>& groups, Worker::WakeCall call);
  // These run through the apply loop, so that they take effect in the order of their calls; where a
  // replica takes over another one's data, through the background loop first.
  static void BeginReplica(const std::shared_ptr<HostContext>& context,
                           const std::shared_ptr<Applier>& applier,
                           const std::shared_ptr<Worker>& worker, const ReplicaSpec& spec);
  static void PostInOrder(const std::shared_ptr<Applier>& applier, const ReplicaSpec& spec,
                          absl::AnyInvocable<void()> task);
  // Also behind the replica's start.
  void UpdateReplica(ReplicaSpec& known, ReplicaSpec spec);
  void BeginRemoval(const ReplicaSpec& spec);
  // Data of incarnations that no spec names: of damaged replicas that are replaced by now.
  void RemoveLeftovers() ABSL_EXCLUSIVE_LOCKS_REQUIRED(replicas_->mutex);
  static void FinishRemoval(const std::shared_ptr<HostContext>& context,
                            const std::shared_ptr<Applier>& applier,
                            const std::shared_ptr<Worker>& worker,
                            const std::shared_ptr<ReplicaSet>& replicas, const ReplicaSpec& spec);

  const std::shared_ptr<HostContext> context_;
  const std::shared_ptr<Applier> applier_;
  std::vector<std::shared_ptr<Worker>> workers_;
  const std::shared_ptr<ReplicaSet> replicas_;
  std::shared_ptr<SnapshotExchange> snapshots_;
  OpenQueries queries_;
};

void ReplicaHostImpl::SetReplicas(std::vector<ReplicaSpec> specs) {
  std::map<GroupId, ReplicaSpec> wanted;
  for (ReplicaSpec& spec : specs) {
    wanted.insert_or_assign(spec.group, std::move(spec));
  }
  MutexLock lock(&replicas_->mutex);
  if (replicas_->stopped) {
    return;
  }
  bool leftovers = !std::exchange(replicas_->looked_for_leftovers, true);
  for (auto& [group, entry] : replicas_->entries) {
    const auto found = wanted.find(group);
    const bool stays = found != wanted.end() && found->second.self == entry.spec.self;
    if (stays && !entry.removing) {
      leftovers |= entry.spec.moving && !found->second.moving;
      UpdateReplica(entry.spec, std::move(found->second));
      wanted.erase(found);
      continue;
    }
    entry.successor.reset();
    if (found != wanted.end()) {
      entry.successor = std::move(found->second);
      wanted.erase(found);
    }
    context_->directory.FindOrMake(group)->wanted = entry.successor.has_value();
    if (!std::exchange(entry.removing, true)) {
      BeginRemoval(entry.spec);
    }
  }
  for (auto& [group, spec] : wanted) {
    context_->directory.FindOrMake(group)->wanted = true;
    BeginReplica(context_, applier_, WorkerOf(group), spec);
    replicas_->entries[group].spec = std::move(spec);
  }
  if (leftovers) {
    RemoveLeftovers();
  }
}

void ReplicaHostImpl::RemoveLeftovers() {
  std::set<ReplicaId> named;
  const auto add = [&named](const ReplicaSpec& spec) {
    named.insert(spec.self);
    named.insert(spec.recovered_from);
    for (const auto& [member, node] : spec.members) {
      named.insert(member);
    }
  };
  for (const auto& [group, entry] : replicas_->entries) {
    add(entry.spec);
    if (entry.successor) {
      add(*entry.successor);
    }
  }
  applier_->PostBackground([context = context_, named = std::move(named)] {
    const auto stored = context->data->ListReplicas();
    if (!stored.ok()) {
      LogWarning("replica/leftovers", {{"error", std::string(stored.status().message())}});
      return;
    }
    for (const ReplicaId replica : *stored) {
      // One that is later than all that are named may be of a newer cluster state than the specs.
      if (named.empty() || replica > *named.rbegin() || named.contains(replica)) {
        continue;
      }
      LogInfo("replica/leftover_removed", {{"incarnation", replica.value()}});
      if (const absl::Status status = context->data->DestroyReplica(replica); !status.ok()) {
        context->Poison(status);
      }
    }
  });
}

void ReplicaHostImpl::BeginReplica(const std::shared_ptr<HostContext>& context,
                                   const std::shared_ptr<Applier>& applier,
                                   const std::shared_ptr<Worker>& worker, const ReplicaSpec& spec) {
  ++context->starting;
  // Not in the way of those that serve.
  const auto taken_over = std::make_shared<absl::Status>();
  if (!spec.recovered_from.IsZero()) {
    applier->PostBackground(
        [context, spec, taken_over] { *taken_over = TakeOver(*context, spec); });
  }
  PostInOrder(applier, spec, [context, worker, spec, taken_over] {
    auto recovered = taken_over->ok() ? RecoverReplica(*context, spec) : *taken_over;
    worker->Enqueue(Worker::Control([spec, recovered = std::move(recovered)](Worker& on) mutable {
      if (recovered.ok()) {
        on.AddGroup(spec, *std::move(recovered));
      } else {
        on.AddBroken(spec, recovered.status());
      }
    }));
  });
}

void ReplicaHostImpl::PostInOrder(const std::shared_ptr<Applier>& applier, const ReplicaSpec& spec,
                                  absl::AnyInvocable<void()> task) {
  if (spec.recovered_from.IsZero()) {
    applier->Post(std::move(task));
    return;
  }
  applier->PostBackground(
      [applier, task = std::move(task)]() mutable { applier->Post(std::move(task)); });
}

void ReplicaHostImpl::UpdateReplica(ReplicaSpec& known, ReplicaSpec spec) {
  if (known == spec) {
    return;
  }
  known = std::move(spec);
  PostInOrder(applier_, known, [worker = WorkerOf(known.group), spec = known] {
    worker->Enqueue(Worker::Control([spec](Worker& on) { on.UpdateGroup(spec); }));
  });
}

// Apply loop (behind the replica's start) → worker (no more proposals, votes, appends) → log writer
// (no append is under way) → apply loop (no entry of it waits) → background (no page is being
// read), which removes the records.
void ReplicaHostImpl::BeginRemoval(const ReplicaSpec& spec) {
  auto finish = [context = context_, applier = applier_, worker = WorkerOf(spec.group),
                 replicas = replicas_,
                 spec] { FinishRemoval(context, applier, worker, replicas, spec); };
  auto after_worker = [applier = applier_, context = context_, spec, finish](Worker& on) mutable {
    on.RemoveGroup(spec.group);
    context->writer->Submit({}, [applier, finish](const absl::Status&) {
      applier->Post([applier, finish] { applier->PostBackground(finish); });
    });
  };
  PostInOrder(applier_, spec, [worker = WorkerOf(spec.group), after_worker]() mutable {
    worker->Enqueue(Worker::Control(std::move(after_worker)));
  });
}

void ReplicaHostImpl::FinishRemoval(const std::shared_ptr<HostContext>& context,
                                    const std::shared_ptr<Applier>& applier,
                                    const std::shared_ptr<Worker>& worker,
                                    const std::shared_ptr<ReplicaSet>& replicas,
                                    const ReplicaSpec& spec) {
  // Its group still counts it as a member: what it has is the last resort until it is replaced.
  bool keeps_data = false;
  // All that there is of its group.
  bool keeps_all = false;
  {
    MutexLock lock(&replicas->mutex);
    const auto found = replicas->entries.find(spec.group);
    if (found != replicas->entries.end() && found->second.successor) {
      keeps_data = found->second.successor->Names(spec.self);
      keeps_all = found->second.successor->recovered_from == spec.self;
    }
  }
  absl::Status status = keeps_all ? absl::OkStatus() : context->log->DestroyGroup(spec.group);
  if (status.ok() && !keeps_data && !keeps_all) {
    status = context->data->DestroyReplica(spec.self);
  }
  if (!status.ok()) {
    LogError("replica/not_removed",
             {{"group", spec.group.value()}, {"error", std::string(status.message())}});
    context->Poison(status);
  }
  MutexLock lock(&replicas->mutex);
  const auto found = replicas->entries.find(spec.group);
  if (found == replicas->entries.end() || replicas->stopped) {
    return;
  }
  std::optional<ReplicaSpec> successor = std::move(found->second.successor);
  if (!successor) {
    replicas->entries.erase(found);
    return;
  }
  found->second = {.spec = *successor, .removing = false, .successor = std::nullopt};
  BeginReplica(context, applier, worker, *successor);
}

void ReplicaHostImpl::HandOverLeadership(absl::AnyInvocable<void()> done) {
  // Held by every worker's task and then by every group under way; the last to let go is done.
  struct UnderWay {
    explicit UnderWay(absl::AnyInvocable<void()> the_done) : done(std::move(the_done)) {}
    ~UnderWay() { done(); }
    absl::AnyInvocable<void()> done;
  };
  const auto under_way = std::make_shared<UnderWay>(std::move(done));
  for (const auto& worker : workers_) {
    worker->Enqueue(Worker::Control([under_way](Worker& on) { on.HandOver(under_way); }));
  }
}

void ReplicaHostImpl::Stop() {
  {
    MutexLock lock(&replicas_->mutex);
    replicas_->stopped = true;
  }
  for (const auto& worker : workers_) {
    worker->Close();
  }
  applier_->Close();
  snapshots_->Close();
  queries_.Close();
}

void ReplicaHostImpl::OnRemembered(const PeerMemory& memory) {
  if (context_->start.Take(memory)) {
    const RolledBackDisk found = context_->start.Found();
    LogError("node/rolled_back",
             {{"seen_by", memory.node},
              {"batch_seen", memory.batch},
              {"what",
               "the disk holds less than this node had said was durable: its replicas are "
               "built anew where their groups can do without them"}});
    applier_->Post([context = context_, found] {
      if (absl::Status status = NodeRecords(context->log).SaveRolledBack(found); !status.ok()) {
        context->Poison(status);
      }
    });
  }
  for (const auto& worker : workers_) {
    worker->Enqueue(Worker::Control([](Worker& on) { on.JudgeStarts(); }));
  }
}

void ReplicaHostImpl::StepRaft(uint64_t from_node,
                               std::vector<internal::v1::RaftMessage> messages) {
  struct Share {
    std::vector<GroupMessage> messages;
    size_t bytes = 0;
  };
  std::vector<Share> shares(workers_.size());
  for (internal::v1::RaftMessage& wire : messages) {
    const size_t bytes = sizeof(GroupMessage) + wire.ByteSizeLong();
    auto decoded = DecodeRaftMessage(std::move(wire));
    if (!decoded.ok()) {
      LogWarning("peer/malformed_raft_message",
                 {{"from", from_node}, {"error", std::string(decoded.status().message())}});
      continue;
    }
    Share& share = shares[decoded->group.value() % workers_.size()];
    share.messages.push_back(*std::move(decoded));
    share.bytes += bytes;
  }
  for (size_t i = 0; i < shares.size(); ++i) {
    if (!shares[i].messages.empty()) {
      workers_[i]->EnqueuePeers(std::move(shares[i].messages), shares[i].bytes);
    }
  }
}

void ReplicaHostImpl::StepSnapshot(uint64_t from_node, internal::v1::SnapshotMessage message) {
  if (message.has_offer()) {
    WorkerOf(GroupId(message.group_id()))->EnqueueSnapshotOffer(from_node, std::move(message));
  } else {
    snapshots_->OnMessage(from_node, std::move(message));
  }
}

// ---- Requests.

void ReplicaHostImpl::Write(GroupId group, internal::v1::Command command, CallTerms terms,
                            Callback<WriteAnswer> done) {
  if (command.has_request_id() && !RequestMemory::IsValid(command.request_id())) {
    done(InvalidField("header.request_id.client_id", "must have 16 bytes"));
    return;
  }
  auto request = std::make_shared<WriteRequest>(group, std::move(command), terms, std::move(done));
  request->stages.Mark(RequestStage::kHandedOver, context_->Now());
  // The context lives as long as its counter is used.
  if (!request->Charge({context_, &context_->write_bytes},
                       context_->options.pending_write_bytes_max)) {
    request->Refuse({.reason = kv::v1::REASON_QUEUE_FULL,
                     .message = "too many bytes of writes wait on this node",
                     .retry_delay_ms = 20});
    return;
  }
  WorkerOf(group)->Enqueue(std::move(request));
}

void ReplicaHostImpl::ProposeCluster(internal::v1::ClusterCommand command, MonotonicTime deadline,
                                     absl::AnyInvocable<void(absl::Status)> done) {
  internal::v1::Command wrapped;
  *wrapped.mutable_cluster() = std::move(command);
  Write(GroupId(0), std::move(wrapped), {.deadline = deadline},
        [done = std::move(done)](const absl::StatusOr<WriteAnswer>& answer) mutable {
          done(answer.status());
        });
}

std::optional<ReadAnswer> ReplicaHostImpl::TryLeaseGet(GroupId group, std::string_view key) {
  const GroupSlot* const slot = context_->directory.Find(group);
  if (slot == nullptr) {
    return std::nullopt;
  }
  // What takes the disk, and damage, are for the worker's path: this thread carries the messages of
  // all peers.
  auto read = ReadUnderLease(
      slot->lease, [this] { return context_->Now(); },
      [&](const LeaseView& lease) { return context_->data->GetFromMemory(lease.replica, key); });
  if (!read || !read->ok()) {
    return std::nullopt;
  }
  auto& stored = **read;
  context_->metrics.reads_by_lease.Add();
  ReadAnswer answer;
  answer.served_by = kv::v1::SERVED_BY_LEADER_LEASE;
  if (stored) {
    answer.found = true;
    answer.version = stored->version.ToBytes();
    answer.value = std::move(stored->value);
  }
  return answer;
}

void ReplicaHostImpl::Get(GroupId group, std::string key, CallTerms terms,
                          Callback<ReadAnswer> done) {
  Enqueue(std::make_shared<ReadRequest>(
      group, terms, ReadRequest::Get{.key = std::move(key), .done = std::move(done)}));
}

void ReplicaHostImpl::GetMany(GroupId group, std::vector<std::string> keys, size_t bytes_max,
                              CallTerms terms, Callback<std::vector<ReadAnswer>> done) {
  Enqueue(std::make_shared<ReadRequest>(
      group, terms,
      ReadRequest::GetMany{
          .keys = std::move(keys), .bytes_max = bytes_max, .done = std::move(done)}));
}

void ReplicaHostImpl::ReadPage(GroupId group, PageQuery query, CallTerms terms,
                               Callback<PageAnswer> done) {
  Enqueue(std::make_shared<ReadRequest>(
      group, terms, ReadRequest::Page{.query = std::move(query), .done = std::move(done)}));
}

void ReplicaHostImpl::Enqueue(std::shared_ptr<ReadRequest> request) {
  request->stages.Mark(RequestStage::kHandedOver, context_->Now());
  WorkerOf(request->group())->Enqueue(std::move(request));
}

// ---- Quiet groups.

std::vector<QuietGroup> ReplicaHostImpl::NotLedFor(uint64_t node,
                                                   const std::vector<QuietGroup>& groups) const {
  std::vector<QuietGroup> denied;
  for (const QuietGroup& group : groups) {
    if (context_->led_quietly.Holds(node, group)) {
      continue;
    }
    // A leader that is awake tells its followers by itself.
    const GroupSlot* const slot = context_->directory.Find(group.group);
    const bool awake_leader = slot != nullptr &&
                              slot->figures.role == kv::v1::REPLICA_ROLE_LEADER &&
                              !slot->figures.quiet;
    if (!awake_leader) {
      denied.push_back(group);
    }
  }
  return denied;
}

void ReplicaHostImpl::Wake(const std::vector<QuietGroup>& groups, Worker::WakeCall call) {
  std::vector<std::vector<QuietGroup>> shares(workers_.size());
  for (const QuietGroup& group : groups) {
    shares[group.group.value() % workers_.size()].push_back(group);
  }
  for (size_t i = 0; i < shares.size(); ++i) {
    if (!shares[i].empty()) {
      workers_[i]->Enqueue(Worker::Control(
          [share = std::move(shares[i]), call](Worker& on) { on.Wake(share, call); }));
    }
  }
}

uint64_t ReplicaHostImpl::LeaderOf(GroupId group) const {
  const GroupSlot* const slot = context_->directory.Find(group);
  return slot == nullptr ? 0 : slot->leader_node.load(std::memory_order_relaxed);
}

void ReplicaHostImpl::ListReplicas(bool checksum,
                                   Callback<std::vector<kv::v1::ReplicaStatus>> done) {
  auto query = queries_.Open(std::move(done));
  if (query != nullptr) {
    CollectStatus(context_, applier_, workers_, checksum, std::move(query));
  }
}

uint64_t ReplicaHostImpl::ClusterTimeMicros() const {
  const uint64_t stamp = context_->newest_stamp.load(std::memory_order_relaxed);
  // Before the first stamp of a new node there is only the wall clock.
  return StampToMicros(stamp != 0 ? stamp : StampFromMicros(context_->runtime.clock->WallNow()));
}

}  // namespace

std::unique_ptr<ReplicaHost> ReplicaHost::Create(const Runtime& runtime, const Options& options,
                                                 DataStore* data, LogStore* log, LogWriter* writer,
                                                 Hooks hooks) {
  return std::make_unique<ReplicaHostImpl>(runtime, options, data, log, writer, std::move(hooks));
}

}  // namespace quorate
