#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include <filesystem>
#include <fstream>

#include "server/storage/data_store.h"
#include "server/storage/key_format.h"
#include "server/storage/replica_snapshot.h"
#include "server/storage/staged_snapshot.h"
#include "server/storage/test_folder.h"

namespace quorate {
namespace {

using testing::HasSubstr;

constexpr ReplicaId kSource{7};
constexpr ReplicaId kTarget{8};  // between its neighbours in key order
constexpr ReplicaId kNeighbour{9};

std::unique_ptr<DataStore> MustOpen(const StoreOptions& options) {
  auto store = DataStore::Open(options);
  EXPECT_TRUE(store.ok()) << store.status();
  return store.ok() ? *std::move(store) : nullptr;
}

internal::v1::ReplicaMeta Meta(uint64_t applied) {
  internal::v1::ReplicaMeta meta;
  meta.set_format(1);
  meta.set_applied_index(applied);
  meta.set_applied_term(3);
  meta.set_applied_hash(0xabcd);
  meta.set_last_stamp(77);
  meta.set_eviction_horizon_us(55);
  meta.set_configuration("the configuration");
  return meta;
}

internal::v1::RequestRow Row(uint64_t index) {
  internal::v1::RequestRow row;
  row.set_index(index);
  row.mutable_result()->set_version("0123456789abcdef");
  return row;
}

class DataStoreSnapshotTest : public testing::Test {
 protected:
  DataStoreSnapshotTest()
      : from_options_{.path = folder_.Sub("from")}, to_options_{.path = folder_.Sub("to")} {
    from_ = MustOpen(from_options_);
    to_ = MustOpen(to_options_);
  }

  static void Fill(DataStore& store, ReplicaId replica, int keys, const std::string& value,
                   uint64_t applied) {
    ApplyBatch batch;
    for (int i = 0; i < keys; ++i) {
      const std::string key = "key" + std::to_string(1000 + i);
      batch.PutValue(replica, key,
                     {.version = Version::Make(1, applied),
                      .value = value,
                      .key_hash = static_cast<uint64_t>(i),
                      .expiry_us = i == 0 ? uint64_t{4242} : 0});
    }
    batch.PutRequestRow(replica, Row(applied));
    batch.PutMeta(replica, Meta(applied));
    ASSERT_TRUE(store.Apply(batch).ok());
  }

  static std::vector<SnapshotReader::Chunk> ReadAll(const DataStore& store, ReplicaId replica) {
    std::vector<SnapshotReader::Chunk> chunks;
    auto reader = store.ReadReplica(replica);
    EXPECT_TRUE(reader.ok()) << reader.status();
    while (reader.ok() && (chunks.empty() || !chunks.back().last)) {
      auto chunk = (*reader)->Next();
      EXPECT_TRUE(chunk.ok()) << chunk.status();
      if (!chunk.ok()) break;
      EXPECT_LE(chunk->content.size(), SnapshotReader::kChunkBytes);
      chunks.push_back(*std::move(chunk));
    }
    return chunks;
  }

  std::unique_ptr<StagedSnapshot> Stage(const std::vector<SnapshotReader::Chunk>& chunks) {
    auto staged = to_->StageSnapshot(kTarget);
    EXPECT_TRUE(staged.ok()) << staged.status();
    for (const auto& chunk : chunks) {
      const absl::Status added = (*staged)->Add(chunk.content);
      EXPECT_TRUE(added.ok()) << added;
    }
    const absl::Status finished = (*staged)->Finish(chunks.back().stream_checksum);
    EXPECT_TRUE(finished.ok()) << finished;
    return *std::move(staged);
  }

  static std::string Value(const DataStore& store, ReplicaId replica, std::string_view key) {
    const auto stored = store.Get(replica, key);
    if (!stored.ok()) return stored.status().ToString();
    return stored->has_value() ? (*stored)->value : "(absent)";
  }
  [[nodiscard]] size_t StagedFiles() const {
    size_t files = 0;
    for (const auto& file : std::filesystem::directory_iterator(to_options_.path + "-incoming")) {
      files += file.is_regular_file() ? 1 : 0;
    }
    return files;
  }

