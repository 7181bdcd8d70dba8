#include "server/replication/testing/test_cluster.h"

#include <algorithm>

#include "proto/error_detail.h"
#include "rocksdb/db.h"
#include "server/runtime/check.h"
#include "server/storage/key_format.h"

namespace quorate::testing {

absl::Status FakeCluster::ApplyCluster(const internal::v1::ClusterCommand& command,
                                       std::string* new_state) {
  if (command.drop_keyspace().name() == "refused") {
    return MakeError(kv::v1::REASON_KEYSPACE_NOT_FOUND, kv::v1::OUTCOME_NOT_DONE, "refused");
  }
  state_ += command.drop_keyspace().name() + ";";
  *new_state = state_;
  return absl::OkStatus();
}

void FailingLogWriter::Submit(std::vector<LogAppend> appends,
                              absl::AnyInvocable<void(absl::Status)> durable) {
  if (fails) {
    loop_->Post([durable = std::move(durable)]() mutable {
      durable(absl::UnavailableError("injected: fsync failed"));
    });
    return;
  }
  if (holds_) {
    held_.push_back({.appends = std::move(appends), .durable = std::move(durable)});
    return;
  }
  real_->Submit(std::move(appends), std::move(durable));
}

void FailingLogWriter::Release() {
  holds_ = false;
  for (HeldTurn& turn : std::exchange(held_, {})) {
    real_->Submit(std::move(turn.appends), std::move(turn.durable));
  }
}

// ---- One node.

TestNode::TestNode(uint64_t node_id, ManualScheduler* scheduler,
                   const ReplicaHost::Options& options,
                   std::function<void(uint64_t, std::vector<internal::v1::RaftMessage>)> send,
                   std::function<void(uint64_t, internal::v1::SnapshotMessage)> send_snapshot)
    : id(node_id),
      clock(scheduler),
      scheduler_(scheduler),
      options_(options),
      send_(std::move(send)),
      send_snapshot_(std::move(send_snapshot)),
      env_(rocksdb::NewMemEnv(rocksdb::Env::Default())) {
  QUORATE_CHECK(env_->CreateDirIfMissing("/node").ok());
}

ManualLoop* TestNode::NewLoop() {
  loops_.push_back(std::make_unique<ManualLoop>(scheduler_));
  return loops_.back().get();
}

void TestNode::Start() {
  Runtime runtime;
  runtime.clock = &clock;
  runtime.workers = {NewLoop(), NewLoop()};
  log_loop = NewLoop();
  apply_loop = NewLoop();
  runtime.log_writer = log_loop;
  runtime.apply = apply_loop;
  runtime.background = NewLoop();
  runtime.env = env_.get();
  runtime.seed = 1000 + id;
  runtime.metrics = metrics;

  StoreOptions options;
  options.path = "/node/data";
  options.env = env_.get();
  auto opened_data = DataStore::Open(options);
  QUORATE_CHECK(opened_data.ok()) << opened_data.status().ToString();
  data = *std::move(opened_data);
  options.path = "/node/log";
  auto opened_log = LogStore::Open(options);
  QUORATE_CHECK(opened_log.ok()) << opened_log.status().ToString();
  log = *std::move(opened_log);
  writer = std::make_unique<FailingLogWriter>(runtime, log.get());

  ReplicaHost::Hooks hooks;
  hooks.send_raft = [this](uint64_t to, std::vector<internal::v1::RaftMessage> messages) {
    send_(to, std::move(messages));
  };
  hooks.send_snapshot = [this](uint64_t to, internal::v1::SnapshotMessage message) {
    send_snapshot_(to, std::move(message));
  };
  hooks.cluster = &cluster;
  hooks.membership_settled = [this](GroupId, uint64_t epoch, std::vector<ReplicaId> voters) {
    settled_epoch = epoch;
    settled_voters = std::move(voters);
  };
  hooks.store_poisoned = [this](absl::Status status) { poison = std::move(status); };
  ReplicaHost::Options host_options = options_;
  host_options.power_losses = power_losses;
  host = ReplicaHost::Create(runtime, host_options, data.get(), log.get(), writer.get(),
                             std::move(hooks));
  watch = std::make_unique<QuietWatch>(host.get(), std::chrono::seconds(3));
  ++boot;
  if (!specs_.empty()) {
    host->SetReplicas(specs_);
  }
}

void TestNode::Stop() {
  if (!up()) {
    return;
  }
  host->Stop();
  watch.reset();
  host.reset();
  for (const auto& loop : loops_) {
    loop->Kill();
  }
  writer.reset();
  log.reset();
  data.reset();
}

void TestNode::LoseData() {
  QUORATE_CHECK(!up());
  std::vector<std::string> files;
  QUORATE_CHECK(env_->GetChildren("/node/data", &files).ok());
  for (const std::string& file : files) {
    env_->DeleteFile("/node/data/" + file).PermitUncheckedError();
  }
}

std::map<std::string, std::string> TestNode::CopyLog() const {
  QUORATE_CHECK(!up());
  std::vector<std::string> names;
  QUORATE_CHECK(env_->GetChildren("/node/log", &names).ok());
  std::map<std::string, std::string> files;
  for (const std::string& name : names) {
    if (name != "LOCK") {
      QUORATE_CHECK(rocksdb::ReadFileToString(env_.get(), "/node/log/" + name, &files[name]).ok());
    }
  }
  return files;
}

void TestNode::RestoreLog(const std::map<std::string, std::string>& files) {
  for (const auto& [name, content] : CopyLog()) {
    QUORATE_CHECK(env_->DeleteFile("/node/log/" + name).ok());
  }
  for (const auto& [name, content] : files) {
    QUORATE_CHECK(rocksdb::WriteStringToFile(env_.get(), content, "/node/log/" + name).ok());
  }
}

void TestNode::DamageLogEntry(GroupId group, raft::LogIndex index) {
  Damage("/node/log", LogEntryKey(group, index));
}

void TestNode::DamageValue(ReplicaId replica, const std::string& key) {
  Damage("/node/data", RecordKey(replica, RecordKind::kData, key));
}

void TestNode::Damage(const std::string& store, const std::string& record) {
  QUORATE_CHECK(!up());
  rocksdb::Options options;
  options.env = env_.get();
  rocksdb::DB* opened = nullptr;
  QUORATE_CHECK(rocksdb::DB::Open(options, store, &opened).ok());
  const std::unique_ptr<rocksdb::DB> db(opened);
  std::string bytes;
  QUORATE_CHECK(db->Get({}, record, &bytes).ok());
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  QUORATE_CHECK(db->Put({}, record, bytes).ok());
}

// ---- All nodes.

TestCluster::TestCluster(size_t nodes, const ReplicaHost::Options& options) {
  for (uint64_t id = 1; id <= nodes; ++id) {
    nodes_.push_back(std::make_unique<TestNode>(
        id, &scheduler, options,
        [this, id](uint64_t to, std::vector<internal::v1::RaftMessage> messages) {
          Send(id, to, std::move(messages));
        },
        [this, id](uint64_t to, internal::v1::SnapshotMessage message) {
          SendSnapshot(id, to, std::move(message));
        }));
    nodes_.back()->Start();
  }
  Beat();
}

void TestCluster::Beat() {
  for (const auto& to : nodes_) {
    if (!to->up()) {
      continue;
    }
    to->watch->Tick(scheduler.Now());
    for (const auto& from : nodes_) {
      if (from == to || !from->up() || isolated_.contains(from->id) || isolated_.contains(to->id)) {
        continue;
      }
      if (to->watch->OnHeartbeat(from->id, from->boot, from->host->LedQuietly(to->id),
                                 scheduler.Now())) {
        to->host->SuspectLeadersOf(
            from->host->NotLedFor(to->id, to->host->ListFollowedQuietly(from->id)));
      }
    }
  }
  network_.PostAt(scheduler.Now() + std::chrono::milliseconds(500), [this] { Beat(); });
}

void TestCluster::Send(uint64_t from, uint64_t to,
                       std::vector<internal::v1::RaftMessage> messages) {
  messages_sent_ += messages.size();
  if (on_message) {
    for (const auto& message : messages) {
      on_message(message);
    }
  }
  network_.PostAt(scheduler.Now() + std::chrono::milliseconds(1),
                  [this, from, to, messages = std::move(messages)]() mutable {
                    if (isolated_.contains(from) || isolated_.contains(to) || !node(to).up()) {
                      return;
                    }
                    node(to).host->StepRaft(from, std::move(messages));
                  });
}

void TestCluster::SendSnapshot(uint64_t from, uint64_t to, internal::v1::SnapshotMessage message) {
  network_.PostAt(scheduler.Now() + std::chrono::milliseconds(1),
                  [this, from, to, message = std::move(message)]() mutable {
                    if (isolated_.contains(from) || isolated_.contains(to) || !node(to).up()) {
                      return;
                    }
                    node(to).host->StepSnapshot(from, std::move(message));
                  });
}

ReplicaSpec TestCluster::SpecOf(uint64_t node, uint64_t first_incarnation) const {
  ReplicaSpec spec;
  spec.group = GroupId(kGroup);
  spec.self = ReplicaId(first_incarnation + node);
  for (uint64_t id = 1; id <= nodes_.size(); ++id) {
    spec.members.emplace_back(ReplicaId(first_incarnation + id), id);
  }
  spec.keyspace_id = 1;
  spec.keyspace = "orders";
  spec.partition = 3;
  spec.era = 5;
  return spec;
}

void TestCluster::Begin() {
  for (const auto& each : nodes_) {
    each->SetReplicas({SpecOf(each->id)});
  }
  AwaitLeader();
}

uint64_t TestCluster::Leader() {
  uint64_t leader = 0;
  for (const auto& each : nodes_) {
    if (each->up() && each->host->LeaderOf(GroupId(kGroup)) == each->id) {
      if (leader != 0) {
        return 0;
      }
      leader = each->id;
    }
  }
  return leader;
}

bool TestCluster::Leads(TestNode& node) {
  if (node.host->TryLeaseGet(GroupId(kGroup), "any").has_value()) {
    return true;
  }
  const auto replicas = node.host->Figures().replicas;
  return std::any_of(replicas.begin(), replicas.end(), [](const ReplicaFigures& replica) {
    return replica.group == GroupId(kGroup) && replica.quiet &&
           replica.role == kv::v1::REPLICA_ROLE_LEADER;
  });
}

uint64_t TestCluster::AwaitLeader(uint64_t not_this) {
  uint64_t leader = 0;
  scheduler.RunUntil([&] {
    for (const auto& each : nodes_) {
      if (each->up() && each->id != not_this && Leads(*each)) {
        leader = each->id;
        return true;
      }
    }
    return false;
  });
  return leader;
}

template <class T>
std::pair<PendingAnswer<T>, Callback<T>> TestCluster::NewPending() {
  auto pending = std::make_shared<Pending<T>>();
  return {pending, [this, pending](absl::StatusOr<T> answer) {
            QUORATE_CHECK(!pending->answer.has_value(), "answered once");
            pending->answer = std::move(answer);
            pending->at = scheduler.Now();
          }};
}

PendingAnswer<WriteAnswer> TestCluster::Put(uint64_t to, PutArguments arguments) {
  internal::v1::Command command;
  if (arguments.id) {
    *command.mutable_request_id() = *arguments.id;
  }
  command.mutable_put()->set_key(arguments.key);
  command.mutable_put()->set_value(arguments.value);
  *command.mutable_put()->mutable_condition() = arguments.condition;
  return Write(to, std::move(command), arguments.timeout);
}

PendingAnswer<WriteAnswer> TestCluster::Delete(uint64_t to, const std::string& key) {
  internal::v1::Command command;
  command.mutable_delete_()->set_key(key);
  return Write(to, std::move(command));
}

PendingAnswer<WriteAnswer> TestCluster::Write(uint64_t to, internal::v1::Command command,
                                              Duration timeout) {
  auto [pending, done] = NewPending<WriteAnswer>();
  node(to).host->Write(GroupId(kGroup), std::move(command), {.deadline = scheduler.Now() + timeout},
                       std::move(done));
  return pending;
}

PendingAnswer<std::vector<ReadAnswer>> TestCluster::GetMany(uint64_t to,
                                                            std::vector<std::string> keys,
                                                            size_t bytes_max) {
  auto [pending, done] = NewPending<std::vector<ReadAnswer>>();
  node(to).host->GetMany(GroupId(kGroup), std::move(keys), bytes_max,
                         {.deadline = scheduler.Now() + std::chrono::seconds(5)}, std::move(done));
  return pending;
}

PendingAnswer<ReadAnswer> TestCluster::Get(uint64_t to, const std::string& key, Duration timeout) {
  auto [pending, done] = NewPending<ReadAnswer>();
  node(to).host->Get(GroupId(kGroup), key, {.deadline = scheduler.Now() + timeout},
                     std::move(done));
  return pending;
}

PendingAnswer<PageAnswer> TestCluster::ReadPage(uint64_t to, PageQuery query) {
  auto [pending, done] = NewPending<PageAnswer>();
  node(to).host->ReadPage(GroupId(kGroup), std::move(query),
                          {.deadline = scheduler.Now() + std::chrono::seconds(5)}, std::move(done));
  return pending;
}

std::vector<kv::v1::ReplicaStatus> TestCluster::Status(uint64_t of, bool checksum) {
  auto [pending, done] = NewPending<std::vector<kv::v1::ReplicaStatus>>();
  node(of).host->ListReplicas(checksum, std::move(done));
  auto answer = Await(pending);
  QUORATE_CHECK(answer.ok()) << answer.status().ToString();
  return *std::move(answer);
}

bool TestCluster::AwaitConvergence() {
  return scheduler.RunUntil([&] {
    std::set<std::pair<uint64_t, uint64_t>> applied;
    for (const auto& each : nodes_) {
      if (!each->up()) {
        continue;
      }
      const auto status = Status(each->id, false);
      if (status.empty() || status[0].applied_index() != status[0].last_index()) {
        return false;
      }
      applied.emplace(status[0].applied_index(), status[0].applied_hash());
    }
    return applied.size() == 1;
  });
}

kv::v1::RequestId MakeRequestId(char client, uint64_t sequence, uint64_t time_us) {
  kv::v1::RequestId id;
  id.set_client_id(std::string(16, client));
  id.set_sequence(sequence);
  id.set_cluster_time_us(time_us);
  return id;
}

}  // namespace quorate::testing
