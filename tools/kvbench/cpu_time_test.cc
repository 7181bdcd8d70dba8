#include "tools/kvbench/cpu_time.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace quorate::kvbench {
namespace {

TEST(CpuTimeTest, GrowsWithWork) {
  const double before = OwnCpuSeconds();
  volatile uint64_t sum = 0;
  // Ends by itself: what is waited for is this thread's own work.
  while (OwnCpuSeconds() < before + 0.03) sum = sum + 1;
  EXPECT_GE(OwnCpuSeconds(), before + 0.03);
}

TEST(CpuTimeTest, AddsUpProcessesAndSkipsThoseThatAreGone) {
  while (OwnCpuSeconds() < 0.05) {
  }
  const auto own = static_cast<int64_t>(getpid());
  EXPECT_GE(CpuSecondsOf({own, own, int64_t{1} << 40}), 0.1);
  EXPECT_EQ(CpuSecondsOf({int64_t{1} << 40}), 0);
  EXPECT_EQ(CpuSecondsOf({}), 0);
}

}  // namespace
}  // namespace quorate::kvbench