  TestFolder folder_;
  StoreOptions from_options_;
  StoreOptions to_options_;
  std::unique_ptr<DataStore> from_;
  std::unique_ptr<DataStore> to_;
};

TEST_F(DataStoreSnapshotTest, snapshot_holds_config_dedup_clock_leases_ttl) {
  Fill(*from_, kSource, 1000, std::string(2000, 'v'), 40);
  ApplyBatch cluster;
  cluster.PutClusterState(kSource, "the cluster state");
  ASSERT_TRUE(from_->Apply(cluster).ok());
  const auto chunks = ReadAll(*from_, kSource);
  EXPECT_GT(chunks.size(), 7U);

  Fill(*to_, kTarget, 3, "old", 2);
  Fill(*to_, kNeighbour, 3, "neighbour", 2);
  ApplyBatch extra;  // must be gone afterwards
  extra.PutValue(kTarget, "zzz", {.version = Version::Make(1, 1), .value = "old"});
  extra.PutRequestRow(kTarget, Row(1));
  ASSERT_TRUE(to_->Apply(extra).ok());

  auto staged = Stage(chunks);
  EXPECT_EQ(staged->meta().applied_index(), 40U);
  EXPECT_EQ(Value(*to_, kTarget, "zzz"), "old");
  ASSERT_TRUE(to_->InstallSnapshot(*staged).ok());
  EXPECT_EQ(StagedFiles(), 0U);

  EXPECT_EQ(*to_->Checksum(to_->Snapshot(), kTarget), *from_->Checksum(from_->Snapshot(), kSource));
  EXPECT_EQ(Value(*to_, kTarget, "zzz"), "(absent)");
  EXPECT_EQ((*to_->Get(kTarget, "key1000"))->expiry_us, 4242U);
  EXPECT_EQ(Value(*to_, kNeighbour, "key1000"), "neighbour");
  const auto meta = to_->LoadMeta(kTarget);
  ASSERT_TRUE(meta.ok() && meta->has_value());
  auto expected = Meta(40);
  expected.set_installed(true);  // until something is applied
  EXPECT_EQ((*meta)->SerializeAsString(), expected.SerializeAsString());
  const auto rows = to_->LoadRequestRows(kTarget);
  ASSERT_TRUE(rows.ok()) << rows.status();
  ASSERT_EQ(rows->size(), 1U);
  EXPECT_EQ(rows->front().SerializeAsString(), Row(40).SerializeAsString());
  EXPECT_EQ(*to_->LoadClusterState(kTarget), "the cluster state");
  EXPECT_EQ(to_->FlushedIndex(kTarget), raft::LogIndex(40));

  // And life goes on, above what was installed.
  Fill(*to_, kTarget, 1, "newer", 41);
  EXPECT_EQ(Value(*to_, kTarget, "key1000"), "newer");
  ASSERT_TRUE(to_->Flush().ok());
  EXPECT_EQ(Value(*to_, kTarget, "key1000"), "newer");
}

TEST_F(DataStoreSnapshotTest, is_as_of_its_begin_whatever_is_written_meanwhile) {
  Fill(*from_, kSource, 1000, std::string(1000, 'v'), 40);
  auto reader = from_->ReadReplica(kSource);
  ASSERT_TRUE(reader.ok());
  Fill(*from_, kSource, 1000, "later", 41);
  auto staged = to_->StageSnapshot(kTarget);
  ASSERT_TRUE(staged.ok());
  while (true) {
    auto chunk = (*reader)->Next();
    ASSERT_TRUE(chunk.ok()) << chunk.status();
    ASSERT_TRUE((*staged)->Add(chunk->content).ok());
    if (!chunk->last) continue;
    ASSERT_TRUE((*staged)->Finish(chunk->stream_checksum).ok());
    break;
  }
  ASSERT_TRUE(to_->InstallSnapshot(**staged).ok());
  EXPECT_EQ(Value(*to_, kTarget, "key1999"), std::string(1000, 'v'));
  EXPECT_EQ((*to_->LoadMeta(kTarget))->applied_index(), 40U);
}

TEST_F(DataStoreSnapshotTest, a_value_larger_than_a_chunk_travels_in_several) {
  ApplyBatch batch;
  const std::string large(size_t{3} << 20, 'x');
  batch.PutValue(kSource, "large", {.version = Version::Make(1, 1), .value = large});
  batch.PutMeta(kSource, Meta(1));
  ASSERT_TRUE(from_->Apply(batch).ok());
  const auto chunks = ReadAll(*from_, kSource);
  EXPECT_EQ(chunks.size(), 13U);
  auto staged = Stage(chunks);
  ASSERT_TRUE(to_->InstallSnapshot(*staged).ok());
  EXPECT_EQ(Value(*to_, kTarget, "large"), large);
}

TEST_F(DataStoreSnapshotTest, what_is_no_snapshot_is_refused) {
  Fill(*from_, kSource, 10, "v", 40);
  const std::string content = ReadAll(*from_, kSource).front().content;
  const auto outcome = [&](const std::string& bytes, bool right_checksum = true) {
    auto staged = to_->StageSnapshot(kTarget);
    EXPECT_TRUE(staged.ok());
    if (absl::Status added = (*staged)->Add(bytes); !added.ok()) return added.ToString();
    StreamChecksum sum;
    sum.Update(bytes);
    return (*staged)->Finish(sum.Value() + (right_checksum ? 0 : 1)).ToString();
  };
  EXPECT_EQ(outcome(content), "OK");
  EXPECT_THAT(outcome(content, false), HasSubstr("checksum does not match"));
  EXPECT_THAT(outcome(content.substr(0, content.size() - 1)), HasSubstr("ends within a record"));
  EXPECT_THAT(outcome(content + content), HasSubstr("out of order"));
  EXPECT_THAT(outcome(""), HasSubstr("own record is missing"));
  std::string flipped = content;
  flipped[content.find("key1005") + 30] ^= 1;  // in its value's envelope
  EXPECT_THAT(outcome(flipped), HasSubstr("damaged"));
  EXPECT_THAT(outcome(std::string("\x09\x01x\x01y", 5)), HasSubstr("unknown kind 9"));
}

TEST_F(DataStoreSnapshotTest, damage_at_the_source_is_not_sent) {
  EXPECT_EQ(from_->ReadReplica(kTarget).status().code(), absl::StatusCode::kNotFound);
  Fill(*from_, kSource, 10, "v", 40);
  from_.reset();
  rocksdb::DB* db = nullptr;
  ASSERT_TRUE(rocksdb::DB::Open(rocksdb::Options(), from_options_.path, &db).ok());
  const std::string key = RecordKey(kSource, RecordKind::kData, "key1003");
  std::string value;
  ASSERT_TRUE(db->Get(rocksdb::ReadOptions(), key, &value).ok());
  value[10] ^= 1;
  ASSERT_TRUE(db->Put(rocksdb::WriteOptions(), key, value).ok());
  delete db;
  from_ = MustOpen(from_options_);
  auto reader = from_->ReadReplica(kSource);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ((*reader)->Next().status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(DataStoreSnapshotTest, leftovers_are_removed_at_the_next_start) {
  Fill(*from_, kSource, 10, "v", 40);
  {
    auto given_up = Stage(ReadAll(*from_, kSource));
    EXPECT_EQ(StagedFiles(), 1U);
  }
  EXPECT_EQ(StagedFiles(), 0U);
  std::ofstream(to_options_.path + "-incoming/7-1.sst") << "half a file";
  to_.reset();
  to_ = MustOpen(to_options_);
  EXPECT_EQ(StagedFiles(), 0U);
}

TEST_F(DataStoreSnapshotTest, log_kept_until_effects_flushed) {
  const auto flushed = [&](ReplicaId replica) { return from_->FlushedIndex(replica).value(); };
  Fill(*from_, kSource, 10, "v", 40);
  EXPECT_EQ(flushed(kSource), 0U);
  ASSERT_TRUE(from_->Flush().ok());
  EXPECT_EQ(flushed(kSource), 40U);
  Fill(*from_, kSource, 10, "v", 50);
  Fill(*from_, kNeighbour, 10, "v", 5);
  EXPECT_EQ(flushed(kSource), 40U);
  EXPECT_EQ(flushed(kNeighbour), 0U);
  ASSERT_TRUE(from_->Flush().ok());
  EXPECT_EQ(flushed(kSource), 50U);
  EXPECT_EQ(flushed(kNeighbour), 5U);
  ASSERT_TRUE(from_->DestroyReplica(kNeighbour).ok());
  EXPECT_EQ(flushed(kNeighbour), 0U);

  // After a start everything that is read is flushed; what is applied then is not.
  from_.reset();
  from_ = MustOpen(from_options_);
  ASSERT_TRUE(from_->LoadMeta(kSource).ok());
  EXPECT_EQ(flushed(kSource), 50U);
  Fill(*from_, kSource, 1, "v", 60);
  ASSERT_TRUE(from_->LoadMeta(kSource).ok());
  EXPECT_EQ(flushed(kSource), 50U);
}

TEST_F(DataStoreSnapshotTest, what_rocksdb_flushes_by_itself_counts) {
  from_.reset();
  from_options_.write_buffer_bytes = 64 << 10;
  from_ = MustOpen(from_options_);
  uint64_t applied = 0;
  while (from_->FlushedIndex(kSource).IsZero() && applied < 100'000) {
    Fill(*from_, kSource, 1, std::string(1000, 'v'), ++applied);
  }
  const uint64_t flushed = from_->FlushedIndex(kSource).value();
  EXPECT_GT(flushed, 0U);
  EXPECT_LT(flushed, applied);
}

}  // namespace
}  // namespace quorate
