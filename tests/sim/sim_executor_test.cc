#include "tests/sim/sim_executor.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <vector>

namespace quorate::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class SimExecutorTest : public ::testing::Test {
 protected:
  SimScheduler scheduler_{1};
  SimClock clock_{&scheduler_, Duration::zero()};
  SimExecutor executor_{&scheduler_, &clock_, {.node = 3, .label = "worker"}};
};

TEST_F(SimExecutorTest, RunsTasksInOrderAndCountsThem) {
  std::vector<int> ran;
  for (int i = 0; i < 5; ++i) executor_.Post([&ran, i] { ran.push_back(i); });
  EXPECT_EQ(executor_.QueueLength(), 5u);
  EXPECT_TRUE(ran.empty());
  scheduler_.RunFor(seconds(1));
  EXPECT_EQ(ran, (std::vector<int>{0, 1, 2, 3, 4}));
  EXPECT_EQ(executor_.QueueLength(), 0u);
}

// What waits comes first; what a task posts is for after it.
TEST_F(SimExecutorTest, RunsAtOnceForWhoeverWaits) {
  std::vector<int> ran;
  executor_.Post([&ran] { ran.push_back(0); });
  executor_.RunAtOnce();
  EXPECT_EQ(ran, (std::vector<int>{0}));
  executor_.Post([&] {
    executor_.Post([&ran] { ran.push_back(2); });
    ran.push_back(1);
  });
  EXPECT_EQ(ran, (std::vector<int>{0, 1, 2}));
  scheduler_.RunFor(seconds(1));
  EXPECT_EQ(ran.size(), 3u);
}

TEST_F(SimExecutorTest, KnowsWhenItRuns) {
  EXPECT_FALSE(executor_.IsCurrent());
  bool current = false;
  uint32_t node = kNoNode;
  executor_.Post([&] {
    current = executor_.IsCurrent();
    node = SimExecutor::CurrentNode();
    const SimExecutor::NoneCurrent none;
    EXPECT_FALSE(executor_.IsCurrent());
  });
  scheduler_.RunFor(seconds(1));
  EXPECT_TRUE(current);
  EXPECT_EQ(node, 3u);
  EXPECT_EQ(SimExecutor::CurrentNode(), kNoNode);
}

TEST_F(SimExecutorTest, TimerIsNeverEarly) {
  const MonotonicTime when = clock_.Now() + milliseconds(10);
  MonotonicTime ran;
  executor_.PostAt(when, [&] { ran = clock_.Now(); });
  scheduler_.RunFor(seconds(1));
  EXPECT_GE(ran, when);
  EXPECT_LE(ran, when + milliseconds(1));
}

TEST_F(SimExecutorTest, TimerFollowsTheNodesOwnClock) {
  const MonotonicTime when = clock_.Now() + seconds(1);
  MonotonicTime ran;
  executor_.PostAt(when, [&] { ran = clock_.Now(); });
  clock_.SetBootRate(0.5);
  scheduler_.RunFor(milliseconds(1900));
  EXPECT_EQ(ran, MonotonicTime());
  scheduler_.RunFor(milliseconds(200));
  EXPECT_GE(ran, when);
}

TEST_F(SimExecutorTest, CancelHoldsEvenForATimerThatIsDueAndWaits) {
  bool ran = false;
  bool cancelled = false;
  TimerId timer = 0;
  // The loop is busy for 50 ms; meanwhile the timer falls due behind the task that cancels it.
  executor_.SetExtraCost(milliseconds(50));
  timer = executor_.PostAt(clock_.Now() + milliseconds(10), [&] { ran = true; });
  executor_.Post([&] { cancelled = executor_.Cancel(timer); });
  scheduler_.RunFor(seconds(1));
  EXPECT_TRUE(cancelled);
  EXPECT_FALSE(ran);
  EXPECT_FALSE(executor_.Cancel(timer));
}

TEST_F(SimExecutorTest, PauseHoldsTasksAndTimers) {
  int ran = 0;
  executor_.Post([&] { ++ran; });
  executor_.PostAt(clock_.Now() + milliseconds(1), [&] { ++ran; });
  executor_.Pause();
  scheduler_.RunFor(seconds(1));
  EXPECT_EQ(ran, 0);
  executor_.Resume();
  scheduler_.RunFor(milliseconds(1));
  EXPECT_EQ(ran, 2);
}

TEST_F(SimExecutorTest, KillDropsAllAndRefusesMore) {
  auto held = std::make_shared<int>(0);
  executor_.Post([held] { ++*held; });
  executor_.PostAt(clock_.Now() + milliseconds(1), [held] { ++*held; });
  executor_.Kill();
  EXPECT_FALSE(executor_.Post([held] { ++*held; }));
  executor_.DropWork();
  EXPECT_EQ(held.use_count(), 1);
  scheduler_.RunFor(seconds(1));
  EXPECT_EQ(*held, 0);
}

TEST_F(SimExecutorTest, EventsOutliveTheExecutor) {
  auto other = std::make_unique<SimExecutor>(&scheduler_, &clock_, SimExecutorOptions{});
  other->Post([] { FAIL(); });
  other->PostAt(clock_.Now() + milliseconds(1), [] { FAIL(); });
  other.reset();
  scheduler_.RunFor(seconds(1));
}

TEST(SimExecutorSeedTest, SeedsInterleaveLoopsDifferently) {
  std::set<std::vector<int>> orders;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SimScheduler scheduler(seed);
    SimClock clock(&scheduler, Duration::zero());
    SimExecutor a(&scheduler, &clock, {.node = 0});
    SimExecutor b(&scheduler, &clock, {.node = 1});
    std::vector<int> order;
    for (int i = 0; i < 3; ++i) {
      a.Post([&] { order.push_back(0); });
      b.Post([&] { order.push_back(1); });
    }
    scheduler.RunFor(seconds(1));
    orders.insert(order);
  }
  EXPECT_GE(orders.size(), 5u);
}

}  // namespace
}  // namespace quorate::sim
