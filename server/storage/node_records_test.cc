#include "server/storage/node_records.h"

#include <gtest/gtest.h>

#include "server/storage/log_store.h"
#include "server/storage/test_folder.h"

namespace quorate {
namespace {

class NodeRecordsTest : public testing::Test {
 protected:
  void SetUp() override { Open(); }
  void Open() {
    store_.reset();
    store_ = LogStore::Open({.path = folder_.Sub("log")}).value();
  }

  TestFolder folder_;
  std::unique_ptr<LogStore> store_;
};

TEST_F(NodeRecordsTest, NewFolderHasNone) {
  const NodeRecords records(store_.get());
  EXPECT_EQ(records.LoadIdentity().value(), std::nullopt);
  EXPECT_EQ(records.LoadClusterCache().value(), "");
  EXPECT_EQ(records.LoadRolledBack().value(), RolledBackDisk());
  EXPECT_EQ(records.LoadMachine().value(), std::nullopt);
}

TEST_F(NodeRecordsTest, SurviveARestart) {
  const NodeIdentity identity{.cluster_id = std::string(16, '\1'),
                              .node_id = 7,
                              .disk_id = std::string(16, '\2'),
                              .boot = 3,
                              .nonce = 99,
                              .clean_stop = true};
  ASSERT_TRUE(NodeRecords(store_.get()).SaveIdentity(identity).ok());
  ASSERT_TRUE(NodeRecords(store_.get()).SaveClusterCache("state").ok());
  const RolledBackDisk rolled_back{.batch = 5, .first_sound = ReplicaId(9)};
  ASSERT_TRUE(NodeRecords(store_.get()).SaveRolledBack(rolled_back).ok());
  const MachineRecord machine{.boot_id = "a-b", .power_losses = 4};
  ASSERT_TRUE(NodeRecords(store_.get()).SaveMachine(machine).ok());
  Open();
  EXPECT_EQ(NodeRecords(store_.get()).LoadIdentity().value(), identity);
  EXPECT_EQ(NodeRecords(store_.get()).LoadClusterCache().value(), "state");
  EXPECT_EQ(NodeRecords(store_.get()).LoadRolledBack().value(), rolled_back);
  EXPECT_EQ(NodeRecords(store_.get()).LoadMachine().value(), machine);
}

TEST_F(NodeRecordsTest, NewerFormatAndDamageAreRefused) {
  ASSERT_TRUE(store_->PutNodeRecord("identity", "\x02rest").ok());
  EXPECT_EQ(NodeRecords(store_.get()).LoadIdentity().status().code(),
            absl::StatusCode::kUnimplemented);
  ASSERT_TRUE(store_->PutNodeRecord("rolled_back", "\x01").ok());
  EXPECT_EQ(NodeRecords(store_.get()).LoadRolledBack().status().code(),
            absl::StatusCode::kDataLoss);
  ASSERT_TRUE(store_->PutNodeRecord("machine", "\x01").ok());
  EXPECT_EQ(NodeRecords(store_.get()).LoadMachine().status().code(), absl::StatusCode::kDataLoss);
  ASSERT_TRUE(store_->PutNodeRecord("identity", "\x01").ok());
  EXPECT_EQ(NodeRecords(store_.get()).LoadIdentity().status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace quorate
