// Method: opens a copy of a folder that an earlier build wrote (tests/formats/v1). Oracle: all that
// golden_content.h says is there, byte for byte. A failure means that data of users would be lost
// or refused: give the format a new number and keep reading the old one.
#include <gtest/gtest.h>

#include <filesystem>

#include "server/storage/data_store.h"
#include "server/storage/log_store.h"
#include "server/storage/test_folder.h"
#include "tests/formats/golden_content.h"

namespace quorate::golden {
namespace {

class GoldenStoreTest : public testing::Test {
 protected:
  GoldenStoreTest() {
    std::filesystem::copy(std::string(QUORATE_GOLDEN_FOLDER) + "/v1", folder_.Sub("v1"),
                          std::filesystem::copy_options::recursive);
  }
  TestFolder folder_;
};

TEST_F(GoldenStoreTest, LogOfFormat1Opens) {
  auto store = LogStore::Open({.path = folder_.Sub("v1/log")});
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->DurableBatch(), 2u);
  // The head of format 1 does not hold the membership.
  const raft::Configuration founding{.voters = {kReplica}, .outgoing = {}, .learners = {}};
  const auto log = (*store)->OpenGroup(kGroup, kReplica, founding);
  ASSERT_TRUE(log.ok()) << log.status();
  EXPECT_EQ((*log)->CompactedConfiguration(), founding);
  EXPECT_EQ((*log)->InitialHardState(), kHardState);
  const std::vector<raft::Entry> expected = Entries();
  const auto entries = (*log)->Entries(raft::LogIndex(1), (*log)->LastIndex(), SIZE_MAX);
  ASSERT_TRUE(entries.ok()) << entries.status();
  ASSERT_EQ(entries->size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ((*entries)[i].term, expected[i].term);
    EXPECT_EQ((*entries)[i].kind, expected[i].kind);
    ASSERT_EQ((*entries)[i].payload == nullptr, expected[i].payload == nullptr);
    if (expected[i].payload) EXPECT_EQ(*(*entries)[i].payload, *expected[i].payload);
  }
  const NodeRecords records(store->get());
  EXPECT_EQ(records.LoadIdentity().value(), Identity());
  EXPECT_EQ(records.LoadClusterCache().value(), kClusterState);
}

TEST_F(GoldenStoreTest, DataOfFormat1Opens) {
  auto store = DataStore::Open({.path = folder_.Sub("v1/data")});
  ASSERT_TRUE(store.ok()) << store.status();
  const auto value = (*store)->Get(kReplica, "key");
  ASSERT_TRUE(value.ok() && value->has_value()) << value.status();
  EXPECT_EQ((*value)->version, kVersion);
  EXPECT_EQ((*value)->value, "value");
  EXPECT_EQ((*value)->expiry_us, 12u);
  const ReplicaChecksum checksum = (*store)->Checksum((*store)->Snapshot(), kReplica).value();
  EXPECT_EQ(checksum.keys, 2u);
  EXPECT_EQ(checksum.hash, 0x49088575a73ec65cu);
  EXPECT_EQ((*store)->LoadMeta(kReplica).value()->applied_index(), 3u);
  const auto rows = (*store)->LoadRequestRows(kReplica).value();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].request_id().sequence(), 6u);
  EXPECT_EQ(rows[0].result().version(), kVersion.ToBytes());
  EXPECT_EQ((*store)->LoadClusterState(kReplica).value(), kClusterState);
}

}  // namespace
}  // namespace quorate::golden
