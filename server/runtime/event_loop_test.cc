#include "server/runtime/event_loop.h"

#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "server/runtime/clock.h"

namespace quorate {
namespace {

using std::chrono::milliseconds;

class EventLoopTest : public ::testing::Test {
 protected:
  // Runs `task` on the loop and waits for its end.
  void RunOnLoop(Task task) {
    // Shared, since set_value may still be at work when wait returns.
    auto done = std::make_shared<std::promise<void>>();
    ASSERT_TRUE(loop_.Post([&task, done] {
      task();
      done->set_value();
    }));
    done->get_future().wait();
  }

  KernelClock clock_;
  EventLoop loop_{"event_loop_test", &clock_};
};

TEST_F(EventLoopTest, RunsTasksInOrderOfPost) {
  std::vector<int> ran;
  for (int i = 0; i < 1000; ++i) loop_.Post([&ran, i] { ran.push_back(i); });
  loop_.Stop();
  ASSERT_EQ(ran.size(), 1000u);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(ran[static_cast<size_t>(i)], i);
}

TEST_F(EventLoopTest, TakesTasksFromManyThreads) {
  int ran = 0;
  std::vector<std::thread> posters;
  for (int t = 0; t < 4; ++t) {
    posters.emplace_back([&] {
      for (int i = 0; i < 10'000; ++i) loop_.Post([&ran] { ++ran; });
    });
  }
  for (std::thread& poster : posters) poster.join();
  loop_.Stop();
  EXPECT_EQ(ran, 40'000);
  EXPECT_EQ(loop_.QueueLength(), 0u);
}

TEST_F(EventLoopTest, StopRunsWhatWasPostedAndDropsTheRest) {
  bool nested_accepted = true;
  bool ran = false;
  std::promise<void> stopping;
  loop_.Post([&] { stopping.get_future().wait(); });
  loop_.Post([&] {
    ran = true;
    nested_accepted = loop_.Post([] {});
  });
  std::thread stopper([&] { loop_.Stop(); });
  while (loop_.Post([] {})) std::this_thread::yield();
  stopping.set_value();
  stopper.join();
  EXPECT_TRUE(ran);
  EXPECT_FALSE(nested_accepted);
  EXPECT_FALSE(loop_.Post([] {}));
}

TEST_F(EventLoopTest, TimersRunInTimeOrderAndNeverEarly) {
  // A machine that stands still while they are set may let the first fall due before the last is
  // set: then once more, with more time.
  bool set_in_time = false;
  for (milliseconds unit(10); !set_in_time; unit *= 2) {
    std::vector<int> ran;
    std::promise<void> done;
    const MonotonicTime start = clock_.Now();
    MonotonicTime first_ran;
    const auto run = [&](int number) {
      ran.push_back(number);
      if (number == 1) first_ran = clock_.Now();
      if (ran.size() == 3) done.set_value();
    };
    loop_.PostAt(start + 3 * unit, [&] { run(3); });
    loop_.PostAt(start + unit, [&] { run(1); });
    RunOnLoop([&] {
      loop_.PostAt(start + 2 * unit, [&] { run(2); });
      set_in_time = clock_.Now() < start + unit;
    });
    done.get_future().wait();
    RunOnLoop([] {});  // the timer that told has ended
    EXPECT_GE(first_ran, start + unit);
    if (set_in_time) {
      EXPECT_EQ(ran, (std::vector<int>{1, 2, 3}));
    }
  }
}

TEST_F(EventLoopTest, CancelledTimerDoesNotRun) {
  bool ran = false;
  const TimerId from_outside =
      loop_.PostAt(clock_.Now() + std::chrono::hours(1), [&] { ran = true; });
  RunOnLoop([&] {
    const TimerId from_loop = loop_.PostAt(clock_.Now(), [&] { ran = true; });
    EXPECT_NE(from_loop, from_outside);
    EXPECT_TRUE(loop_.Cancel(from_loop));
    EXPECT_TRUE(loop_.Cancel(from_outside));
    EXPECT_FALSE(loop_.Cancel(from_outside));
    EXPECT_FALSE(loop_.Cancel(0));
  });
  std::promise<void> later;
  loop_.PostAt(clock_.Now() + milliseconds(10), [&] { later.set_value(); });
  later.get_future().wait();
  loop_.Stop();
  EXPECT_FALSE(ran);
}

TEST_F(EventLoopTest, DueTimersAreNotStarvedByABurst) {
  bool timer_ran = false;
  size_t ran_before_timer = 0;
  RunOnLoop([&] {
    const MonotonicTime due = clock_.Now() + milliseconds(5);
    loop_.PostAt(due, [&] { timer_ran = true; });
    // Falls due while the burst is already under way.
    loop_.Post([&, due] {
      while (clock_.Now() < due) std::this_thread::yield();
    });
    for (int i = 0; i < 1000; ++i) {
      loop_.Post([&] { ran_before_timer += timer_ran ? 0 : 1; });
    }
  });
  loop_.Stop();
  EXPECT_TRUE(timer_ran);
  EXPECT_LE(ran_before_timer, 64u);
}

TEST_F(EventLoopTest, TimersThatSetThemselvesAnewLeaveRoomForTasks) {
  std::atomic<bool> stop{false};
  std::function<void()> again = [&] {
    if (!stop) loop_.PostAt(clock_.Now(), [&] { again(); });
  };
  loop_.Post([&] { again(); });
  RunOnLoop([] {});  // hangs when the timer keeps the loop for itself
  stop = true;
  loop_.Stop();
}

TEST_F(EventLoopTest, KnowsItsOwnThread) {
  EXPECT_FALSE(loop_.IsCurrent());
  bool current = false;
  RunOnLoop([&] { current = loop_.IsCurrent(); });
  EXPECT_TRUE(current);
}

TEST_F(EventLoopTest, CountsWhatWaits) {
  std::promise<void> go;
  std::promise<void> began;
  loop_.Post([&] {
    began.set_value();
    go.get_future().wait();
  });
  began.get_future().wait();
  loop_.Post([] {});
  loop_.Post([] {});
  EXPECT_EQ(loop_.QueueLength(), 2u);
  go.set_value();
  loop_.Stop();
}

TEST_F(EventLoopTest, DroppedTimersFreeWhatTheyHold) {
  auto held = std::make_shared<int>(1);
  loop_.PostAt(clock_.Now() + std::chrono::hours(1), [held] {});
  RunOnLoop([] {});
  loop_.Stop();
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace quorate
