#include "server/storage/data_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include <fstream>

#include "server/storage/faulty_file_system.h"
#include "server/storage/key_format.h"
#include "server/storage/test_folder.h"

namespace quorate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr ReplicaId kReplica{7};

class DataStoreTest : public testing::Test {
 protected:
  DataStoreTest() { options_.path = folder_.Sub("data"); }
  void SetUp() override { Open(); }

  void Open() {
    store_.reset();
    auto store = DataStore::Open(options_);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  void Put(ReplicaId replica, std::string_view key, std::string_view value, uint64_t stamp = 1) {
    ApplyBatch batch;
    batch.PutValue(replica, key, {.version = Version::Make(1, stamp), .value = value});
    ASSERT_TRUE(store_->Apply(batch).ok());
  }
  std::string Value(ReplicaId replica, std::string_view key) {
    const auto stored = store_->Get(replica, key);
    if (!stored.ok()) return std::string(stored.status().ToString());
    return stored->has_value() ? (*stored)->value : "(absent)";
  }
  std::vector<std::string> Page(const DataPageRequest& request, bool* more = nullptr) {
    const auto page = store_->ReadPage(store_->Snapshot(), kReplica, request);
    EXPECT_TRUE(page.ok()) << page.status();
    std::vector<std::string> keys;
    for (const auto& entry : page->entries) keys.push_back(entry.key);
    if (more != nullptr) *more = page->more;
    return keys;
  }
  // Behind the store's back, store closed.
  void Raw(const std::function<void(rocksdb::DB&)>& edit) {
    store_.reset();
    rocksdb::DB* db = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open(rocksdb::Options(), options_.path, &db).ok());
    edit(*db);
    delete db;
  }

  TestFolder folder_;
  StoreOptions options_;
  std::unique_ptr<DataStore> store_;
};

TEST_F(DataStoreTest, ReadsWhatWasApplied) {
  Put(kReplica, "a", "1", 5);
  const auto stored = store_->Get(kReplica, "a");
  ASSERT_TRUE(stored.ok() && stored->has_value());
  EXPECT_EQ((*stored)->version, Version::Make(1, 5));
  EXPECT_EQ((*stored)->value, "1");
  EXPECT_EQ(Value(kReplica, "b"), "(absent)");
  EXPECT_EQ(Value(ReplicaId(8), "a"), "(absent)");
}

TEST_F(DataStoreTest, WhatIsInMemoryIsReadWithoutTheDisk) {
  Put(kReplica, "a", "1");
  EXPECT_EQ((*store_->GetFromMemory(kReplica, "a"))->value, "1");
  Open();  // what was in memory is in a file now, and its block in no cache yet
  EXPECT_TRUE(absl::IsUnavailable(store_->GetFromMemory(kReplica, "a").status()));
  EXPECT_EQ(Value(kReplica, "a"), "1");
  EXPECT_EQ((*store_->GetFromMemory(kReplica, "a"))->value, "1");
}

TEST_F(DataStoreTest, BatchAppliesValuesMetaAndRowsTogether) {
  ApplyBatch batch;
  EXPECT_TRUE(batch.IsEmpty());
  batch.PutValue(kReplica, "a", {.version = Version::Make(1, 1), .value = "x"});
  batch.DeleteValue(kReplica, "b");
  internal::v1::ReplicaMeta meta;
  meta.set_applied_index(12);
  batch.PutMeta(kReplica, meta);
  for (const uint64_t index : {300, 2, 70000}) {
    internal::v1::RequestRow row;
    row.set_index(index);
    batch.PutRequestRow(kReplica, row);
  }
  batch.DeleteRequestRow(kReplica, 2);
  EXPECT_GT(batch.ByteSize(), 0u);
  ASSERT_TRUE(store_->Apply(batch).ok());
  EXPECT_EQ(store_->LoadMeta(kReplica).value()->applied_index(), 12u);
  std::vector<uint64_t> indexes;
  const auto rows = store_->LoadRequestRows(kReplica).value();
  for (const auto& row : rows) indexes.push_back(row.index());
  EXPECT_THAT(indexes, ElementsAre(300, 70000));
  EXPECT_FALSE(store_->LoadMeta(ReplicaId(8)).value().has_value());
  batch.Clear();
  EXPECT_TRUE(batch.IsEmpty());
}

