// RocksDB on the simulated environment.
//
// Method: one thread writes numbered random batches, some synced, while flushes and compactions run
// at moments drawn from the seed; the process ends by Close or by a crash, and the next one opens.
// Oracle: what is read back equals the state after some whole number of batches, not fewer than
// were synced. The same seed in two processes must hash all events alike.
#include "tests/sim/sim_env.h"

#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/determinism.h"
#include "tests/sim/sim_runtime.h"

namespace quorate::sim {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

using State = std::map<std::string, std::string>;
using Batch = std::vector<std::pair<std::string, std::optional<std::string>>>;

void ApplyTo(State& state, const Batch& batch) {
  for (const auto& [key, value] : batch) {
    if (value) {
      state[key] = *value;
    } else {
      state.erase(key);
    }
  }
}

class Store {
 public:
  explicit Store(SimRuntime* machine) : machine_(machine) {}

  void Open() {
    rocksdb::Options options;
    options.create_if_missing = true;
    options.write_buffer_size = size_t{64} << 10;
    options.target_file_size_base = size_t{64} << 10;
    options.max_bytes_for_level_base = size_t{256} << 10;
    ApplySimOptions(&options, machine_->runtime().env);
    rocksdb::DB* db = nullptr;
    const rocksdb::Status status = rocksdb::DB::Open(options, "/data/db", &db);
    ASSERT_TRUE(status.ok()) << status.ToString();
    db_.reset(db);
    // RocksDB does not sync the name of its own directory.
    std::unique_ptr<rocksdb::Directory> parent;
    ASSERT_TRUE(machine_->runtime().env->NewDirectory("/data", &parent).ok());
    ASSERT_TRUE(parent->Fsync().ok());
  }

  rocksdb::Status Write(const Batch& batch, bool sync, bool wal = true) {
    rocksdb::WriteBatch updates;
    for (const auto& [key, value] : batch) {
      if (value) {
        updates.Put(key, *value);
      } else {
        updates.Delete(key);
      }
    }
    rocksdb::WriteOptions options;
    options.sync = sync;
    options.disableWAL = !wal;
    return db_->Write(options, &updates);
  }

  State ReadAll() {
    State state;
    const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(rocksdb::ReadOptions()));
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      state[it->key().ToString()] = it->value().ToString();
    }
    EXPECT_TRUE(it->status().ok()) << it->status().ToString();
    return state;
  }

  rocksdb::DB& db() { return *db_; }
  void Close() { db_.reset(); }

 private:
  SimRuntime* const machine_;
  std::unique_ptr<rocksdb::DB> db_;
};

class SimEnvTest : public ::testing::Test {
 protected:
  explicit SimEnvTest(uint64_t seed = 1) : scheduler_(seed) {}

  SimScheduler scheduler_;
  SimNetwork network_{&scheduler_};
  SimRuntime machine_{&scheduler_, &network_, {.node = 0, .address = "n0"}};
  Store store_{&machine_};
};

TEST_F(SimEnvTest, SyncedWritesSurviveAndUnsyncedAreLost) {
  store_.Open();
  ASSERT_TRUE(store_.Write({{"a", "synced"}}, /*sync=*/true).ok());
  ASSERT_TRUE(store_.Write({{"b", "not"}}, /*sync=*/false).ok());
  machine_.Crash(CrashKind::kPowerLossWorst);
  store_.Close();
  machine_.Restart();
  store_.Open();
  EXPECT_EQ(store_.ReadAll(), (State{{"a", "synced"}}));
  store_.Close();
}

TEST_F(SimEnvTest, LyingSyncLosesAcknowledgedWrites) {
  store_.Open();
  machine_.disk().SetLyingSyncs(true);
  ASSERT_TRUE(store_.Write({{"a", "acknowledged"}}, /*sync=*/true).ok());
  machine_.Crash(CrashKind::kPowerLossWorst);
  store_.Close();
  machine_.Restart();
  store_.Open();
  EXPECT_TRUE(store_.ReadAll().empty());
  store_.Close();
}

