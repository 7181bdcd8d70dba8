// The log on a disk that fills up or fails: what was acknowledged is there, what was refused is
// not, and what may be lost is said to be.
#include <gtest/gtest.h>
#include <rocksdb/env.h>

#include <memory>
#include <string>
#include <vector>

#include "server/storage/faulty_file_system.h"
#include "server/storage/log_store.h"
#include "server/storage/test_folder.h"

namespace quorate {
namespace {

constexpr ReplicaId kHolder{7};
constexpr GroupId kFilling{3};

LogAppend EntryAppend(uint64_t index) {
  return {.group = kFilling,
          .hard_state = std::nullopt,
          .entries = {{.term = raft::Term(1),
                       .index = raft::LogIndex(index),
                       .kind = raft::EntryKind::kCommand,
                       .payload = std::make_shared<const std::string>("payload")}}};
}

absl::StatusOr<std::shared_ptr<GroupLog>> OpenLogOf(LogStore& store) {
  return store.OpenGroup(kFilling, kHolder, {.voters = {kHolder}, .outgoing = {}, .learners = {}});
}

absl::Status WriteEntry(LogStore& store, uint64_t index) {
  const std::vector<LogAppend> appends = {EntryAppend(index)};
  return store.Append(appends);
}

// Method: the disk fills up in the middle of an entry, is given space again, and the store is
// opened anew, for every number of bytes that may still have fitted. Oracle: the write is refused,
// and so is every later one, space or not, until the store is opened again; then the log has what
// was acknowledged, nothing of what was refused, and goes on.
class DiskFaultsTest : public ::testing::TestWithParam<uint64_t> {};

TEST_P(DiskFaultsTest, full_disk_refuses_then_recovers) {
  const TestFolder folder;
  const auto disk = std::make_shared<FaultyFileSystem>();
  const std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(disk);
  const StoreOptions options{.path = folder.Sub("log"), .env = env.get()};
  {
    auto store = LogStore::Open(options);
    ASSERT_TRUE(store.ok()) << store.status();
    const auto log = OpenLogOf(**store);
    ASSERT_TRUE(log.ok() && WriteEntry(**store, 1).ok());
    disk->SetSpace(GetParam());
    const absl::Status refused = WriteEntry(**store, 2);
    EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable) << refused;
    EXPECT_EQ((*log)->LastIndex(), raft::LogIndex(1)) << "nothing that was refused is shown";
    disk->SetSpace(FaultyFileSystem::kEndless);
    EXPECT_EQ(WriteEntry(**store, 2), refused) << "what the disk holds is not known any more";
    EXPECT_EQ((*store)->Health(), refused);
  }
  auto store = LogStore::Open(options);
  ASSERT_TRUE(store.ok()) << store.status();
  const auto log = OpenLogOf(**store);
  ASSERT_TRUE(log.ok()) << log.status();
  EXPECT_EQ((*log)->LastIndex(), raft::LogIndex(1));
  EXPECT_TRUE(WriteEntry(**store, 2).ok());
  EXPECT_EQ((*log)->LastIndex(), raft::LogIndex(2));
}

INSTANTIATE_TEST_SUITE_P(BytesThatFit, DiskFaultsTest, ::testing::Values(0, 1, 7, 20, 60));

// Method: entry 1 is synced and 2 is not; then the disk fails in one way or another, and the store
// is opened anew on the same boot of the machine. Oracle: where 2 may be lost that is told, at each
// start until it is dealt with, and else it is not: nobody is taken for damaged without need.
class LostWritesTest : public ::testing::Test {
 protected:
  LostWritesTest() {
    Open();
    EXPECT_TRUE(WriteEntry(*store_, 1).ok());
    LogAppend unsynced = EntryAppend(2);
    unsynced.sync = false;
    EXPECT_TRUE(store_->Append({&unsynced, 1}).ok());
    EXPECT_TRUE(store_->HasUnsynced());
  }
  void Open() {
    log_.reset();
    store_.reset();
    disk_ = std::make_shared<FaultyFileSystem>();
    env_ = rocksdb::NewCompositeEnv(disk_);
    store_ = LogStore::Open({.path = folder_.Sub("log"), .env = env_.get()}).value();
    log_ = OpenLogOf(*store_).value();
  }
  bool MayHaveLostWritesAfterStart() {
    Open();
    return store_->MayHaveLostWrites().value();
  }

  const TestFolder folder_;
  std::shared_ptr<FaultyFileSystem> disk_;
  std::unique_ptr<rocksdb::Env> env_;
  std::unique_ptr<LogStore> store_;
  std::shared_ptr<GroupLog> log_;
};

TEST_F(LostWritesTest, ProcessThatDiesLosesNothing) { EXPECT_FALSE(MayHaveLostWritesAfterStart()); }

TEST_F(LostWritesTest, SyncThatFailsTakesThemAlong) {
  disk_->FailSyncs();
  EXPECT_FALSE(store_->Sync().ok());
  EXPECT_TRUE(MayHaveLostWritesAfterStart());
  EXPECT_TRUE(MayHaveLostWritesAfterStart());
  EXPECT_TRUE(store_->ClearLostWrites().ok());
  EXPECT_FALSE(MayHaveLostWritesAfterStart());
}

TEST_F(LostWritesTest, AnotherEntrysSyncThatFailsTakesThemAlong) {
  disk_->FailSyncs();
  EXPECT_FALSE(WriteEntry(*store_, 3).ok());
  EXPECT_TRUE(MayHaveLostWritesAfterStart());
}

TEST_F(LostWritesTest, NothingUnsyncedIsNothingLost) {
  EXPECT_TRUE(store_->Sync().ok());
  EXPECT_FALSE(store_->HasUnsynced());
  disk_->FailSyncs();
  EXPECT_FALSE(WriteEntry(*store_, 3).ok());
  EXPECT_FALSE(MayHaveLostWritesAfterStart());
}

TEST_F(LostWritesTest, WriteThatFindsNoRoomTakesNoOther) {
  disk_->SetSpace(0);
  EXPECT_FALSE(WriteEntry(*store_, 3).ok());
  EXPECT_FALSE(MayHaveLostWritesAfterStart());
}

}  // namespace
}  // namespace quorate