TEST_F(DataStoreTest, VersionSeesThePendingBatch) {
  Put(kReplica, "stored", "x", 5);
  Put(kReplica, "gone", "x", 5);
  ApplyBatch batch;
  batch.PutValue(kReplica, "new", {.version = Version::Make(1, 6), .value = "y"});
  batch.DeleteValue(kReplica, "gone");
  EXPECT_EQ(store_->GetVersion(kReplica, "stored", batch).value(), Version::Make(1, 5));
  EXPECT_EQ(store_->GetVersion(kReplica, "new", batch).value(), Version::Make(1, 6));
  EXPECT_EQ(store_->GetVersion(kReplica, "gone", batch).value(), std::nullopt);
  EXPECT_EQ(store_->GetVersion(kReplica, "never", batch).value(), std::nullopt);
}

TEST_F(DataStoreTest, ClusterStateIsKept) {
  EXPECT_EQ(store_->LoadClusterState(kReplica).value(), "");
  ApplyBatch batch;
  batch.PutClusterState(kReplica, std::string("st\0ate", 6));
  ASSERT_TRUE(store_->Apply(batch).ok());
  EXPECT_EQ(store_->LoadClusterState(kReplica).value(), std::string("st\0ate", 6));
}

TEST_F(DataStoreTest, PagesRespectBoundsLimitAndBytes) {
  for (const char* key : {"a", "b", "c", "d"}) Put(kReplica, key, "12345");
  Put(ReplicaId(6), "z", "x");
  Put(ReplicaId(8), "a", "x");
  bool more = false;
  EXPECT_THAT(Page({.limit = 10, .bytes_max = 1000}, &more), ElementsAre("a", "b", "c", "d"));
  EXPECT_FALSE(more);
  EXPECT_THAT(Page({.begin = "b", .end = "d", .limit = 10, .bytes_max = 1000}, &more),
              ElementsAre("b", "c"));
  EXPECT_FALSE(more);
  EXPECT_THAT(Page({.limit = 3, .bytes_max = 1000}, &more), ElementsAre("a", "b", "c"));
  EXPECT_TRUE(more);
  EXPECT_THAT(Page({.limit = 10, .bytes_max = 12}, &more), ElementsAre("a", "b"));
  EXPECT_TRUE(more);
  EXPECT_THAT(Page({.limit = 10, .bytes_max = 12, .keys_only = true}, &more),
              ElementsAre("a", "b", "c", "d"));
  EXPECT_THAT(Page({.limit = 0, .bytes_max = 0}, &more), ElementsAre("a"));
  EXPECT_TRUE(more);
  EXPECT_THAT(Page({.begin = "d", .end = "b", .limit = 9, .bytes_max = 99}, &more), ElementsAre());
}

TEST_F(DataStoreTest, SnapshotDoesNotSeeLaterWrites) {
  Put(kReplica, "a", "old");
  const DataSnapshot snapshot = store_->Snapshot();
  Put(kReplica, "a", "new");
  Put(kReplica, "b", "new");
  const auto page = store_->ReadPage(snapshot, kReplica, {.limit = 10, .bytes_max = 100});
  ASSERT_EQ(page->entries.size(), 1u);
  EXPECT_EQ(page->entries[0].stored.value, "old");
}

TEST_F(DataStoreTest, ChecksumIsThatOfTheContent) {
  const ReplicaId other(9);
  const auto sum = [this](ReplicaId replica) {
    return store_->Checksum(store_->Snapshot(), replica).value();
  };
  EXPECT_EQ(sum(kReplica), sum(other));
  Put(kReplica, "a", "1");
  Put(kReplica, "b", "2");
  Put(other, "b", "2");
  EXPECT_NE(sum(kReplica), sum(other));
  Put(other, "a", "1");
  EXPECT_EQ(sum(kReplica), sum(other));
  EXPECT_EQ(sum(other).keys, 2u);
  Put(other, "a", "1", /*stamp=*/2);
  EXPECT_NE(sum(kReplica).hash, sum(other).hash);
}

TEST_F(DataStoreTest, DestroyedReplicaIsGoneAndOthersStay) {
  for (const uint64_t id : {6, 7, 8}) Put(ReplicaId(id), "a", "x");
  EXPECT_THAT(store_->ListReplicas().value(),
              ElementsAre(ReplicaId(6), ReplicaId(7), ReplicaId(8)));
  ASSERT_TRUE(store_->DestroyReplica(kReplica).ok());
  ASSERT_TRUE(store_->DestroyReplica(kReplica).ok());
  EXPECT_THAT(store_->ListReplicas().value(), ElementsAre(ReplicaId(6), ReplicaId(8)));
  EXPECT_EQ(Value(kReplica, "a"), "(absent)");
  EXPECT_EQ(Value(ReplicaId(8), "a"), "x");
}

TEST_F(DataStoreTest, CleanCloseKeepsEverything) {
  Put(kReplica, "a", "x");
  Open();
  EXPECT_EQ(Value(kReplica, "a"), "x");
  EXPECT_GT(store_->Stats().file_bytes, 0u);
}

