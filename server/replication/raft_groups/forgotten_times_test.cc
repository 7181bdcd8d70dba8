#include "server/replication/raft_groups/forgotten_times.h"

#include <random>
#include <set>

#include "gtest/gtest.h"

namespace quorate {
namespace {

constexpr uint64_t kMinute = 60'000'000;
constexpr uint64_t kNow = 29'000'000 * kMinute;
constexpr uint64_t kYear = 365 * 24 * 60 * kMinute;

TEST(ForgottenTimesTest, NearTimesAreOneSpanWithAllBetweenThem) {
  ForgottenTimes times;
  EXPECT_FALSE(times.Contains(0));
  times.Add(kNow);
  times.Add(kNow + 10 * kMinute);
  times.Add(kNow - 10 * kMinute);
  EXPECT_TRUE(times.Contains(kNow + 5 * kMinute) && times.Contains(kNow - 10 * kMinute));
  EXPECT_FALSE(times.Contains(kNow + 10 * kMinute + 1) || times.Contains(kNow - 10 * kMinute - 1));
  times.Add(kNow + 25 * kMinute);
  EXPECT_FALSE(times.Contains(kNow + 20 * kMinute)) << "apart";
  times.Add(kNow + 17 * kMinute);
  EXPECT_TRUE(times.Contains(kNow + 20 * kMinute)) << "what is between has joined them";
}

TEST(ForgottenTimesTest, AClockFarAheadDoesNotMoveTheOthersHorizon) {
  ForgottenTimes times;
  times.Add(~uint64_t{0});  // as bad as a client can be
  times.Add(kNow + kYear);
  // A year of traffic by day, with nights in between, in sane time.
  for (uint64_t day = 0; day < 365; ++day) {
    times.Add(kNow + day * 24 * 60 * kMinute);
    EXPECT_FALSE(times.Contains(kNow + day * 24 * 60 * kMinute + 1));
  }
  EXPECT_TRUE(times.Contains(kNow)) << "history in one span";
  EXPECT_TRUE(times.Contains(kNow + kYear) && times.Contains(~uint64_t{0}));
}

TEST(ForgottenTimesTest, WhatWasAddedIsNeverLost) {
  std::mt19937_64 random(7);
  ForgottenTimes times;
  std::set<uint64_t> added;
  for (int i = 0; i < 2000; ++i) {
    const uint64_t time = i % 3 == 0 ? random() : kNow + random() % (300 * kMinute);
    times.Add(time);
    added.insert(time);
    internal::v1::ReplicaMeta meta;
    times.Store(&meta);
    ASSERT_LE(meta.forgotten_size(), static_cast<int>(ForgottenTimes::kSpansMax));
    for (int s = 1; s < meta.forgotten_size(); ++s) {
      ASSERT_GT(meta.forgotten(s).first_us(), meta.forgotten(s - 1).last_us());
    }
    times = ForgottenTimes(meta);
  }
  for (const uint64_t time : added) {
    ASSERT_TRUE(times.Contains(time)) << time;
  }
}

TEST(ForgottenTimesTest, TheHorizonOfEarlierBuildsIsASpanFromZero) {
  internal::v1::ReplicaMeta meta;
  meta.set_eviction_horizon_us(kNow);
  ForgottenTimes times(meta);
  EXPECT_TRUE(times.Contains(0) && times.Contains(kNow));
  EXPECT_FALSE(times.Contains(kNow + 1));
  times.Store(&meta);
  EXPECT_EQ(meta.eviction_horizon_us(), 0u);
  EXPECT_TRUE(ForgottenTimes(meta).Contains(kNow / 2));
}

}  // namespace
}  // namespace quorate