TEST_F(SimEnvTest, FailedSyncFailsTheWrite) {
  store_.Open();
  machine_.disk().FailSyncs(1);
  EXPECT_FALSE(store_.Write({{"a", "1"}}, /*sync=*/true).ok());
  store_.Close();
}

// The test itself would hang if a wait did not run the jobs it waits for.
TEST_F(SimEnvTest, CallsThatWaitForJobsEnd) {
  store_.Open();
  ASSERT_TRUE(store_.Write({{"a", "1"}}, /*sync=*/false, /*wal=*/false).ok());
  ASSERT_TRUE(store_.db().Flush(rocksdb::FlushOptions()).ok());
  ASSERT_TRUE(store_.Write({{"b", "2"}}, /*sync=*/false, /*wal=*/false).ok());
  ASSERT_TRUE(store_.db().CompactRange(rocksdb::CompactRangeOptions(), nullptr, nullptr).ok());
  // Close flushes what has no WAL.
  ASSERT_TRUE(store_.Write({{"c", "3"}}, /*sync=*/false, /*wal=*/false).ok());
  store_.Close();
  machine_.Crash(CrashKind::kPowerLossWorst);
  machine_.Restart();
  store_.Open();
  EXPECT_EQ(store_.ReadAll(), (State{{"a", "1"}, {"b", "2"}, {"c", "3"}}));
  store_.Close();
}

TEST_F(SimEnvTest, DeadDatabaseTouchesNothing) {
  store_.Open();
  for (int i = 0; i < 200; ++i) {
    const bool wal = i % 3 != 0;
    ASSERT_TRUE(
        store_.Write({{std::to_string(i), std::string(1000, 'x')}}, wal && i % 10 == 0, wal).ok());
  }
  EXPECT_GT(machine_.env().queued_jobs(), 0u);
  machine_.Crash(CrashKind::kPowerLoss);
  const std::vector<std::string> paths = machine_.disk().Paths();
  const uint64_t written = machine_.disk().counts().bytes_written;
  machine_.Restart();
  Store next(&machine_);
  store_.Close();  // flushes what has no WAL, or tries to
  EXPECT_EQ(machine_.disk().Paths(), paths);
  EXPECT_EQ(machine_.disk().counts().bytes_written, written);
  next.Open();
  next.Close();
}

TEST_F(SimEnvTest, JobsRunByThemselves) {
  store_.Open();
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(store_.Write({{std::to_string(i), std::string(1000, 'x')}}, false).ok());
  }
  ASSERT_GT(machine_.env().queued_jobs(), 0u);
  machine_.Pause();
  scheduler_.RunFor(seconds(1));
  EXPECT_EQ(machine_.env().jobs_run(), 0u);
  machine_.Resume();
  scheduler_.RunFor(seconds(1));
  EXPECT_EQ(machine_.env().queued_jobs(), 0u);
  EXPECT_GT(machine_.env().jobs_run(), 0u);
  store_.Close();
}

// --- Four lives ---

class Lives {
 public:
  explicit Lives(uint64_t seed) : scheduler_(seed), random_(scheduler_.ForkRandom()) {}

  void Run(int lives, uint64_t batches_each) {
    for (int life = 0; life < lives; ++life) {
      store_.Open();
      if (::testing::Test::HasFatalFailure()) return;
      Verify();
      if (::testing::Test::HasFailure()) return;
      WriteBatches(batches_each);
      End(life);
    }
  }

  SimScheduler& scheduler() { return scheduler_; }
  SimRuntime& machine() { return machine_; }
  [[nodiscard]] uint64_t jobs_run() const { return jobs_run_; }
  [[nodiscard]] uint64_t batches() const { return batches_; }

