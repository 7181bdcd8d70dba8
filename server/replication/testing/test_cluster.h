// Nodes that hold replicas, wired by direct calls, on virtual time: everything below the services
// but the network.
#ifndef SERVER_REPLICATION_TESTING_TEST_CLUSTER_H_
#define SERVER_REPLICATION_TESTING_TEST_CLUSTER_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "rocksdb/env.h"
#include "server/replication/quiet_watch.h"
#include "server/replication/replica_host.h"
#include "server/replication/testing/manual_loops.h"
#include "server/storage/data_store.h"
#include "server/storage/log_store.h"
#include "server/storage/log_writer.h"

namespace quorate::testing {

// Counts what it applies; refuses to drop a keyspace named "refused".
class FakeCluster final : public ClusterApplier {
 public:
  absl::Status ApplyCluster(const internal::v1::ClusterCommand& command,
                            std::string* new_state) override;
  void RestoreCluster(const std::string& state) override { state_ = state; }

  [[nodiscard]] const std::string& state() const { return state_; }

 private:
  std::string state_;
};

// A log writer whose writes can fail, or wait, from some moment on.
class FailingLogWriter final : public LogWriter {
 public:
  FailingLogWriter(const Runtime& runtime, LogStore* store)
      : loop_(runtime.log_writer), real_(LogWriter::Create(runtime, store)) {}

  void Submit(std::vector<LogAppend> appends,
              absl::AnyInvocable<void(absl::Status)> durable) override;
  [[nodiscard]] std::optional<MonotonicTime> OldestPending() const override {
    return real_->OldestPending();
  }
  [[nodiscard]] uint64_t DurableBatch() const override { return real_->DurableBatch(); }

  // What is submitted from now on waits for Release, as if a write were under way.
  void Hold() { holds_ = true; }
  void Release();

  bool fails = false;

 private:
  struct HeldTurn {
    std::vector<LogAppend> appends;
    absl::AnyInvocable<void(absl::Status)> durable;
  };

  Executor* const loop_;
  const std::unique_ptr<LogWriter> real_;
  bool holds_ = false;
  std::vector<HeldTurn> held_;
};

// A node's clock: the scheduler's, which stands still within a task, save for one jump.
class NodeClock final : public Clock {
 public:
  explicit NodeClock(const ManualScheduler* scheduler) : scheduler_(scheduler) {}

  [[nodiscard]] MonotonicTime Now() const override {
    const MonotonicTime now = scheduler_->Now() + ahead_;
    ahead_ += std::exchange(jump_, Duration(0));
    return now;
  }
  [[nodiscard]] WallMicros WallNow() const override { return scheduler_->WallNow(); }
  // That much passes after the next look: the process is stopped there.
  void JumpAfterNextLook(Duration jump) { jump_ = jump; }

 private:
  const ManualScheduler* const scheduler_;
  mutable Duration ahead_{0};
  mutable Duration jump_{0};
};

class TestNode {
 public:
  TestNode(uint64_t id, ManualScheduler* scheduler, const ReplicaHost::Options& options,
           std::function<void(uint64_t to, std::vector<internal::v1::RaftMessage>)> send,
           std::function<void(uint64_t to, internal::v1::SnapshotMessage)> send_snapshot);
  ~TestNode() { Stop(); }

  // Opens the stores and the host; again after Stop.
  void Start();
  void Stop();
  [[nodiscard]] bool up() const { return host != nullptr; }
  // While down: as if the data store had never flushed anything.
  void LoseData();
  // While down: the files of its log, and as if the log were what it was when they were taken.
  [[nodiscard]] std::map<std::string, std::string> CopyLog() const;
  void RestoreLog(const std::map<std::string, std::string>& files);
  // While down: turns a bit of a record.
  void DamageLogEntry(GroupId group, raft::LogIndex index);
  void DamageValue(ReplicaId replica, const std::string& key);
  void SetReplicas(std::vector<ReplicaSpec> specs) {
    specs_ = specs;
    host->SetReplicas(std::move(specs));
  }

  const uint64_t id;
  FakeCluster cluster;
  std::unique_ptr<DataStore> data;
  std::unique_ptr<LogStore> log;
  std::unique_ptr<FailingLogWriter> writer;
  std::unique_ptr<ReplicaHost> host;
  std::unique_ptr<QuietWatch> watch;
  uint64_t boot = 0;
  // ReplicaHost::Options of the next Start.
  uint64_t power_losses = 0;
  ManualLoop* log_loop = nullptr;
  ManualLoop* apply_loop = nullptr;
  NodeClock clock;
  absl::Status poison;
  // What was last told of a membership as wished for.
  uint64_t settled_epoch = 0;
  std::vector<ReplicaId> settled_voters;
  // Of all lives.
  const std::shared_ptr<MetricsRegistry> metrics = std::make_shared<MetricsRegistry>();

