#include "tests/sim/sim_runtime.h"

#include <gtest/gtest.h>
#include <rocksdb/env.h>

#include <memory>
#include <string>

namespace quorate::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class SimRuntimeTest : public ::testing::Test {
 protected:
  SimScheduler scheduler_{1};
  SimNetwork network_{&scheduler_};
  SimRuntime machine_{&scheduler_, &network_, {.node = 0, .address = "n0", .workers = 2}};
};

TEST_F(SimRuntimeTest, GivesEverySeam) {
  const Runtime& runtime = machine_.runtime();
  EXPECT_EQ(runtime.workers.size(), 2u);
  EXPECT_NE(runtime.log_writer, nullptr);
  EXPECT_NE(runtime.apply, nullptr);
  EXPECT_NE(runtime.background, nullptr);
  EXPECT_NE(runtime.network, nullptr);
  EXPECT_NE(runtime.env, nullptr);
  EXPECT_NE(runtime.clock, nullptr);
}

TEST_F(SimRuntimeTest, CrashSilencesTheProcessAndRestartBeginsAnother) {
  const Runtime dead = machine_.runtime();
  int ran = 0;
  dead.workers[0]->Post([&] { ++ran; });
  machine_.Crash(CrashKind::kProcess);
  EXPECT_FALSE(dead.workers[0]->Post([&] { ++ran; }));
  EXPECT_FALSE(network_.IsUp("n0"));
  machine_.Restart();
  EXPECT_TRUE(network_.IsUp("n0"));
  scheduler_.RunFor(seconds(1));
  EXPECT_EQ(ran, 0);
  EXPECT_NE(machine_.runtime().seed, dead.seed);
  EXPECT_TRUE(machine_.runtime().workers[0]->Post([&] { ++ran; }));
  scheduler_.RunFor(seconds(1));
  EXPECT_EQ(ran, 1);
  // The dead process's pointers are good for what destroys it.
  dead.network->SetReceiver(nullptr);
  EXPECT_GT(dead.clock->Now(), MonotonicTime());
}

TEST_F(SimRuntimeTest, OnlyALossOfPowerMakesAnotherBoot) {
  const std::string boot_id = machine_.runtime().boot_id;
  EXPECT_NE(boot_id, "");
  machine_.Crash(CrashKind::kProcess);
  machine_.Restart();
  EXPECT_EQ(machine_.runtime().boot_id, boot_id);
  machine_.Crash(CrashKind::kPowerLoss);
  machine_.Restart();
  EXPECT_NE(machine_.runtime().boot_id, boot_id);
}

TEST_F(SimRuntimeTest, PauseStopsEveryLoop) {
  int ran = 0;
  for (Executor* loop : {machine_.runtime().workers[1], machine_.runtime().log_writer,
                         machine_.runtime().apply, machine_.runtime().background}) {
    loop->Post([&] { ++ran; });
  }
  machine_.Pause();
  scheduler_.RunFor(seconds(1));
  EXPECT_EQ(ran, 0);
  machine_.Resume();
  scheduler_.RunFor(seconds(1));
  EXPECT_EQ(ran, 4);
}

TEST_F(SimRuntimeTest, ProcessMayCrashInItsOwnTask) {
  auto held = std::make_shared<int>(0);
  machine_.runtime().workers[0]->Post([&, held] { machine_.Crash(CrashKind::kPowerLoss); });
  machine_.runtime().workers[0]->Post([held] { ++*held; });
  scheduler_.RunFor(seconds(1));
  EXPECT_TRUE(machine_.crashed());
  EXPECT_EQ(*held, 0);
  EXPECT_EQ(held.use_count(), 1);
}

TEST_F(SimRuntimeTest, ArmedCrashLetsNothingOutAfterwards) {
  SimRuntime other(&scheduler_, &network_, {.node = 1, .address = "n1"});
  int received = 0;
  other.runtime().network->SetReceiver([&](const std::string& /*bytes*/) { ++received; });
  machine_.ArmCrashAtDiskOperation(1);
  bool write_failed = false;
  machine_.runtime().log_writer->Post([&] {
    machine_.runtime().network->Send("n1", "before");
    write_failed =
        !rocksdb::WriteStringToFile(machine_.runtime().env, "x", "/data/f", /*should_sync=*/true)
             .ok();
    machine_.runtime().network->Send("n1", "after");
    EXPECT_FALSE(machine_.runtime().workers[0]->Post([] {}));
  });
  int crashes = 0;
  scheduler_.SetAfterEvent([&] {
    if (machine_.crash_pending()) {
      ++crashes;
      machine_.Crash(CrashKind::kPowerLoss);
    }
  });
  scheduler_.RunFor(seconds(1));
  EXPECT_TRUE(write_failed);
  EXPECT_EQ(crashes, 1);
  EXPECT_EQ(received, 1);
  machine_.Restart();
  EXPECT_EQ(machine_.disk().Contents("/data/f"), std::nullopt);
  scheduler_.SetAfterEvent(nullptr);
}

TEST_F(SimRuntimeTest, DiskAndClockOutliveTheProcess) {
  ASSERT_TRUE(rocksdb::WriteStringToFile(machine_.runtime().env, "x", "/data/f").ok());
  const MonotonicTime before = machine_.clock().Now();
  machine_.Crash(CrashKind::kProcess);
  machine_.Restart();
  std::string contents;
  ASSERT_TRUE(rocksdb::ReadFileToString(machine_.runtime().env, "/data/f", &contents).ok());
  EXPECT_EQ(contents, "x");
  EXPECT_GE(machine_.runtime().clock->Now(), before);
}

}  // namespace
}  // namespace quorate::sim
