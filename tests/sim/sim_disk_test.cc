#include "tests/sim/sim_disk.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

namespace quorate::sim {
namespace {

class SimDiskTest : public ::testing::Test {
 protected:
  SimDiskTest() { disk_.MakeDurableDirectory("/data"); }

  InodePtr Create(const std::string& path) {
    InodePtr file;
    EXPECT_EQ(disk_.Create(disk_.life(), path, &file), DiskError::kOk);
    return file;
  }
  DiskError Append(const std::string& path, const std::string& bytes) {
    const InodePtr file = disk_.Find(disk_.life(), path);
    return disk_.Append(disk_.life(), path, *file, bytes);
  }
  DiskError Sync(const std::string& path) {
    return disk_.Sync(disk_.life(), path, *disk_.Find(disk_.life(), path));
  }
  DiskError SyncDirectory() { return disk_.SyncDirectory(disk_.life(), "/data"); }
  void CreateDurable(const std::string& path, const std::string& bytes) {
    Create(path);
    EXPECT_EQ(Append(path, bytes), DiskError::kOk);
    EXPECT_EQ(Sync(path), DiskError::kOk);
    EXPECT_EQ(SyncDirectory(), DiskError::kOk);
  }

  SimScheduler scheduler_{1};
  SimClock clock_{&scheduler_, Duration::zero()};
  SimDisk disk_{&scheduler_, &clock_, 0};
};

TEST_F(SimDiskTest, SyncedBytesSurvivePowerLoss) {
  CreateDurable("/data/f", "synced");
  Append("/data/f", "lost");
  EXPECT_EQ(disk_.Contents("/data/f"), "syncedlost");
  disk_.Crash(CrashKind::kPowerLossWorst);
  EXPECT_EQ(disk_.Contents("/data/f"), "synced");
}

TEST_F(SimDiskTest, UnsyncedBytesAreLostKeptOrTorn) {
  CreateDurable("/data/f", "synced");
  std::set<std::string> seen;
  for (int i = 0; i < 200; ++i) {
    Append("/data/f", "1234");
    disk_.Crash(CrashKind::kPowerLoss);
    const std::string contents = *disk_.Contents("/data/f");
    ASSERT_TRUE(std::string("synced1234").starts_with(contents));
    ASSERT_GE(contents.size(), 6u);
    seen.insert(contents);
    const InodePtr file = disk_.Find(disk_.life(), "/data/f");
    ASSERT_EQ(disk_.Truncate(disk_.life(), "/data/f", *file, 6), DiskError::kOk);
    ASSERT_EQ(Sync("/data/f"), DiskError::kOk);
  }
  EXPECT_EQ(seen.size(), 5u);
}

TEST_F(SimDiskTest, DeathOfTheProcessLosesNothing) {
  Create("/data/f");
  Append("/data/f", "written");
  disk_.Crash(CrashKind::kProcess);
  EXPECT_EQ(disk_.Contents("/data/f"), "written");
  // Still not synced: a power loss after it may take it.
  disk_.Crash(CrashKind::kPowerLossWorst);
  EXPECT_EQ(disk_.Contents("/data/f"), std::nullopt);
}

TEST_F(SimDiskTest, NewFileNeedsADirectorySync) {
  Create("/data/f");
  Append("/data/f", "synced");
  Sync("/data/f");
  disk_.Crash(CrashKind::kPowerLossWorst);
  EXPECT_EQ(disk_.Contents("/data/f"), std::nullopt);
}

TEST_F(SimDiskTest, RenameAndDeleteNeedADirectorySync) {
  CreateDurable("/data/old", "1");
  CreateDurable("/data/gone", "2");
  CreateDurable("/data/new.tmp", "3");
  EXPECT_EQ(disk_.Rename(disk_.life(), "/data/new.tmp", "/data/old"), DiskError::kOk);
  EXPECT_EQ(disk_.Remove(disk_.life(), "/data/gone", false), DiskError::kOk);
  EXPECT_EQ(disk_.Contents("/data/old"), "3");
  disk_.Crash(CrashKind::kPowerLossWorst);
  EXPECT_EQ(disk_.Contents("/data/old"), "1");
  EXPECT_EQ(disk_.Contents("/data/new.tmp"), "3");
  EXPECT_EQ(disk_.Contents("/data/gone"), "2");
  EXPECT_EQ(disk_.Rename(disk_.life(), "/data/new.tmp", "/data/old"), DiskError::kOk);
  SyncDirectory();
  disk_.Crash(CrashKind::kPowerLossWorst);
  EXPECT_EQ(disk_.Contents("/data/old"), "3");
  EXPECT_EQ(disk_.Contents("/data/new.tmp"), std::nullopt);
}

TEST_F(SimDiskTest, RenameIsSeenWholeOrNotAtAll) {
  int renamed = 0;
  for (int i = 0; i < 100; ++i) {
    CreateDurable("/data/old", "1");
    CreateDurable("/data/new.tmp", "2");
    disk_.Rename(disk_.life(), "/data/new.tmp", "/data/old");
    disk_.Crash(CrashKind::kPowerLoss);
    const bool done = disk_.Contents("/data/old") == "2";
    EXPECT_EQ(disk_.Contents("/data/new.tmp") == std::nullopt, done);
    renamed += done ? 1 : 0;
  }
  EXPECT_GT(renamed, 10);
  EXPECT_LT(renamed, 90);
}

// As a journal does; RocksDB's CURRENT may not name a MANIFEST that is gone.
TEST_F(SimDiskTest, NamesAreKeptInTheirOrder) {
  int kept = 0;
  for (int i = 0; i < 100; ++i) {
    Create("/data/first");
    Create("/data/second");
    disk_.Crash(CrashKind::kPowerLoss);
    const bool first = disk_.Contents("/data/first").has_value();
    const bool second = disk_.Contents("/data/second").has_value();
    EXPECT_TRUE(first || !second);
    kept += static_cast<int>(first) + static_cast<int>(second);
    disk_.Remove(disk_.life(), "/data/first", false);
    disk_.Remove(disk_.life(), "/data/second", false);
    SyncDirectory();
  }
  EXPECT_GT(kept, 50);
  EXPECT_LT(kept, 150);
}

TEST_F(SimDiskTest, DirectoryNeedsItsParentsSync) {
  EXPECT_EQ(disk_.MakeDirectory(disk_.life(), "/data/db"), DiskError::kOk);
  Create("/data/db/f");
  Append("/data/db/f", "x");
  Sync("/data/db/f");
  EXPECT_EQ(disk_.SyncDirectory(disk_.life(), "/data/db"), DiskError::kOk);
  disk_.Crash(CrashKind::kPowerLossWorst);
  EXPECT_EQ(disk_.Contents("/data/db/f"), std::nullopt);
}

TEST_F(SimDiskTest, BytesOfAFailedSyncAreNotWrittenByALaterOne) {
  CreateDurable("/data/f", "good");
  Append("/data/f", "bad!");
  disk_.FailSyncs(1);
  EXPECT_EQ(Sync("/data/f"), DiskError::kIo);
  EXPECT_EQ(Sync("/data/f"), DiskError::kOk);
  EXPECT_EQ(disk_.Contents("/data/f"), "goodbad!");
  disk_.Crash(CrashKind::kPowerLossWorst);
  EXPECT_EQ(disk_.Contents("/data/f"), std::string("good\0\0\0\0", 8));
}

TEST_F(SimDiskTest, LyingSyncSavesNothing) {
  CreateDurable("/data/f", "good");
  disk_.SetLyingSyncs(true);
  Append("/data/f", "more");
  EXPECT_EQ(Sync("/data/f"), DiskError::kOk);
  disk_.Crash(CrashKind::kPowerLossWorst);
  EXPECT_EQ(disk_.Contents("/data/f"), "good");
}

TEST_F(SimDiskTest, FullDiskRefusesWritesUntilThereIsSpace) {
  CreateDurable("/data/f", "x");
  disk_.SetWriteError(DiskError::kNoSpace);
  EXPECT_EQ(Append("/data/f", "y"), DiskError::kNoSpace);
  InodePtr file;
  EXPECT_EQ(disk_.Create(disk_.life(), "/data/g", &file), DiskError::kNoSpace);
  disk_.SetWriteError(DiskError::kOk);
  EXPECT_EQ(Append("/data/f", "y"), DiskError::kOk);
}

TEST_F(SimDiskTest, EarlierLifeChangesNothing) {
  CreateDurable("/data/f", "1");
  const uint64_t dead = disk_.life();
  const InodePtr file = disk_.Find(dead, "/data/f");
  disk_.Crash(CrashKind::kProcess);
  EXPECT_EQ(disk_.Append(dead, "/data/f", *file, "2"), DiskError::kDead);
  EXPECT_EQ(disk_.Remove(dead, "/data/f", false), DiskError::kDead);
  EXPECT_EQ(disk_.Find(dead, "/data/f"), nullptr);
  EXPECT_EQ(disk_.Contents("/data/f"), "1");
}

TEST_F(SimDiskTest, ArmedCrashStopsTheChangeItFallsOn) {
  CreateDurable("/data/f", "");
  int crashes = 0;
  disk_.ArmCrash(3, [&] { ++crashes; });
  EXPECT_EQ(Append("/data/f", "1"), DiskError::kOk);
  EXPECT_EQ(Sync("/data/f"), DiskError::kOk);
  EXPECT_EQ(Append("/data/f", "2"), DiskError::kDead);
  EXPECT_EQ(crashes, 1);
  EXPECT_EQ(Append("/data/f", "3"), DiskError::kDead);
  disk_.Crash(CrashKind::kPowerLoss);
  EXPECT_EQ(disk_.Contents("/data/f"), "1");
  EXPECT_EQ(crashes, 1);
}

TEST_F(SimDiskTest, LocksEndWithTheLife) {
  EXPECT_EQ(disk_.Lock(disk_.life(), "/data/LOCK"), DiskError::kOk);
  EXPECT_EQ(disk_.Lock(disk_.life(), "/data/LOCK"), DiskError::kLocked);
  disk_.Crash(CrashKind::kProcess);
  EXPECT_EQ(disk_.Lock(disk_.life(), "/data/LOCK"), DiskError::kOk);
}

TEST_F(SimDiskTest, FlippedBitStaysFlipped) {
  CreateDurable("/data/f", "a");
  EXPECT_TRUE(disk_.FlipBit("/data/f", 0, 1));
  EXPECT_FALSE(disk_.FlipBit("/data/f", 1, 1));
  EXPECT_EQ(disk_.Contents("/data/f"), "c");
}

}  // namespace
}  // namespace quorate::sim
