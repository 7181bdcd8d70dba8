#include "server/storage/log_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include <functional>
#include <random>

#include "server/storage/faulty_file_system.h"
#include "server/storage/key_format.h"
#include "server/storage/test_folder.h"

namespace quorate {
namespace {

using raft::Entry;
using raft::EntryKind;
using raft::LogIndex;
using raft::Term;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr GroupId kGroup{3};
constexpr ReplicaId kOwner{33};
const raft::Configuration kFounding{
    .voters = {ReplicaId(31), kOwner}, .outgoing = {}, .learners = {}};

Entry MakeEntry(uint64_t term, uint64_t index, std::string payload = "p") {
  return {.term = Term(term),
          .index = LogIndex(index),
          .kind = EntryKind::kCommand,
          .payload = std::make_shared<const std::string>(std::move(payload))};
}

LogAppend Append(GroupId group, std::vector<Entry> entries) {
  return {.group = group, .hard_state = std::nullopt, .entries = std::move(entries)};
}

class LogStoreTest : public testing::Test {
 protected:
  LogStoreTest() { options_.path = folder_.Sub("log"); }
  void SetUp() override { Open(); }

  void Open() {
    log_.reset();
    store_.reset();
    auto store = LogStore::Open(options_);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    auto log = store_->OpenGroup(kGroup, kOwner, kFounding);
    ASSERT_TRUE(log.ok()) << log.status();
    log_ = *std::move(log);
  }
  void Write(std::vector<LogAppend> appends) {
    const absl::Status status = store_->Append(appends);
    ASSERT_TRUE(status.ok()) << status;
  }
  // "term:payload" of each entry; or the error.
  std::vector<std::string> Show(uint64_t first, uint64_t last, size_t bytes_max = SIZE_MAX) {
    const auto entries = log_->Entries(LogIndex(first), LogIndex(last), bytes_max);
    if (!entries.ok()) return {std::string(entries.status().ToString())};
    std::vector<std::string> shown;
    for (const Entry& entry : *entries) {
      shown.push_back(std::to_string(entry.term.value()) + ":" + *entry.payload);
    }
    return shown;
  }
  void Raw(const std::function<void(rocksdb::DB&)>& edit) {
    log_.reset();
    store_.reset();
    rocksdb::DB* db = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open(rocksdb::Options(), options_.path, &db).ok());
    edit(*db);
    delete db;
  }
  absl::Status OpenGroupStatus() {
    auto store = LogStore::Open(options_);
    if (!store.ok()) return store.status();
    return (*store)->OpenGroup(kGroup, kOwner, kFounding).status();
  }