// The promise behind applying without a write-ahead log: after a crash the data and the applied
// index are those of one moment.
TEST_F(DataStoreTest, CrashKeepsAPrefixWithItsAppliedIndex) {
  store_.reset();
  auto faulty = std::make_shared<FaultyFileSystem>();
  const auto env = rocksdb::NewCompositeEnv(faulty);
  options_.path = folder_.Sub("crash");
  options_.env = env.get();
  Open();
  const auto put = [this](uint64_t index) {
    ApplyBatch batch;
    batch.PutValue(kReplica, "k", {.version = Version::Make(1, index), .value = "v"});
    internal::v1::ReplicaMeta meta;
    meta.set_applied_index(index);
    batch.PutMeta(kReplica, meta);
    ASSERT_TRUE(store_->Apply(batch).ok());
  };
  for (uint64_t index = 1; index <= 10; ++index) put(index);
  ASSERT_TRUE(store_->Flush().ok());
  for (uint64_t index = 11; index <= 20; ++index) put(index);
  faulty->CutPower();
  store_.reset();
  options_.env = nullptr;
  Open();
  EXPECT_EQ(store_->LoadMeta(kReplica).value()->applied_index(), 10u);
  EXPECT_EQ(store_->Get(kReplica, "k").value()->version, Version::Make(1, 10));
}

TEST_F(DataStoreTest, second_process_refused) {
  const auto second = DataStore::Open(options_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAborted);
  EXPECT_THAT(second.status().ToString(), HasSubstr("in use by another process"));
  EXPECT_THAT(second.status().ToString(), HasSubstr(options_.path));
}

TEST_F(DataStoreTest, NewerFormatIsRefusedByName) {
  Raw([](rocksdb::DB& db) {
    db.Put({}, RecordKey(kStoreRecords, RecordKind::kMeta, "format"), "data 2");
  });
  const auto store = DataStore::Open(options_);
  EXPECT_EQ(store.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(store.status().ToString(), HasSubstr("format 2"));
}

TEST_F(DataStoreTest, ForeignFolderIsRefused) {
  Raw([](rocksdb::DB& db) {
    db.Delete({}, RecordKey(kStoreRecords, RecordKind::kMeta, "format"));
    db.Put({}, "something", "else");
  });
  EXPECT_EQ(DataStore::Open(options_).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(DataStoreTest, MissingCurrentFileIsDamageAndNotANewStore) {
  Put(kReplica, "a", "x");
  store_.reset();
  std::filesystem::remove(options_.path + "/CURRENT");
  EXPECT_EQ(DataStore::Open(options_).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(DataStore::Open(options_).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(DataStoreTest, UnwritableFolderIsUnavailable) {
  options_.path = "/proc/quorate-cannot-be-made";
  const auto store = DataStore::Open(options_);
  EXPECT_FALSE(store.ok());
  EXPECT_NE(store.status().code(), absl::StatusCode::kAborted);
}

TEST_F(DataStoreTest, checksum_before_serving) {
  Put(kReplica, "a", "x");
  Raw([](rocksdb::DB& db) {
    const std::string key = RecordKey(kReplica, RecordKind::kData, "a");
    std::string bytes;
    ASSERT_TRUE(db.Get({}, key, &bytes).ok());
    bytes[bytes.size() - 5] ^= 1;
    db.Put({}, key, bytes);
  });
  Open();
  EXPECT_EQ(store_->Get(kReplica, "a").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(Value(kReplica, "a"), HasSubstr("replica 7, key 0x61"));
  const DataSnapshot snapshot = store_->Snapshot();
  EXPECT_EQ(store_->Checksum(snapshot, kReplica).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(store_->ReadPage(snapshot, kReplica, {.limit = 1}).status().code(),
            absl::StatusCode::kDataLoss);
}

TEST_F(DataStoreTest, DamagedFileIsNeverServed) {
  Put(kReplica, "a", std::string(5000, 'x'));
  store_.reset();
  for (const auto& file : std::filesystem::directory_iterator(options_.path)) {
    if (file.path().extension() != ".sst" || file.file_size() < 1000) continue;
    std::fstream stream(file.path(), std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(20);
    stream.write("????", 4);
  }
  const auto store = DataStore::Open(options_);
  if (store.ok()) {
    EXPECT_EQ((*store)->Get(kReplica, "a").status().code(), absl::StatusCode::kDataLoss);
  } else {
    EXPECT_EQ(store.status().code(), absl::StatusCode::kDataLoss);
  }
}

}  // namespace
}  // namespace quorate
