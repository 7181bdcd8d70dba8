#include "tools/kvbench/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>

namespace quorate::kvbench {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Figures TwoHundredOperations() {
  Figures figures;
  figures.seconds = 2;
  for (int i = 1; i <= 200; ++i) figures.latencies.Record(std::chrono::microseconds(i));
  figures.client_cpu_seconds = 0.002;
  figures.server_cpu_seconds = 0.005;
  return figures;
}

TEST(KvbenchReportTest, JsonHoldsRatesTimesAndProcessorTimeOfEach) {
  Options options;
  options.target = TargetKind::kEtcd;
  options.operation = OperationKind::kPut;
  options.clients = 16;
  Figures figures = TwoHundredOperations();
  figures.attempts_again = 3;
  figures.first_error = "not \"now\" \xff";
  const auto json = nlohmann::json::parse(ToJson(options, figures));
  EXPECT_EQ(json["target"], "etcd");
  EXPECT_EQ(json["operation"], "put");
  EXPECT_EQ(json["clients"], 16);
  EXPECT_EQ(json["operations"], 200);
  EXPECT_EQ(json["attempts_again"], 3);
  EXPECT_DOUBLE_EQ(json["rate"], 100);
  EXPECT_NEAR(json["p50_us"], 100, 1);
  EXPECT_NEAR(json["p99_us"], 198, 2);
  EXPECT_DOUBLE_EQ(json["max_us"], 200);
  EXPECT_DOUBLE_EQ(json["client_cpu_us"], 10);
  EXPECT_DOUBLE_EQ(json["server_cpu_us"], 25);
}

TEST(KvbenchReportTest, NothingDoneIsNoDivisionByZero) {
  const auto json = nlohmann::json::parse(ToJson(Options(), Figures()));
  EXPECT_EQ(json["rate"], 0);
  EXPECT_EQ(json["server_cpu_us"], 0);
}

TEST(KvbenchReportTest, TextTellsServersOnlyWhenTheyWereWatched) {
  Options options;
  EXPECT_THAT(ToText(options, TwoHundredOperations()), Not(HasSubstr("servers")));
  options.server_pids = {1};
  EXPECT_THAT(ToText(options, TwoHundredOperations()), HasSubstr("servers 25.0 us"));
}

}  // namespace
}  // namespace quorate::kvbench
