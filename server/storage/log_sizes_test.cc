#include "server/storage/log_sizes.h"

#include <gtest/gtest.h>

namespace quorate {
namespace {

using raft::LogIndex;

TEST(LogSizesTest, SumIsExactWhereWholeRunsGo) {
  LogSizes sizes;
  for (uint64_t index = 1; index <= 100; ++index) sizes.Append(LogIndex(index), 20'000);
  EXPECT_EQ(sizes.total(), 2'000'000u);
  sizes.DropTo(LogIndex(30));
  EXPECT_EQ(sizes.total(), 70u * 20'000);
  sizes.CutFrom(LogIndex(91));
  EXPECT_EQ(sizes.total(), 60u * 20'000);
  sizes.Append(LogIndex(91), 10'000);
  sizes.DropTo(LogIndex(90));
  EXPECT_EQ(sizes.total(), 10'000u);
  sizes.DropTo(LogIndex(91));
  EXPECT_EQ(sizes.total(), 0u);
}

// Small entries first and large ones after: one average over all would say nine tenths are left.
TEST(LogSizesTest, UnequalEntriesDoNotAddUpToAnError) {
  LogSizes sizes;
  for (uint64_t index = 1; index <= 90'000; ++index) sizes.Append(LogIndex(index), 10);
  for (uint64_t index = 90'001; index <= 90'010; ++index) sizes.Append(LogIndex(index), 900'000);
  sizes.DropTo(LogIndex(45'000));
  EXPECT_NEAR(static_cast<double>(sizes.total()), 9'450'000.0, 65'536.0);
  sizes.DropTo(LogIndex(90'000));
  EXPECT_EQ(sizes.total(), 9'000'000u);
}

TEST(LogSizesTest, SaysWhatMayGo) {
  LogSizes sizes;
  EXPECT_EQ(sizes.LastBefore(0), LogIndex(0));
  for (uint64_t index = 1; index <= 100; ++index) sizes.Append(LogIndex(index), 50'000);
  EXPECT_EQ(sizes.LastBefore(100'000), LogIndex(98));
  EXPECT_EQ(sizes.LastBefore(100'001), LogIndex(97));
  EXPECT_EQ(sizes.LastBefore(10'000'000), LogIndex(0));
}

// Also where all that is there is one run: a small bound is kept as well as a large one.
TEST(LogSizesTest, SaysWhatMayGoWithinARun) {
  LogSizes sizes;
  for (uint64_t index = 1; index <= 100; ++index) sizes.Append(LogIndex(index), 100);
  EXPECT_NEAR(static_cast<double>(sizes.LastBefore(1000).value()), 90.0, 1.0);
  EXPECT_EQ(sizes.LastBefore(10'001), LogIndex(0));
  sizes.DropTo(LogIndex(50));
  EXPECT_NEAR(static_cast<double>(sizes.LastBefore(1000).value()), 90.0, 1.0);
}

}  // namespace
}  // namespace quorate