  TestFolder folder_;
  StoreOptions options_;
  std::unique_ptr<LogStore> store_;
  std::shared_ptr<GroupLog> log_;
};

TEST_F(LogStoreTest, NewGroupIsEmpty) {
  EXPECT_EQ(log_->InitialHardState(), raft::HardState());
  EXPECT_EQ(log_->LastIndex(), LogIndex(0));
  EXPECT_EQ(log_->CompactedIndex(), LogIndex(0));
  EXPECT_EQ(log_->TermAt(LogIndex(0)).value(), Term(0));
  EXPECT_EQ(log_->TermAt(LogIndex(1)).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(log_->ByteSize(), 0u);
}

TEST_F(LogStoreTest, FirstMembershipIsStoredWithTheFirstWrite) {
  EXPECT_EQ(log_->CompactedConfiguration(), kFounding);
  Write({Append(kGroup, {MakeEntry(1, 1)})});
  auto joining = store_->OpenGroup(GroupId(4), ReplicaId(44), {});
  ASSERT_TRUE(joining.ok()) << joining.status();
  Write({Append(GroupId(4), {MakeEntry(1, 1)})});
  Open();
  const raft::Configuration other{.voters = {ReplicaId(7)}, .outgoing = {}, .learners = {}};
  EXPECT_EQ(store_->OpenGroup(GroupId(4), ReplicaId(44), other).value()->CompactedConfiguration(),
            raft::Configuration());
  ASSERT_TRUE(store_->DestroyGroup(kGroup).ok());
  EXPECT_EQ(store_->OpenGroup(kGroup, kOwner, other).value()->CompactedConfiguration(), other);
}

TEST_F(LogStoreTest, EntriesAndHardStateSurviveARestart) {
  LogAppend append = Append(kGroup, {MakeEntry(1, 1, "a"), MakeEntry(1, 2, "b"), MakeEntry(4, 3)});
  append.entries[2].kind = EntryKind::kNoop;
  append.hard_state = {.term = Term(4), .voted_for = ReplicaId(9), .commit = LogIndex(2)};
  Write({append});
  const uint64_t bytes = log_->ByteSize();
  EXPECT_GT(bytes, 3u);
  Open();
  EXPECT_EQ(log_->InitialHardState(), *append.hard_state);
  EXPECT_EQ(log_->LastIndex(), LogIndex(3));
  EXPECT_THAT(Show(1, 2), ElementsAre("1:a", "1:b"));
  EXPECT_EQ(log_->Entries(LogIndex(3), LogIndex(3), 0).value()[0].kind, EntryKind::kNoop);
  EXPECT_EQ(log_->TermAt(LogIndex(2)).value(), Term(1));
  EXPECT_EQ(log_->TermAt(LogIndex(3)).value(), Term(4));
  EXPECT_EQ(log_->ByteSize(), bytes);
}

TEST_F(LogStoreTest, OverwrittenSuffixIsCutInTheSameBatch) {
  Write({Append(kGroup, {MakeEntry(1, 1, "a"), MakeEntry(1, 2, "b"), MakeEntry(1, 3, "c"),
                         MakeEntry(1, 4, "d")})});
  // Two turns merged into one write, the second overwriting the first's.
  Write({Append(kGroup, {MakeEntry(2, 2, "x"), MakeEntry(2, 3, "y")}),
         Append(kGroup, {MakeEntry(3, 3, "z")})});
  for (int life = 0; life < 2; ++life) {
    EXPECT_EQ(log_->LastIndex(), LogIndex(3));
    EXPECT_THAT(Show(1, 3), ElementsAre("1:a", "2:x", "3:z"));
    EXPECT_EQ(log_->TermAt(LogIndex(2)).value(), Term(2));
    EXPECT_EQ(log_->TermAt(LogIndex(4)).status().code(), absl::StatusCode::kOutOfRange);
    Open();
  }
}

TEST_F(LogStoreTest, BytesMaxCutsButGivesOne) {
  Write({Append(kGroup, {MakeEntry(1, 1, "aaaa"), MakeEntry(1, 2, "bbbb"), MakeEntry(1, 3, "c")})});
  for (int life = 0; life < 2; ++life) {  // from the cache, then from the disk
    EXPECT_THAT(Show(1, 3, 0), ElementsAre("1:aaaa"));
    EXPECT_THAT(Show(1, 3, 72), ElementsAre("1:aaaa", "1:bbbb"));
    EXPECT_THAT(Show(2, 3, 1000), ElementsAre("1:bbbb", "1:c"));
    EXPECT_THAT(Show(1, 4, 1000), ElementsAre(HasSubstr("OUT_OF_RANGE")));
    Open();
  }
}

TEST_F(LogStoreTest, EvictedEntriesComeFromTheDisk) {
  options_.cache_bytes = 500;
  Open();
  const std::shared_ptr<GroupLog> other =
      store_->OpenGroup(GroupId(4), ReplicaId(44), kFounding).value();
  for (uint64_t index = 1; index <= 100; ++index) {
    Write({Append(kGroup, {MakeEntry(index / 30 + 1, index, std::to_string(index))}),
           Append(GroupId(4), {MakeEntry(1, index, "o")})});
  }
  for (uint64_t first = 1; first <= 100; ++first) {
    const auto entries = log_->Entries(LogIndex(first), LogIndex(100), SIZE_MAX);
    ASSERT_TRUE(entries.ok()) << entries.status();
    ASSERT_EQ(entries->size(), 101 - first);
    for (const Entry& entry : *entries) {
      EXPECT_EQ(*entry.payload, std::to_string(entry.index.value()));
      EXPECT_EQ(log_->TermAt(entry.index).value(), entry.term);
    }
  }
}

TEST_F(LogStoreTest, RandomAppendsEqualASimpleModel) {
  options_.cache_bytes = 2000;
  Open();
  std::mt19937 random(3);
  std::vector<Entry> model;
  for (int round = 0; round < 400; ++round) {
    const uint64_t keep = model.size() - std::min<uint64_t>(model.size(), random() % 12 / 3);
    model.resize(keep);
    LogAppend append = Append(kGroup, {});
    for (uint64_t i = 0; i < 1 + random() % 4; ++i) {
      model.push_back(MakeEntry(round + 1, model.size() + 1, std::string(random() % 90, 'x')));
      append.entries.push_back(model.back());
    }
    Write({append});
    if (round % 100 == 99) Open();
    ASSERT_EQ(log_->LastIndex().value(), model.size());
    const uint64_t first = 1 + random() % model.size();
    const auto entries = log_->Entries(LogIndex(first), log_->LastIndex(), SIZE_MAX);
    ASSERT_TRUE(entries.ok()) << entries.status();
    ASSERT_EQ(entries->size(), model.size() - first + 1);
    for (size_t i = 0; i < entries->size(); ++i) {
      ASSERT_EQ((*entries)[i].term, model[first - 1 + i].term);
      ASSERT_EQ(*(*entries)[i].payload, *model[first - 1 + i].payload);
    }
  }
}

TEST_F(LogStoreTest, BatchNumberGrowsOverRestarts) {
  EXPECT_EQ(store_->DurableBatch(), 0u);
  Write({});
  EXPECT_EQ(store_->DurableBatch(), 0u);
  Write({Append(kGroup, {MakeEntry(1, 1)})});
  Write({Append(kGroup, {MakeEntry(1, 2)})});
  EXPECT_EQ(store_->DurableBatch(), 2u);
  Open();
  EXPECT_EQ(store_->DurableBatch(), 2u);
}

TEST_F(LogStoreTest, DestroyedGroupIsGoneAndLateAppendsAreDropped) {
  Write({Append(kGroup, {MakeEntry(1, 1)})});
  ASSERT_TRUE(store_->OpenGroup(GroupId(4), ReplicaId(44), kFounding).ok());
  Write({Append(GroupId(4), {MakeEntry(1, 1)})});
  ASSERT_EQ(store_->ListGroups()->size(), 2u);
  ASSERT_TRUE(store_->DestroyGroup(kGroup).ok());
  ASSERT_TRUE(store_->DestroyGroup(kGroup).ok());
  Write({Append(kGroup, {MakeEntry(1, 2)})});
  EXPECT_EQ(log_->LastIndex(), LogIndex(0));
  const auto groups = store_->ListGroups().value();
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0].group, GroupId(4));
  EXPECT_EQ(groups[0].replica, ReplicaId(44));
  // The next incarnation begins with an empty log.
  const auto next = store_->OpenGroup(kGroup, ReplicaId(34), kFounding);
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ((*next)->LastIndex(), LogIndex(0));
}

