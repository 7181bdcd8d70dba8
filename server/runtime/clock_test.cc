#include "server/runtime/clock.h"

#include <gtest/gtest.h>

namespace quorate {
namespace {

TEST(KernelClockTest, NeverGoesBack) {
  const KernelClock clock;
  MonotonicTime last = clock.Now();
  EXPECT_GT(last, MonotonicTime());
  for (int i = 0; i < 1000; ++i) {
    const MonotonicTime now = clock.Now();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(KernelClockTest, WallTimeIsMicrosecondsSinceTheEpoch) {
  const KernelClock clock;
  constexpr WallMicros kYear2023 = 1'672'531'200'000'000;
  constexpr WallMicros kYear2100 = 4'102'444'800'000'000;
  EXPECT_GT(clock.WallNow(), kYear2023);
  EXPECT_LT(clock.WallNow(), kYear2100);
}

}  // namespace
}  // namespace quorate
