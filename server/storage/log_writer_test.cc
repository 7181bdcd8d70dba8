#include "server/storage/log_writer.h"

#include <gtest/gtest.h>
#include <rocksdb/env.h>

#include <deque>
#include <map>

#include "server/runtime/clock.h"
#include "server/runtime/event_loop.h"
#include "server/runtime/mutex.h"
#include "server/storage/faulty_file_system.h"
#include "server/storage/log_store.h"
#include "server/storage/test_folder.h"

namespace quorate {
namespace {

class FakeClock final : public Clock {
 public:
  [[nodiscard]] MonotonicTime Now() const override { return now; }
  [[nodiscard]] WallMicros WallNow() const override { return 0; }
  MonotonicTime now;
};

// Runs a task when told to, and timers when their time has come.
class ManualExecutor final : public Executor {
 public:
  bool Post(Task task) override {
    tasks_.push_back(std::move(task));
    return true;
  }
  TimerId PostAt(MonotonicTime when, Task task) override {
    timers_.emplace(when, std::move(task));
    return 0;
  }
  bool Cancel(TimerId /*timer*/) override { return false; }
  [[nodiscard]] size_t QueueLength() const override { return tasks_.size(); }
  [[nodiscard]] bool IsCurrent() const override { return false; }

  bool RunOne() {
    if (tasks_.empty()) return false;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    task();
    return true;
  }
  void RunTimers(MonotonicTime now) {
    while (!timers_.empty() && timers_.begin()->first <= now) {
      timers_.extract(timers_.begin()).mapped()();
    }
  }
  [[nodiscard]] size_t timers() const { return timers_.size(); }

 private:
  std::deque<Task> tasks_;
  std::multimap<MonotonicTime, Task> timers_;
};

class LogWriterTest : public testing::Test {
 protected:
  LogWriterTest()
      : faulty_(std::make_shared<FaultyFileSystem>()), env_(rocksdb::NewCompositeEnv(faulty_)) {
    store_ = LogStore::Open({.path = folder_.Sub("log"), .env = env_.get()}).value();
    log_ = store_->OpenGroup(GroupId(1), ReplicaId(1), {}).value();
    runtime_.clock = &clock_;
    runtime_.log_writer = &executor_;
    writer_ = LogWriter::Create(runtime_, store_.get());
  }

  void Submit(uint64_t index) { SubmitEntry(index, /*sync=*/true); }
  void SubmitUnsynced(uint64_t index) { SubmitEntry(index, /*sync=*/false); }
  void SubmitEntry(uint64_t index, bool sync) { SubmitEntry(GroupId(1), index, sync, index); }
  void SubmitEntry(GroupId group, uint64_t index, bool sync, uint64_t name) {
    LogAppend append{.group = group, .hard_state = std::nullopt, .entries = {}, .sync = sync};
    append.entries.push_back({.term = raft::Term(1),
                              .index = raft::LogIndex(index),
                              .kind = raft::EntryKind::kNoop,
                              .payload = nullptr});
    std::vector<LogAppend> appends;
    appends.push_back(std::move(append));
    Submit(std::move(appends), name);
  }
  void Submit(std::vector<LogAppend> appends, uint64_t name) {
    writer_->Submit(std::move(appends), [this, name](const absl::Status& status) {
      (status.ok() ? durable_ : failed_).push_back(name);
      last_at_callback_ = log_->LastIndex().value();
    });
  }
  [[nodiscard]] MonotonicTime At(int milliseconds) const {
    return MonotonicTime(std::chrono::milliseconds(milliseconds));
  }
  // How many times the log is synced by what happens at that time.
  template <class Act>
  int SyncsAt(int milliseconds, const Act& act) {
    const int before = faulty_->log_syncs();
    clock_.now = At(milliseconds);
    executor_.RunTimers(clock_.now);
    act();
    while (executor_.RunOne()) {
    }
    return faulty_->log_syncs() - before;
  }
  int SyncsAt(int milliseconds) {
    return SyncsAt(milliseconds, [] {});
  }

