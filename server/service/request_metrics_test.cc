#include "server/service/request_metrics.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "proto/error_detail.h"
#include "server/runtime/log.h"

namespace quorate {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class ManualClock final : public Clock {
 public:
  [[nodiscard]] MonotonicTime Now() const override { return now; }
  [[nodiscard]] WallMicros WallNow() const override { return 0; }
  MonotonicTime now{milliseconds(5000)};
};

class RequestMetricsTest : public testing::Test {
 protected:
  RequestMetricsTest() {
    SetLogSink([this](LogLevel, const std::string& line) { lines_.push_back(line); });
  }
  ~RequestMetricsTest() override { SetLogSink(nullptr); }

  // One request that takes so long and ends so.
  void Serve(const std::string& keyspace, milliseconds takes,
             const absl::Status& status = absl::OkStatus(),
             const std::function<void(RequestTrace*)>& on_its_way = {}) {
    kv::v1::RequestHeader header;
    header.set_keyspace(keyspace);
    header.mutable_request_id()->set_client_id("\x01\xff");
    header.mutable_request_id()->set_sequence(17);
    header.mutable_trace()->set_trace_id("\xab");
    RequestObservation observation;
    observation.Begin(metrics_.MethodOf("Put"), &header, clock_.now);
    if (on_its_way) on_its_way(observation.trace());
    clock_.now += takes;
    observation.End(status, clock_, [&header] {
      return RequestDescription{.peer = "ipv4:10.0.0.7:4711", .header = &header, .key_bytes = 9};
    });
  }

  std::string Exposed() const { return registry_->Expose(); }

