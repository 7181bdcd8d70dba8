#include "tests/sim/sim_scheduler.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/sim/sim_clock.h"

namespace quorate::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(SimSchedulerTest, RunsByTimeThenByOrderOfPosting) {
  SimScheduler scheduler(1);
  std::vector<int> ran;
  scheduler.After(milliseconds(2), "test", 0, [&] { ran.push_back(3); });
  scheduler.After(milliseconds(1), "test", 0, [&] { ran.push_back(1); });
  scheduler.After(milliseconds(1), "test", 0, [&] { ran.push_back(2); });
  const MonotonicTime start = scheduler.Now();
  scheduler.RunFor(milliseconds(1));
  EXPECT_EQ(ran, (std::vector<int>{1, 2}));
  EXPECT_EQ(scheduler.Now(), start + milliseconds(1));
  scheduler.RunFor(seconds(1));
  EXPECT_EQ(ran, (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(scheduler.Now(), start + milliseconds(1001));
  EXPECT_FALSE(scheduler.RunOne());
}

TEST(SimSchedulerTest, PastIsNow) {
  SimScheduler scheduler(1);
  const MonotonicTime start = scheduler.Now();
  scheduler.At(start - seconds(1), "test", 0, [] {});
  scheduler.RunOne();
  EXPECT_EQ(scheduler.Now(), start);
}

TEST(SimSchedulerTest, RunUntilTrueStopsAtTheEventOrAtTheLimit) {
  SimScheduler scheduler(1);
  const MonotonicTime start = scheduler.Now();
  bool done = false;
  scheduler.After(seconds(2), "test", 0, [&] { done = true; });
  EXPECT_FALSE(scheduler.RunUntilTrue([&] { return done; }, seconds(1)));
  EXPECT_EQ(scheduler.Now(), start + seconds(1));
  EXPECT_TRUE(scheduler.RunUntilTrue([&] { return done; }, seconds(5)));
  EXPECT_EQ(scheduler.Now(), start + seconds(2));
}

TEST(SimSchedulerTest, HashDependsOnSeedTimeLabelAndNode) {
  const auto run = [](uint64_t seed, Duration when, const char* label, uint32_t node) {
    SimScheduler scheduler(seed);
    scheduler.After(when, label, node, [] {});
    scheduler.RunFor(seconds(1));
    return scheduler.hash();
  };
  const uint64_t base = run(1, milliseconds(1), "a", 0);
  EXPECT_EQ(run(1, milliseconds(1), "a", 0), base);
  EXPECT_NE(run(2, milliseconds(1), "a", 0), base);
  EXPECT_NE(run(1, milliseconds(2), "a", 0), base);
  EXPECT_NE(run(1, milliseconds(1), "b", 0), base);
  EXPECT_NE(run(1, milliseconds(1), "a", 1), base);
}

TEST(SimSchedulerTest, AfterEventHookSeesEachEvent) {
  SimScheduler scheduler(1);
  int seen = 0;
  scheduler.SetAfterEvent([&] { ++seen; });
  scheduler.After(milliseconds(1), "test", 0, [] {});
  scheduler.After(milliseconds(1), "test", 0, [] {});
  scheduler.RunFor(seconds(1));
  EXPECT_EQ(seen, 2);
}

TEST(SimClockTest, RatesAndJumpsTouchTheirOwnClockOnly) {
  SimScheduler scheduler(1);
  SimClock clock(&scheduler, seconds(100));
  const MonotonicTime boot = clock.Now();
  const WallMicros wall = clock.WallNow();
  EXPECT_EQ(boot, scheduler.Now() + seconds(100));
  clock.SetBootRate(2.0);
  scheduler.RunFor(seconds(1));
  EXPECT_EQ(clock.Now(), boot + seconds(2));
  EXPECT_EQ(clock.WallNow(), wall + 1'000'000);
  clock.JumpWall(-seconds(3600));
  clock.SetWallRate(0.5);
  clock.SetBootRate(1.0);
  scheduler.RunFor(seconds(1));
  EXPECT_EQ(clock.Now(), boot + seconds(3));
  EXPECT_EQ(clock.WallNow(), wall + 1'500'000 - 3'600'000'000);
  clock.SetBootRate(0.5);
  EXPECT_EQ(clock.ToVirtual(clock.Now() + seconds(1)), scheduler.Now() + seconds(2));
}

}  // namespace
}  // namespace quorate::sim
