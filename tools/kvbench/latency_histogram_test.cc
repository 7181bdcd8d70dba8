#include "tools/kvbench/latency_histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

namespace quorate::kvbench {
namespace {

using std::chrono::nanoseconds;

TEST(LatencyHistogramTest, IsZeroWhenEmpty) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.Percentile(50).count(), 0);
  EXPECT_EQ(histogram.max().count(), 0);
  EXPECT_EQ(histogram.mean().count(), 0);
}

TEST(LatencyHistogramTest, IsExactWhereBucketsHoldOneValue) {
  LatencyHistogram histogram;
  for (int64_t value = 1; value <= 200; ++value) {
    histogram.Record(nanoseconds(value));
  }
  EXPECT_EQ(histogram.count(), 200U);
  EXPECT_EQ(histogram.Percentile(0.5).count(), 1);
  EXPECT_EQ(histogram.Percentile(50).count(), 100);
  EXPECT_EQ(histogram.Percentile(50.1).count(), 101);
  EXPECT_EQ(histogram.Percentile(99).count(), 198);
  EXPECT_EQ(histogram.Percentile(100).count(), 200);
  EXPECT_EQ(histogram.mean().count(), 100);
}

// One value alone in a histogram of a larger one: the percentile must be it, or less than 1/128
// above. At each power of two and its neighbours, where buckets change their width.
TEST(LatencyHistogramTest, IsNeverTooLowAndAtMostOneIn128TooHigh) {
  for (int bits = 0; bits < 40; ++bits) {
    for (const int64_t off : {-1, 0, 1}) {
      const int64_t value = std::max<int64_t>((int64_t{1} << bits) + off, 0);
      LatencyHistogram histogram;
      histogram.Record(nanoseconds(value));
      histogram.Record(LatencyHistogram::kHighest);
      const int64_t told = histogram.Percentile(50).count();
      EXPECT_GE(told, value);
      EXPECT_LE(told - value, value / 128) << value;
    }
  }
}

TEST(LatencyHistogramTest, AgreesWithSortedValues) {
  std::mt19937_64 random(7);
  std::lognormal_distribution<double> latencies(12, 2);
  std::vector<int64_t> values(20'000);
  LatencyHistogram histogram;
  for (int64_t& value : values) {
    value = static_cast<int64_t>(latencies(random));
    histogram.Record(nanoseconds(value));
  }
  std::sort(values.begin(), values.end());
  for (const double percent : {0.01, 1.0, 25.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
    const auto rank =
        static_cast<size_t>(std::ceil(static_cast<double>(values.size()) * percent / 100));
    const int64_t exact = values[rank - 1];
    EXPECT_GE(histogram.Percentile(percent).count(), exact) << percent;
    EXPECT_LE(histogram.Percentile(percent).count(), exact + (exact / 128)) << percent;
  }
  EXPECT_EQ(histogram.max().count(), values.back());
}

TEST(LatencyHistogramTest, CountsWhatIsOutOfRangeAtItsEnds) {
  LatencyHistogram histogram;
  histogram.Record(nanoseconds(-5));
  histogram.Record(std::chrono::hours(48));
  EXPECT_EQ(histogram.Percentile(50).count(), 0);
  EXPECT_EQ(histogram.Percentile(100), LatencyHistogram::kHighest);
}

TEST(LatencyHistogramTest, MergedIsAsIfRecordedInOne) {
  LatencyHistogram low;
  LatencyHistogram high;
  for (int64_t value = 0; value < 100; ++value) {
    low.Record(nanoseconds(value));
    high.Record(nanoseconds(1'000'000 + value));
  }
  low.Merge(high);
  EXPECT_EQ(low.count(), 200U);
  EXPECT_EQ(low.Percentile(50).count(), 99);
  EXPECT_EQ(low.max().count(), 1'000'099);
  EXPECT_EQ(low.mean().count(), 500'049);
}

}  // namespace
}  // namespace quorate::kvbench