  std::shared_ptr<MetricsRegistry> registry_ = std::make_shared<MetricsRegistry>();
  RequestMetrics metrics_{
      {.registry = registry_,
       .keyspace_exists = [](const std::string& name) { return name.starts_with("orders"); },
       .slow_request = milliseconds(500)}};
  ManualClock clock_;
  std::vector<std::string> lines_;
};

TEST_F(RequestMetricsTest, CountsByMethodAndKeyspace) {
  Serve("orders", milliseconds(3));
  Serve("orders", milliseconds(30));
  EXPECT_THAT(Exposed(),
              HasSubstr("quorate_requests_total{method=\"Put\",keyspace=\"orders\"} 2\n"));
  EXPECT_THAT(Exposed(), HasSubstr("quorate_request_duration_seconds_bucket{method=\"Put\","
                                   "keyspace=\"orders\",le=\"0.005\"} 1\n"));
  EXPECT_THAT(Exposed(), HasSubstr("quorate_request_duration_seconds_sum{method=\"Put\","
                                   "keyspace=\"orders\"} 0.033\n"));
  EXPECT_TRUE(lines_.empty());
}

TEST_F(RequestMetricsTest, NamesOfKeyspacesThatDoNotExistAreNoLabels) {
  Serve("guess-1", milliseconds(1));
  Serve("guess-2", milliseconds(1));
  EXPECT_THAT(Exposed(), Not(HasSubstr("guess")));
  EXPECT_THAT(Exposed(), HasSubstr("quorate_requests_total{method=\"Put\",keyspace=\"\"} 2\n"));
}

TEST_F(RequestMetricsTest, KeyspacesPastTheBoundShareOneLabel) {
  for (int i = 0; i < 70; ++i) Serve(fmt::format("orders-{}", i), milliseconds(1));
  EXPECT_THAT(Exposed(),
              HasSubstr("quorate_requests_total{method=\"Put\",keyspace=\"orders-63\"} 1\n"));
  EXPECT_THAT(Exposed(), Not(HasSubstr("orders-64")));
  EXPECT_THAT(Exposed(),
              HasSubstr("quorate_requests_total{method=\"Put\",keyspace=\"other\"} 6\n"));
}

TEST_F(RequestMetricsTest, CountsErrorsByReasonAndLogsTrouble) {
  Serve("orders", milliseconds(1),
        MakeError(kv::v1::REASON_KEY_NOT_FOUND, kv::v1::OUTCOME_NOT_DONE, "no such key"));
  EXPECT_TRUE(lines_.empty()) << "an answer, not trouble";
  Serve("orders", milliseconds(1),
        MakeError(kv::v1::REASON_QUEUE_FULL, kv::v1::OUTCOME_NOT_DONE, "too many"));
  Serve("orders", milliseconds(1), absl::InternalError("bare"));
  EXPECT_THAT(
      Exposed(),
      AllOf(HasSubstr("quorate_request_errors_total{method=\"Put\",reason=\"KEY_NOT_FOUND\"} 1\n"),
            HasSubstr("quorate_request_errors_total{method=\"Put\",reason=\"QUEUE_FULL\"} 1\n"),
            HasSubstr("quorate_request_errors_total{method=\"Put\",reason=\"INTERNAL\"} 1\n")));
  ASSERT_EQ(lines_.size(), 2);
  EXPECT_THAT(lines_[0], AllOf(HasSubstr("msg=request/refused"), HasSubstr("request_id=01ff:17"),
                               HasSubstr("trace_id=ab"), HasSubstr("QUEUE_FULL")));
}

TEST_F(RequestMetricsTest, SlowRequestIsToldWithWhereTheTimeWent) {
  Serve("orders", milliseconds(900), absl::OkStatus(), [this](RequestTrace* trace) {
    trace->routed = true;
    trace->group = GroupId(12);
    trace->partition = 4;
    trace->stages.Mark(RequestStage::kHandedOver, clock_.now);
    trace->stages.Mark(RequestStage::kTaken, clock_.now + milliseconds(100));
    trace->stages.Mark(RequestStage::kDurable, clock_.now + milliseconds(300));
    trace->stages.Mark(RequestStage::kCommitted, clock_.now + milliseconds(850));
  });
  ASSERT_EQ(lines_.size(), 1);
  for (const char* part :
       {"msg=request/slow", "method=Put", "keyspace=orders", "partition=4", "group=12",
        "key_bytes=9", "request_id=01ff:17", "trace_id=ab", "peer=ipv4:10.0.0.7:4711", "result=OK",
        "stage=apply", "total_ms=900.0", "queue_ms=100.0", "log_ms=200.0", "replicate_ms=750.0",
        "apply_ms=50.0"}) {
    EXPECT_THAT(lines_[0], HasSubstr(part));
  }
  EXPECT_THAT(Exposed(), HasSubstr("quorate_slow_requests_total 1\n"));
}

TEST_F(RequestMetricsTest, StagesThatARequestDidNotReachAreLeftOut) {
  Serve("orders", milliseconds(5000),
        MakeError(kv::v1::REASON_DEADLINE, kv::v1::OUTCOME_UNKNOWN, "late"),
        [this](RequestTrace* trace) {
          trace->stages.Mark(RequestStage::kHandedOver, clock_.now);
          trace->stages.Mark(RequestStage::kTaken, clock_.now + milliseconds(1));
        });
  ASSERT_EQ(lines_.size(), 1);
  for (const char* part : {"result=REASON_DEADLINE", "stage=replicate", "queue_ms=1.0", "log_ms=-",
                           "replicate_ms=-", "apply_ms=-"}) {
    EXPECT_THAT(lines_[0], HasSubstr(part));
  }
}

TEST_F(RequestMetricsTest, LinesOfOneSecondAreBoundedAndTheRestCounted) {
  for (int i = 0; i < 50; ++i) {
    Serve("orders", milliseconds(1), MakeError(kv::v1::REASON_QUEUE_FULL, {}, "too many"));
  }
  EXPECT_EQ(lines_.size(), RequestLog::kLinesPerSecond);
  EXPECT_THAT(Exposed(),
              HasSubstr("quorate_log_lines_suppressed_total{line=\"request/refused\"} 40\n"));
  clock_.now += milliseconds(1000);
  Serve("orders", milliseconds(1), MakeError(kv::v1::REASON_QUEUE_FULL, {}, "too many"));
  EXPECT_EQ(lines_.size(), RequestLog::kLinesPerSecond + 1) << "a new second";
}

}  // namespace
}  // namespace quorate