  TestFolder folder_;
  std::shared_ptr<FaultyFileSystem> faulty_;
  std::unique_ptr<rocksdb::Env> env_;
  FakeClock clock_;
  ManualExecutor executor_;
  Runtime runtime_;
  std::unique_ptr<LogStore> store_;
  std::shared_ptr<GroupLog> log_;
  std::unique_ptr<LogWriter> writer_;
  std::vector<uint64_t> durable_;
  std::vector<uint64_t> failed_;
  uint64_t last_at_callback_ = 0;
};

TEST_F(LogWriterTest, MergesAllWaitingTurnsIntoOneSyncInOrder) {
  for (uint64_t index = 1; index <= 10; ++index) Submit(index);
  EXPECT_TRUE(durable_.empty()) << "nothing is durable before the sync";
  const int syncs = faulty_->log_syncs();
  EXPECT_TRUE(executor_.RunOne());
  EXPECT_EQ(faulty_->log_syncs(), syncs + 1);
  EXPECT_EQ(durable_, (std::vector<uint64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
  EXPECT_EQ(last_at_callback_, 10u) << "the log shows the entries before the callback";
  EXPECT_EQ(writer_->DurableBatch(), 1u);
  EXPECT_FALSE(executor_.RunOne());
}

// Another group's turn comes while the first is being synced: that sync says nothing of it.
TEST_F(LogWriterTest, WhatComesDuringASyncWaitsForTheNext) {
  const auto other = store_->OpenGroup(GroupId(2), ReplicaId(2), {}).value();
  Submit(1);
  faulty_->DuringNextLogSync([this] { SubmitEntry(GroupId(2), 1, /*sync=*/true, /*name=*/21); });
  const int syncs = faulty_->log_syncs();
  EXPECT_TRUE(executor_.RunOne());
  EXPECT_EQ(durable_, (std::vector<uint64_t>{1}));
  EXPECT_TRUE(other->LastIndex().IsZero());
  EXPECT_TRUE(executor_.RunOne());
  EXPECT_EQ(durable_, (std::vector<uint64_t>{1, 21}));
  EXPECT_EQ(other->LastIndex(), raft::LogIndex(1));
  EXPECT_EQ(faulty_->log_syncs(), syncs + 2);
}

// Method: turns that ask for no fsync, alone and beside one that does. Oracle: the disk is asked
// for one fsync in all, and the batch number, which peers hold against this node, counts that one
// only.
TEST_F(LogWriterTest, OnlyWhoAsksForIsSyncedAndCounted) {
  Submit(1);
  executor_.RunOne();
  const int syncs = faulty_->log_syncs();
  SubmitUnsynced(2);
  SubmitUnsynced(3);
  executor_.RunOne();
  EXPECT_EQ(durable_, (std::vector<uint64_t>{1, 2, 3}));
  EXPECT_EQ(faulty_->log_syncs(), syncs);
  EXPECT_EQ(writer_->DurableBatch(), 1u);
  SubmitUnsynced(4);
  Submit(5);
  SubmitUnsynced(6);
  executor_.RunOne();
  EXPECT_EQ(faulty_->log_syncs(), syncs + 1);
  EXPECT_EQ(writer_->DurableBatch(), 2u);
  EXPECT_EQ(log_->LastIndex(), raft::LogIndex(6));
}

// Method: writes that ask for no fsync, and the clock. Oracle: the log is synced when the bound has
// passed since the first of them that nothing has synced yet, and not before; that counts as a
// batch; then all is on the disk; and nothing ticks where nothing is unsynced.
TEST_F(LogWriterTest, WhatAskedForNoSyncGetsOneInASecond) {
  EXPECT_EQ(SyncsAt(0, [&] { Submit(1); }), 1);
  EXPECT_EQ(executor_.timers(), 0u);
  EXPECT_EQ(SyncsAt(100, [&] { SubmitUnsynced(2); }), 0);
  EXPECT_EQ(SyncsAt(600, [&] { SubmitUnsynced(3); }), 0);
  EXPECT_EQ(executor_.timers(), 1u);
  EXPECT_EQ(SyncsAt(1099), 0);
  EXPECT_EQ(SyncsAt(1100), 1);
  EXPECT_EQ(writer_->DurableBatch(), 2u);
  EXPECT_EQ(executor_.timers(), 0u);

  EXPECT_EQ(SyncsAt(2000, [&] { SubmitUnsynced(4); }), 0);
  EXPECT_EQ(SyncsAt(2200, [&] { Submit(5); }), 1);
  EXPECT_EQ(SyncsAt(2500, [&] { SubmitUnsynced(6); }), 0);
  EXPECT_EQ(SyncsAt(3000), 0) << "4 was synced with 5";
  EXPECT_EQ(SyncsAt(3499), 0);
  EXPECT_EQ(SyncsAt(3500), 1);
  EXPECT_EQ(executor_.timers(), 0u);

  faulty_->CutPower();
  log_.reset();
  store_.reset();
  store_ = LogStore::Open({.path = folder_.Sub("log")}).value();
  EXPECT_EQ(store_->OpenGroup(GroupId(1), ReplicaId(1), {}).value()->LastIndex(),
            raft::LogIndex(6));
}

TEST_F(LogWriterTest, SyncBehindTheBackThatFailsPoisonsToo) {
  EXPECT_EQ(SyncsAt(0, [&] { SubmitUnsynced(1); }), 0);
  faulty_->FailSyncs();
  SyncsAt(1000);
  EXPECT_EQ(faulty_->failed_syncs(), 1);
  EXPECT_FALSE(store_->Health().ok());
  SyncsAt(2000, [&] { SubmitUnsynced(2); });
  SyncsAt(9000);
  EXPECT_EQ(durable_, (std::vector<uint64_t>{1}));
  EXPECT_EQ(failed_, (std::vector<uint64_t>{2}));
  EXPECT_EQ(faulty_->failed_syncs(), 1) << "a failed fsync is never tried again";
  EXPECT_EQ(executor_.timers(), 0u);
}

TEST_F(LogWriterTest, TurnWithoutAppendsWaitsForThoseBefore) {
  Submit(1);
  Submit({}, 77);
  executor_.RunOne();
  EXPECT_EQ(durable_, (std::vector<uint64_t>{1, 77}));
  Submit({}, 78);
  executor_.RunOne();
  EXPECT_EQ(durable_.back(), 78u);
  EXPECT_EQ(writer_->DurableBatch(), 1u);
}

TEST_F(LogWriterTest, OldestPendingIsTheFirstNotYetDurable) {
  EXPECT_EQ(writer_->OldestPending(), std::nullopt);
  clock_.now = At(5);
  Submit(1);
  clock_.now = At(9);
  Submit(2);
  EXPECT_EQ(writer_->OldestPending(), At(5));
  executor_.RunOne();
  EXPECT_EQ(writer_->OldestPending(), std::nullopt);
}

TEST_F(LogWriterTest, SubmitFromACallbackGoesIntoTheNextWrite) {
  writer_->Submit({}, [this](const absl::Status&) { Submit(1); });
  executor_.RunOne();
  EXPECT_TRUE(durable_.empty());
  EXPECT_TRUE(writer_->OldestPending().has_value());
  executor_.RunOne();
  EXPECT_EQ(durable_, (std::vector<uint64_t>{1}));
}

TEST_F(LogWriterTest, FailedSyncPoisonsAllLaterTurns) {
  Submit(1);
  executor_.RunOne();
  faulty_->FailSyncs();
  Submit(2);
  Submit(3);
  executor_.RunOne();
  EXPECT_EQ(failed_, (std::vector<uint64_t>{2, 3}));
  const int tried = faulty_->failed_syncs();
  Submit(4);
  Submit({}, 5);
  executor_.RunOne();
  EXPECT_EQ(failed_, (std::vector<uint64_t>{2, 3, 4, 5}));
  EXPECT_EQ(faulty_->failed_syncs(), tried);
  EXPECT_EQ(durable_, (std::vector<uint64_t>{1}));
}

TEST_F(LogWriterTest, WorksFromManyThreadsOnARealLoop) {
  KernelClock clock;
  Mutex mutex;
  std::vector<int> order;
  {
    EventLoop loop("log", &clock);
    runtime_.clock = &clock;
    runtime_.log_writer = &loop;
    const auto writer = LogWriter::Create(runtime_, store_.get());
    std::vector<std::thread> threads;
    for (uint64_t group = 10; group < 14; ++group) {
      ASSERT_TRUE(store_->OpenGroup(GroupId(group), ReplicaId(group), {}).ok());
      threads.emplace_back([&, group] {
        for (uint64_t index = 1; index <= 50; ++index) {
          std::vector<LogAppend> appends(1);
          appends[0].group = GroupId(group);
          appends[0].entries.push_back({.term = raft::Term(1),
                                        .index = raft::LogIndex(index),
                                        .kind = raft::EntryKind::kNoop,
                                        .payload = nullptr});
          writer->Submit(std::move(appends), [&](const absl::Status& status) {
            const MutexLock lock(&mutex);
            order.push_back(status.ok() ? 1 : 0);
          });
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    while (writer->OldestPending().has_value()) std::this_thread::yield();
    loop.Stop();
  }
  EXPECT_EQ(order, std::vector<int>(200, 1));
}

}  // namespace
}  // namespace quorate