TEST_F(LogStoreTest, AnotherIncarnationsLogIsNotReadAsItsOwn) {
  Write({Append(kGroup, {MakeEntry(1, 1)})});
  log_.reset();
  store_ = nullptr;
  store_ = LogStore::Open(options_).value();
  EXPECT_EQ(store_->OpenGroup(kGroup, ReplicaId(34), kFounding).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(LogStoreTest, SecondOpenAndNewerFormatAreRefused) {
  EXPECT_EQ(LogStore::Open(options_).status().code(), absl::StatusCode::kAborted);
  ASSERT_TRUE(store_->PutNodeRecord("format", "log 2").ok());
  log_.reset();
  store_.reset();
  EXPECT_EQ(LogStore::Open(options_).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(LogStoreTest, DataStoreFolderIsNoLogStore) {
  ASSERT_TRUE(store_->PutNodeRecord("format", "data 1").ok());
  log_.reset();
  store_.reset();
  EXPECT_EQ(LogStore::Open(options_).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(LogStoreTest, damage_before_the_tail_is_quarantined) {
  Write({Append(kGroup, {MakeEntry(1, 1), MakeEntry(1, 2)})});
  ASSERT_TRUE(store_->OpenGroup(GroupId(4), ReplicaId(44), kFounding).ok());
  Write({Append(GroupId(4), {MakeEntry(1, 1)})});
  Raw([](rocksdb::DB& db) {
    std::string bytes;
    const std::string key = LogEntryKey(kGroup, LogIndex(1));
    ASSERT_TRUE(db.Get({}, key, &bytes).ok());
    bytes[10] ^= 1;
    db.Put({}, key, bytes);
  });
  auto store = LogStore::Open(options_).value();
  const absl::Status status = store->OpenGroup(kGroup, kOwner, kFounding).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(status.ToString(), HasSubstr("group 3: damaged log entry 1"));
  EXPECT_TRUE(store->OpenGroup(GroupId(4), ReplicaId(44), kFounding).ok());
}

TEST_F(LogStoreTest, MissingEntryIsNoticed) {
  Write({Append(kGroup, {MakeEntry(1, 1), MakeEntry(1, 2), MakeEntry(1, 3)})});
  Raw([](rocksdb::DB& db) { db.Delete({}, LogEntryKey(kGroup, LogIndex(2))); });
  EXPECT_EQ(OpenGroupStatus().code(), absl::StatusCode::kDataLoss);
}

class LogLifeTest : public LogStoreTest {
 protected:
  // Opens the log as of the machine's `life`.
  absl::Status Begin(uint64_t life, GroupId group = kGroup) {
    log_.reset();
    store_.reset();
    store_ = LogStore::Open(options_).value();
    auto log = store_->OpenGroup(group, kOwner, kFounding, life);
    if (log.ok()) log_ = *std::move(log);
    return log.status();
  }
};

TEST_F(LogLifeTest, NewLogBeginsWholeInItsLife) {
  ASSERT_TRUE(Begin(3).ok());
  const raft::HardState begun{.term = {}, .voted_for = {}, .commit = {}, .life = 3, .cured = 3};
  EXPECT_EQ(log_->InitialHardState(), begun);
  ASSERT_TRUE(Begin(3).ok());
  EXPECT_EQ(log_->InitialHardState(), begun) << "it is remembered";
  EXPECT_EQ(log_->CompactedConfiguration(), kFounding);
}

TEST_F(LogLifeTest, LogOfAnEarlierLifeIsMarkedForGood) {
  LogAppend append = Append(kGroup, {MakeEntry(1, 1)});
  append.hard_state = {.term = Term(1), .voted_for = kOwner, .commit = LogIndex(1)};
  Write({append});
  raft::HardState returning = *append.hard_state;
  returning.life = 2;
  ASSERT_TRUE(Begin(2).ok());
  EXPECT_EQ(log_->InitialHardState(), returning);
  EXPECT_EQ(log_->LastIndex(), LogIndex(1));
  ASSERT_TRUE(Begin(2).ok());
  EXPECT_EQ(log_->InitialHardState(), returning);
  ASSERT_TRUE(Begin(0).ok());
  EXPECT_EQ(log_->InitialHardState(), returning);
}

// A power loss that took the end of one file of RocksDB's log and nothing of the next one.
TEST_F(LogLifeTest, NewLifeEndsBeforeTheFirstMissingEntry) {
  LogAppend append = Append(kGroup, {MakeEntry(1, 1), MakeEntry(1, 2), MakeEntry(1, 3)});
  append.hard_state = {.term = Term(1), .voted_for = {}, .commit = LogIndex(3)};
  Write({append});
  Raw([](rocksdb::DB& db) { db.Delete({}, LogEntryKey(kGroup, LogIndex(2))); });
  EXPECT_EQ(Begin(0).code(), absl::StatusCode::kDataLoss) << "where all is synced it is damage";
  ASSERT_TRUE(Begin(1).ok());
  EXPECT_EQ(log_->LastIndex(), LogIndex(1));
  EXPECT_EQ(log_->InitialHardState().commit, LogIndex(1));
  Write({Append(kGroup, {MakeEntry(2, 2)})});
  ASSERT_TRUE(Begin(1).ok());
  EXPECT_EQ(log_->LastIndex(), LogIndex(2)) << "what stood behind is gone";
}

TEST_F(LogStoreTest, MissingHeadIsNoticed) {
  Write({Append(kGroup, {MakeEntry(1, 1)})});
  Raw([](rocksdb::DB& db) { db.Delete({}, LogRecordKey(kGroup, LogRecordKind::kHead)); });
  EXPECT_EQ(OpenGroupStatus().code(), absl::StatusCode::kDataLoss);
}

class LogStoreFaultTest : public LogStoreTest {
 protected:
  LogStoreFaultTest()
      : faulty_(std::make_shared<FaultyFileSystem>()), env_(rocksdb::NewCompositeEnv(faulty_)) {
    options_.env = env_.get();
  }
  ~LogStoreFaultTest() override {
    log_.reset();
    store_.reset();
  }
  void PowerCycle() {
    faulty_->CutPower();
    log_.reset();
    store_.reset();
    options_.env = nullptr;
    Open();
  }

  std::shared_ptr<FaultyFileSystem> faulty_;
  std::unique_ptr<rocksdb::Env> env_;
};

TEST_F(LogStoreFaultTest, AcknowledgedWritesSurviveAPowerCut) {
  for (uint64_t index = 1; index <= 50; ++index) {
    const int syncs = faulty_->log_syncs();
    Write({Append(kGroup, {MakeEntry(1, index, std::to_string(index))})});
    ASSERT_GT(faulty_->log_syncs(), syncs);
  }
  PowerCycle();
  EXPECT_EQ(log_->LastIndex(), LogIndex(50));
  EXPECT_EQ(store_->DurableBatch(), 50u);
}

LogAppend Unsynced(std::vector<Entry> entries) {
  LogAppend append = Append(kGroup, std::move(entries));
  append.sync = false;
  return append;
}

// Method: writes without fsync, before and after one with it, then the power fails. Oracle: nothing
// up to the synced write is lost, of what came later nothing is counted as durable.
TEST_F(LogStoreFaultTest, SyncedWriteCoversAllBeforeIt) {
  Write({Unsynced({MakeEntry(1, 1)})});
  EXPECT_EQ(store_->DurableBatch(), 0u);
  Write({Append(kGroup, {MakeEntry(1, 2)})});
  Write({Unsynced({MakeEntry(1, 3)})});
  EXPECT_EQ(log_->LastIndex(), LogIndex(3));
  PowerCycle();
  EXPECT_EQ(log_->LastIndex(), LogIndex(2));
  EXPECT_EQ(store_->DurableBatch(), 1u);
}

TEST_F(LogStoreFaultTest, failed_fsync_poisons) {
  Write({Append(kGroup, {MakeEntry(1, 1)})});
  faulty_->FailSyncs();
  const std::vector<LogAppend> append = {Append(kGroup, {MakeEntry(1, 2)})};
  const absl::Status first = store_->Append(append);
  EXPECT_EQ(first.code(), absl::StatusCode::kUnavailable);
  const int failed = faulty_->failed_syncs();
  EXPECT_EQ(store_->Append(append), first);
  EXPECT_EQ(store_->PutNodeRecord("x", "y"), first);
  EXPECT_EQ(store_->DestroyGroup(GroupId(9)), first);
  EXPECT_EQ(store_->Health(), first);
  EXPECT_EQ(faulty_->failed_syncs(), failed) << "nothing may be tried again";
  EXPECT_EQ(log_->LastIndex(), LogIndex(1));
  EXPECT_EQ(store_->DurableBatch(), 1u);
}

TEST_F(LogStoreFaultTest, torn_tail_is_cut) {
  Write({Append(kGroup, {MakeEntry(1, 1)})});
  Write({Append(kGroup, {MakeEntry(1, 2, std::string(1000, 'x'))})});
  faulty_->CutPower();
  log_.reset();
  store_.reset();
  options_.env = nullptr;
  for (const auto& file : std::filesystem::directory_iterator(options_.path)) {
    if (file.path().extension() != ".log" || file.file_size() < 1000) continue;
    std::filesystem::resize_file(file.path(), file.file_size() - 500);
  }
  Open();
  EXPECT_EQ(log_->LastIndex(), LogIndex(1));
  EXPECT_EQ(store_->DurableBatch(), 1u);
}

}  // namespace
}  // namespace quorate
