#include "server/runtime/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quorate {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(MetricsTest, TellsEveryFamilyOnceByName) {
  MetricsRegistry registry;
  registry.CounterFamily({"b_total", "Bees.", {"kind"}}).With({"x"}).Add(2);
  registry.CounterFamily({"b_total", "Bees.", {"kind"}}).With({"y"}).Add();
  registry.GetGauge({"a", "Ants."}).Set(-3);
  EXPECT_EQ(registry.Expose(),
            "# HELP a Ants.\n# TYPE a gauge\na -3\n"
            "# HELP b_total Bees.\n# TYPE b_total counter\n"
            "b_total{kind=\"x\"} 2\nb_total{kind=\"y\"} 1\n");
}

TEST(MetricsTest, HistogramBucketsAreCumulativeAndToldInSeconds) {
  MetricsRegistry registry;
  Histogram& histogram = registry.GetHistogram({"t_seconds", "Time."}, LatencyScale());
  histogram.Record(50);  // on a bound: in its bucket
  histogram.Record(51);
  histogram.Record(20'000'000);  // above all bounds
  const std::string text = registry.Expose();
  EXPECT_THAT(text, HasSubstr("t_seconds_bucket{le=\"5e-05\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("t_seconds_bucket{le=\"0.0001\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("t_seconds_bucket{le=\"10\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("t_seconds_bucket{le=\"+Inf\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("t_seconds_sum 20.000101\nt_seconds_count 3\n"));
}

TEST(MetricsTest, EscapesLabelValues) {
  MetricsRegistry registry;
  registry.CounterFamily({"c_total", "C.", {"l"}}).With({"a\"b\\c\nd"}).Add();
  EXPECT_THAT(registry.Expose(), HasSubstr(R"(c_total{l="a\"b\\c\nd"} 1)"));
}

TEST(MetricsTest, FamilyIsBounded) {
  MetricsRegistry registry;
  auto& family = registry.CounterFamily({"c_total", "C.", {"l"}});
  Counter& first = family.With({"0"});
  for (size_t i = 0; i < 2 * MetricFamily<Counter>::kChildrenMax; ++i) {
    family.With({std::to_string(i)}).Add();
  }
  EXPECT_EQ(first.value(), 1U);
  EXPECT_EQ(family.With({"another"}).value(), MetricFamily<Counter>::kChildrenMax);
  EXPECT_EQ(&family.With({"one"}), &family.With({"two"}));
}

TEST(MetricsTest, SumsCountersGaugesAndSamplesByName) {
  MetricsRegistry registry;
  registry.CounterFamily({"c_total", "C.", {"l"}}).With({"x"}).Add(2);
  registry.CounterFamily({"c_total", "C.", {"l"}}).With({"y"}).Add(3);
  registry.CounterFamily({"d_total", "D.", {}}).With({}).Add(100);
  const auto handle = registry.AddCollector(
      {"g", "G.", {"l"}}, "gauge", [] { return std::vector<Sample>{{{"x"}, 1.5}, {{"y"}, 1}}; });
  EXPECT_EQ(registry.Sum("c_total"), 5);
  EXPECT_EQ(registry.Sum("g"), 2.5);
  EXPECT_EQ(registry.Sum("none"), 0);
}

TEST(MetricsTest, CollectorIsAskedUntilItsHandleDies) {
  MetricsRegistry registry;
  double value = 1;
  auto handle = registry.AddCollector({"g", "G.", {"l"}}, "gauge", [&value] {
    return std::vector<Sample>{{.label_values = {"x"}, .value = value}};
  });
  EXPECT_THAT(registry.Expose(), HasSubstr("# TYPE g gauge\ng{l=\"x\"} 1\n"));
  value = 2.5;
  EXPECT_THAT(registry.Expose(), HasSubstr("g{l=\"x\"} 2.5\n"));
  handle.reset();
  EXPECT_THAT(registry.Expose(), Not(HasSubstr("g{l")));
}

}  // namespace
}  // namespace quorate
