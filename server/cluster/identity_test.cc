#include "server/cluster/identity.h"

#include "gtest/gtest.h"
#include "rocksdb/env.h"
#include "server/storage/log_store.h"
#include "server/storage/lost_writes_mark.h"
#include "server/storage/test_folder.h"

namespace quorate {
namespace {

// A node's lives on machines' boots.
class PowerLossesTest : public testing::Test {
 protected:
  uint64_t Start(const std::string& boot_id) {
    auto losses = CountPowerLosses(store_.get(), boot_id);
    EXPECT_TRUE(losses.ok()) << losses.status();
    EXPECT_TRUE(BeginBoot(&records_, ++seed_).ok());
    return losses.value_or(0);
  }
  void StopCleanly() {
    auto identity = records_.LoadIdentity().value().value();
    identity.clean_stop = true;
    EXPECT_TRUE(records_.SaveIdentity(identity).ok());
  }

  // The process ends, having seen an fsync of its log fail behind writes that were not synced.
  void DieWithLostWrites() {
    EXPECT_TRUE(LostWritesMark(rocksdb::Env::Default(), path_).Set("fsync failed").ok());
  }

  TestFolder folder_;
  const std::string path_ = folder_.Sub("log");
  std::unique_ptr<LogStore> store_ = LogStore::Open({.path = path_}).value();
  NodeRecords records_{store_.get()};
  uint64_t seed_ = 0;
};

TEST_F(PowerLossesTest, NewFolderHasLostNothing) { EXPECT_EQ(Start("a"), 0u); }

TEST_F(PowerLossesTest, CrashOfTheProcessAloneLosesNothing) {
  Start("a");
  EXPECT_EQ(Start("a"), 0u);
}

TEST_F(PowerLossesTest, StopOfTheMachineUnderTheNodeCountsOnce) {
  Start("a");
  EXPECT_EQ(Start("b"), 1u);
  EXPECT_EQ(Start("b"), 1u);
  EXPECT_EQ(Start("c"), 2u);
}

TEST_F(PowerLossesTest, StopOfTheMachineAfterACleanStopLosesNothing) {
  Start("a");
  StopCleanly();
  EXPECT_EQ(Start("b"), 0u);
  EXPECT_EQ(Start("c"), 1u) << "the mark is of one life only";
}

TEST_F(PowerLossesTest, CrashAtTheStartOfANewLifeForgetsNothing) {
  Start("a");
  EXPECT_EQ(CountPowerLosses(store_.get(), "b").value(), 1u);
  EXPECT_EQ(Start("b"), 1u);
  StopCleanly();
  EXPECT_EQ(CountPowerLosses(store_.get(), "c").value(), 1u);
  EXPECT_EQ(CountPowerLosses(store_.get(), "d").value(), 1u) << "nothing was written in c";
  EXPECT_EQ(Start("d"), 1u);
}

TEST_F(PowerLossesTest, LostWritesCountOnceOnTheSameBootToo) {
  Start("a");
  DieWithLostWrites();
  EXPECT_EQ(Start("a"), 1u);
  EXPECT_EQ(Start("a"), 1u);
  DieWithLostWrites();
  EXPECT_EQ(Start("b"), 2u) << "one loss, of whatever kind";
  EXPECT_EQ(Start("b"), 2u);
}

TEST_F(PowerLossesTest, MachineThatCannotTellIsTakenForStopped) {
  Start("");
  EXPECT_EQ(Start(""), 1u);
  StopCleanly();
  EXPECT_EQ(Start(""), 1u);
}

}  // namespace
}  // namespace quorate
