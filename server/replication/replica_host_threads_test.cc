// One host on real event loops, with callers on threads of their own. Method: groups come and go
// while others write and read, and the host stops in the middle. Oracle: every call is answered
// exactly once and none after Stop, an answered write is read back, and the thread sanitizer.
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "rocksdb/env.h"
#include "server/replication/replica_host.h"
#include "server/runtime/mutex.h"
#include "server/runtime/production_runtime.h"
#include "server/storage/data_store.h"
#include "server/storage/log_store.h"
#include "server/storage/log_writer.h"

namespace quorate {
namespace {

constexpr int kGroups = 6;
constexpr int kLeavingGroup = 5;

// Every answer, counted; waits until a number of them is there.
class Answers {
 public:
  void Add() {
    MutexLock lock(&mutex_);
    ++count_;
    more_.NotifyAll();
  }
  void AwaitAtLeast(int count) {
    MutexLock lock(&mutex_);
    while (count_ < count) {
      more_.Wait(&mutex_);
    }
  }
  [[nodiscard]] int count() {
    MutexLock lock(&mutex_);
    return count_;
  }

 private:
  Mutex mutex_;
  CondVar more_;
  int count_ ABSL_GUARDED_BY(mutex_) = 0;
};

class ReplicaHostThreadsTest : public ::testing::Test {
 protected:
  ReplicaHostThreadsTest()
      : env_(rocksdb::NewMemEnv(rocksdb::Env::Default())), production_({.workers = 2}) {
    EXPECT_TRUE(env_->CreateDirIfMissing("/node").ok());
    StoreOptions options;
    options.env = env_.get();
    options.path = "/node/data";
    data_ = *DataStore::Open(options);
    options.path = "/node/log";
    log_ = *LogStore::Open(options);
    writer_ = LogWriter::Create(production_.runtime(), log_.get());
    ReplicaHost::Hooks hooks;
    hooks.send_raft = [](uint64_t, const std::vector<internal::v1::RaftMessage>&) {};
    hooks.leader_changed = [this](GroupId, uint64_t leader) {
      if (leader != 0) {
        elected_.Add();
      }
    };
    host_ = ReplicaHost::Create(production_.runtime(), {}, data_.get(), log_.get(), writer_.get(),
                                std::move(hooks));
  }
  ~ReplicaHostThreadsTest() override {
    host_->Stop();
    production_.Stop();
  }

  void SetReplicas(int groups, uint64_t first_incarnation) {
    std::vector<ReplicaSpec> specs;
    for (int i = 1; i <= groups; ++i) {
      ReplicaSpec spec;
      spec.group = GroupId(static_cast<uint64_t>(i));
      spec.self = ReplicaId(i == kLeavingGroup ? first_incarnation : static_cast<uint64_t>(i));
      spec.members = {{spec.self, 1}};
      specs.push_back(std::move(spec));
    }
    host_->SetReplicas(std::move(specs));
  }

  [[nodiscard]] MonotonicTime Deadline() const {
    return production_.runtime().clock->Now() + std::chrono::seconds(20);
  }

  // One write, and when it is done, a read of it by each path. `answers` gets two for it.
  void WriteThenRead(int group, int number, Answers* answers) {
    const GroupId id(static_cast<uint64_t>(group));
    const std::string key = "key" + std::to_string(number);
    internal::v1::Command command;
    command.mutable_put()->set_key(key);
    command.mutable_put()->set_value(key);
    host_->Write(id, std::move(command), {.deadline = Deadline()},
                 [this, id, key, answers](const absl::StatusOr<WriteAnswer>& written) {
                   EXPECT_FALSE(stopped_);
                   if (written.ok()) {
                     const auto read = host_->TryLeaseGet(id, key);
                     // Nothing only if the replica is being removed just now.
                     wrong_ += read && read->value != key ? 1 : 0;
                     ++written_;
                   }
                   host_->Get(id, key, {.deadline = Deadline()}, [this, answers](const auto&) {
                     EXPECT_FALSE(stopped_);
                     answers->Add();
                   });
                   answers->Add();
                 });
  }

  Answers elected_;
  std::unique_ptr<rocksdb::Env> env_;
  ProductionRuntime production_;
  std::unique_ptr<DataStore> data_;
  std::unique_ptr<LogStore> log_;
  std::unique_ptr<LogWriter> writer_;
  std::unique_ptr<ReplicaHost> host_;
  std::atomic<bool> stopped_{false};
  std::atomic<int> wrong_{0};
  std::atomic<int> written_{0};
};

TEST_F(ReplicaHostThreadsTest, EveryCallIsAnsweredOnceWhileReplicasComeAndGo) {
  constexpr int kCallers = 2;
  constexpr int kCalls = 1500;
  SetReplicas(kGroups, 1000);
  elected_.AwaitAtLeast(kGroups);
  Answers answers;
  {
    std::vector<std::unique_ptr<EventLoop>> callers;
    for (int caller = 0; caller < kCallers; ++caller) {
      callers.push_back(std::make_unique<EventLoop>("caller", production_.runtime().clock));
      callers.back()->Post([&, caller] {
        for (int i = 0; i < kCalls; ++i) {
          WriteThenRead(1 + i % kGroups, caller * kCalls + i, &answers);
          answers.AwaitAtLeast(2 * i - 200);  // bounds what is under way
        }
      });
    }
    for (uint64_t life = 1; life <= 10; ++life) {
      SetReplicas(kGroups, 1000 + life);
      host_->ListReplicas(true, [&](const auto&) { answers.Add(); });
    }
  }  // joins the callers
  answers.AwaitAtLeast(2 * kCallers * kCalls + 10);
  EXPECT_EQ(answers.count(), 2 * kCallers * kCalls + 10);
  EXPECT_EQ(wrong_, 0);
  EXPECT_GT(written_, 0);
}

TEST_F(ReplicaHostThreadsTest, StopInTheMiddleEndsAllCallsAndNothingComesAfter) {
  constexpr int kCalls = 2000;
  SetReplicas(kGroups, 1000);
  elected_.AwaitAtLeast(kGroups);
  Answers answers;
  EventLoop caller("caller", production_.runtime().clock);
  std::atomic<bool> called{false};
  caller.Post([&] {
    for (int i = 0; i < kCalls; ++i) {
      WriteThenRead(1 + i % kGroups, i, &answers);
    }
    called = true;
  });
  answers.AwaitAtLeast(kCalls / 4);
  caller.Stop();  // all calls are begun, most are not answered
  host_->Stop();
  stopped_ = true;
  EXPECT_TRUE(called);
  EXPECT_EQ(answers.count(), 2 * kCalls);
}

}  // namespace
}  // namespace quorate