 private:
  Batch RandomBatch() {
    Batch batch;
    // Tells later whether this batch is there.
    batch.emplace_back("batch" + std::to_string(++batches_), "");
    for (uint64_t n = 1 + UniformBelow(random_, 6); n > 0; --n) {
      std::string key = "k" + std::to_string(UniformBelow(random_, 5000));
      if (Chance(random_, 0.1)) {
        batch.emplace_back(std::move(key), std::nullopt);
      } else {
        batch.emplace_back(std::move(key), std::string(1 + UniformBelow(random_, 150), 'v'));
      }
    }
    return batch;
  }

  void WriteBatches(uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) {
      Batch batch = RandomBatch();
      const bool sync = Chance(random_, 0.05);
      const rocksdb::Status status = store_.Write(batch, sync);
      ASSERT_TRUE(status.ok()) << status.ToString();
      since_sync_.push_back(std::move(batch));
      if (sync) {
        for (const Batch& synced : since_sync_) ApplyTo(synced_, synced);
        since_sync_.clear();
      }
      scheduler_.RunFor(UniformDuration(random_, microseconds(1), microseconds(100)));
    }
  }

  void End(int life) {
    if (life % 2 == 0) {
      machine_.Crash(life % 4 == 0 ? CrashKind::kPowerLoss : CrashKind::kProcess);
      jobs_run_ += machine_.env().jobs_run();
      store_.Close();
      machine_.Restart();
    } else {
      store_.Close();
    }
  }

  // Brings the model to where the disk is, and compares. Of the batches after the last sync any may
  // be missing: RocksDB takes a write-ahead log whose unsynced tail vanished for complete, and goes
  // on with what is left of the next one.
  void Verify() {
    const State found = store_.ReadAll();
    for (const Batch& batch : since_sync_) {
      if (found.contains(batch.front().first)) ApplyTo(synced_, batch);
    }
    since_sync_.clear();
    EXPECT_TRUE(found == synced_) << "after " << batches_ << " batches";
  }

  SimScheduler scheduler_;
  SeededRandom random_;
  SimNetwork network_{&scheduler_};
  SimRuntime machine_{&scheduler_, &network_, {.node = 0, .address = "n0"}};
  Store store_{&machine_};
  State synced_;
  std::vector<Batch> since_sync_;
  uint64_t batches_ = 0;
  uint64_t jobs_run_ = 0;
};

TEST(RocksDbLivesTest, RecoversWholeBatchesAndAllSynced) {
  Lives lives(SeedFromEnvironment(/*otherwise=*/1));
  lives.Run(/*lives=*/4, /*batches_each=*/5000);
  EXPECT_GT(lives.jobs_run(), 20u);
  const DiskCounts& counts = lives.machine().disk().counts();
  std::printf("hash=%016llx events=%llu writes=%llu syncs=%llu jobs=%llu\n",
              static_cast<unsigned long long>(lives.scheduler().hash()),
              static_cast<unsigned long long>(lives.scheduler().events()),
              static_cast<unsigned long long>(counts.writes),
              static_cast<unsigned long long>(counts.syncs),
              static_cast<unsigned long long>(lives.jobs_run()));
}

TEST(RocksDbLivesTest, ManySmallLivesOfManySeeds) {
  for (uint64_t seed = 100; seed < 120; ++seed) {
    SCOPED_TRACE(seed);
    Lives lives(seed);
    lives.Run(/*lives=*/6, /*batches_each=*/40);
    ASSERT_FALSE(HasFailure());
  }
}

TEST(RocksDbLivesTest, SameSeedGivesTheSameEventsInTwoProcesses) {
  if (!AddressesAreDeterministic()) {
    GTEST_SKIP() << "address randomisation cannot be switched off here";
  }
  const auto hash_of = [](uint64_t seed) {
    return LineOfOwnProcess("RocksDbLivesTest.RecoversWholeBatchesAndAllSynced", seed, "hash=");
  };
  const std::string first = hash_of(7);
  EXPECT_FALSE(first.empty());
  EXPECT_EQ(first, hash_of(7));
  EXPECT_NE(first, hash_of(8));
}

}  // namespace
}  // namespace quorate::sim
