#include "server/runtime/process_figures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quorate {
namespace {

TEST(ProcessFiguresTest, ReadsItself) {
  const ProcessFigures figures = ReadProcessFigures();
  EXPECT_GT(figures.resident_bytes, 1u << 20);
  EXPECT_GT(figures.virtual_bytes, figures.resident_bytes);
  EXPECT_GE(figures.threads, 1);
  EXPECT_GE(figures.open_fds, 3);
  EXPECT_GE(figures.max_fds, figures.open_fds);
  EXPECT_GT(figures.start_time_seconds, 1.6e9);
  EXPECT_FALSE(ReadThreadCpuSeconds().empty());
}

TEST(ProcessFiguresTest, NamesMayHoldAnything) {
  const auto stat = ParseProcStat(
      "17 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 100 20 13 14 15 16 8 18 5000 4096000 250 21");
  ASSERT_TRUE(stat.has_value());
  EXPECT_EQ(stat->name, "a) b (c");
  EXPECT_EQ(stat->cpu_ticks, 120);
  EXPECT_EQ(stat->threads, 8);
  EXPECT_EQ(stat->start_ticks, 5000);
  EXPECT_EQ(stat->virtual_bytes, 4096000);
  EXPECT_EQ(stat->resident_pages, 250);
  EXPECT_FALSE(ParseProcStat("17 (short) S 1 2").has_value());
  EXPECT_FALSE(ParseProcStat("").has_value());
}

}  // namespace
}  // namespace quorate