 private:
  ManualLoop* NewLoop();
  void Damage(const std::string& store, const std::string& record);

  ManualScheduler* const scheduler_;
  const ReplicaHost::Options options_;
  const std::function<void(uint64_t, std::vector<internal::v1::RaftMessage>)> send_;
  const std::function<void(uint64_t, internal::v1::SnapshotMessage)> send_snapshot_;
  std::unique_ptr<rocksdb::Env> env_;
  std::vector<std::unique_ptr<ManualLoop>> loops_;  // of all lives
  std::vector<ReplicaSpec> specs_;
};

// A call's answer, once it is there, and when it came.
template <class T>
struct Pending {
  std::optional<absl::StatusOr<T>> answer;
  MonotonicTime at;
};
template <class T>
using PendingAnswer = std::shared_ptr<Pending<T>>;

struct PutArguments {
  std::string key;
  std::string value;
  std::optional<kv::v1::RequestId> id{};
  kv::v1::Condition condition{};
  Duration timeout = std::chrono::seconds(5);
};

class TestCluster {
 public:
  static constexpr uint64_t kGroup = 7;

  explicit TestCluster(size_t nodes, const ReplicaHost::Options& options = {});

  // Group kGroup with one replica on each node; node n holds incarnation 100 + n. The first node
  // is where leadership is wanted.
  [[nodiscard]] ReplicaSpec SpecOf(uint64_t node, uint64_t first_incarnation = 100) const;
  // SetReplicas on all nodes, and runs until a leader serves.
  void Begin();

  [[nodiscard]] TestNode& node(uint64_t id) { return *nodes_.at(id - 1); }
  [[nodiscard]] size_t size() const { return nodes_.size(); }
  // The only node that takes itself for the leader; 0: none, or several.
  [[nodiscard]] uint64_t Leader();
  // Runs until a leader other than `not_this` has a lease, or is quiet. Returns it.
  uint64_t AwaitLeader(uint64_t not_this = 0);
  // Cuts a node off from all others, or heals it.
  void Isolate(uint64_t id) { isolated_.insert(id); }
  void Heal(uint64_t id) { isolated_.erase(id); }

  PendingAnswer<WriteAnswer> Put(uint64_t node, PutArguments arguments);
  PendingAnswer<WriteAnswer> Delete(uint64_t node, const std::string& key);
  PendingAnswer<WriteAnswer> Write(uint64_t node, internal::v1::Command command,
                                   Duration timeout = std::chrono::seconds(5));
  PendingAnswer<ReadAnswer> Get(uint64_t node, const std::string& key,
                                Duration timeout = std::chrono::seconds(5));
  PendingAnswer<std::vector<ReadAnswer>> GetMany(uint64_t node, std::vector<std::string> keys,
                                                 size_t bytes_max = size_t{1} << 20);
  PendingAnswer<PageAnswer> ReadPage(uint64_t node, PageQuery query);
  std::vector<kv::v1::ReplicaStatus> Status(uint64_t node, bool checksum);

  // Runs until the answer is there and returns it.
  template <class T>
  absl::StatusOr<T> Await(const PendingAnswer<T>& pending) {
    if (!scheduler.RunUntil([&] { return pending->answer.has_value(); })) {
      return absl::InternalError("no answer in a minute");
    }
    return *pending->answer;
  }
  // Runs until all nodes that are up have applied the same entries.
  bool AwaitConvergence();

  // Raft messages sent so far, by any node.
  [[nodiscard]] uint64_t MessagesSent() const { return messages_sent_; }
  // Called with each of them as it is sent.
  std::function<void(const internal::v1::RaftMessage&)> on_message;

  ManualScheduler scheduler;

 private:
  // It holds a lease, or leads quietly.
  static bool Leads(TestNode& node);
  // Node heartbeats, as far as quiet groups need them: twice a second.
  void Beat();
  void Send(uint64_t from, uint64_t to, std::vector<internal::v1::RaftMessage> messages);
  void SendSnapshot(uint64_t from, uint64_t to, internal::v1::SnapshotMessage message);
  template <class T>
  std::pair<PendingAnswer<T>, Callback<T>> NewPending();

  ManualLoop network_{&scheduler};
  std::set<uint64_t> isolated_;
  uint64_t messages_sent_ = 0;
  std::vector<std::unique_ptr<TestNode>> nodes_;
};

kv::v1::RequestId MakeRequestId(char client, uint64_t sequence, uint64_t time_us);

}  // namespace quorate::testing

#endif  // SERVER_REPLICATION_TESTING_TEST_CLUSTER_H_
