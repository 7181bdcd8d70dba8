#include "server/service/validate.h"

#include <string>

#include "gtest/gtest.h"
#include "proto/error_detail.h"

namespace quorate {
namespace {

kv::v1::RequestHeader Header() {
  kv::v1::RequestHeader header;
  header.set_keyspace("orders");
  return header;
}

std::string FieldOf(const absl::Status& status) {
  const auto detail = DetailOf(status);
  if (!detail) return status.ok() ? "ok" : "no detail";
  EXPECT_EQ(detail->outcome(), kv::v1::OUTCOME_NOT_DONE);
  return detail->field();
}

TEST(ValidateTest, KeysAndValuesAtTheirBounds) {
  EXPECT_TRUE(CheckKey("k").ok());
  EXPECT_TRUE(CheckKey(std::string(4096, 'k')).ok());
  EXPECT_EQ(FieldOf(CheckKey("")), "key");
  EXPECT_EQ(FieldOf(CheckKey(std::string(4097, 'k'))), "key");
  EXPECT_TRUE(CheckValue(std::string(10, 'v'), 10).ok());
  EXPECT_EQ(FieldOf(CheckValue(std::string(11, 'v'), 10)), "value");
}

TEST(ValidateTest, NoKeyspaceTakesMoreThanTheHardLimit) {
  EXPECT_EQ(FieldOf(CheckValue(std::string((16u << 20) + 1, 'v'), UINT32_MAX)), "value");
}

TEST(ValidateTest, HeaderFieldsAreNamed) {
  EXPECT_TRUE(CheckReadHeader(Header()).ok());
  kv::v1::RequestHeader header = Header();
  header.clear_keyspace();
  EXPECT_EQ(FieldOf(CheckReadHeader(header)), "header.keyspace");
  header = Header();
  header.set_read_mode(kv::v1::READ_MODE_ANY);
  EXPECT_EQ(FieldOf(CheckReadHeader(header)), "header.read_mode");
  header = Header();
  header.set_fence(1);
  EXPECT_EQ(FieldOf(CheckWriteHeader(header)), "header.fence")
      << "a fence that is ignored protects nothing";
  header = Header();
  header.mutable_request_id()->set_client_id("short");
  EXPECT_EQ(FieldOf(CheckWriteHeader(header)), "header.request_id.client_id");
  header.mutable_request_id()->set_client_id(std::string(16, 'c'));
  EXPECT_EQ(FieldOf(CheckWriteHeader(header)), "header.request_id.sequence");
  header = Header();
  header.set_timeout_ms(UINT32_MAX);
  EXPECT_EQ(FieldOf(CheckReadHeader(header)), "header.timeout_ms");
  header = Header();
  header.mutable_trace()->set_trace_id(std::string(33, 't'));
  EXPECT_EQ(FieldOf(CheckReadHeader(header)), "header.trace.trace_id");
  header = Header();
  header.mutable_session_token()->add_entries()->set_version("x");
  EXPECT_EQ(FieldOf(CheckReadHeader(header)), "header.session_token.entries.version");
}

TEST(ValidateTest, Conditions) {
  kv::v1::Condition condition;
  EXPECT_TRUE(CheckCondition(condition).ok());
  condition.set_if_absent(false);
  EXPECT_EQ(FieldOf(CheckCondition(condition)), "condition.if_absent");
  condition.set_if_version("short");
  EXPECT_EQ(FieldOf(CheckCondition(condition)), "condition.if_version");
}

TEST(ValidateTest, Scans) {
  kv::v1::ScanRequest request;
  *request.mutable_header() = Header();
  EXPECT_TRUE(CheckScan(request).ok());
  request.set_prefix("a");
  request.set_begin("b");
  EXPECT_EQ(FieldOf(CheckScan(request)), "prefix");
  request.clear_prefix();
  request.set_end("a");
  EXPECT_EQ(FieldOf(CheckScan(request)), "end");
  request.clear_end();
  request.set_page_bytes((4u << 20) + 1);
  EXPECT_EQ(FieldOf(CheckScan(request)), "page_bytes");
}

TEST(ValidateTest, TheEarlierDeadlineHolds) {
  using std::chrono::seconds;
  const MonotonicTime now(seconds(100));
  CallContext call;
  EXPECT_EQ(DeadlineOf(call, 0, now), now + seconds(5));
  EXPECT_EQ(DeadlineOf(call, 1000, now), now + seconds(1));
  call.deadline = MonotonicTime::max();
  EXPECT_EQ(DeadlineOf(call, 0, now), now + seconds(5));
  call.deadline = now + seconds(2);
  EXPECT_EQ(DeadlineOf(call, 0, now), now + seconds(2));
  EXPECT_EQ(DeadlineOf(call, 1000, now), now + seconds(1));
  EXPECT_EQ(DeadlineOf(call, 9000, now), now + seconds(2));
}

}  // namespace
}  // namespace quorate
