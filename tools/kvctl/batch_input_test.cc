#include "tools/kvctl/batch_input.h"

#include <cstdint>
#include <limits>
#include <sstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace quorate::kvctl {
namespace {

using ::testing::HasSubstr;
using Kind = client::BatchOperation::Kind;

std::string ErrorOf(std::string_view line) {
  return std::string(ParseBatchLine(line).status().message());
}

TEST(BatchInputTest, ReadsEachKindWithItsConditions) {
  std::istringstream in(R"({"op":"put","key":"a","value":"1","if_absent":true}

{"op":"del","key_b64":"/w==","if_version":"000102030405060708090a0b0c0d0e0f"}
{"op":"get","key":"c"}
{"op":"increment","key":"d"}
{"op":"increment","key":"d","delta":-9223372036854775808}
)");
  const auto operations = ReadBatch(in);
  ASSERT_TRUE(operations.ok()) << operations.status();
  const auto& all = operations->all();
  ASSERT_EQ(all.size(), 5u);
  EXPECT_EQ(all[0].kind, Kind::kPut);
  EXPECT_EQ(all[0].value, "1");
  EXPECT_TRUE(all[0].condition.if_absent);
  EXPECT_EQ(all[1].kind, Kind::kDelete);
  EXPECT_EQ(all[1].key, "\xff");
  EXPECT_EQ(all[1].condition.if_version->ToHex(), "000102030405060708090a0b0c0d0e0f");
  EXPECT_EQ(all[2].kind, Kind::kGet);
  EXPECT_EQ(all[3].kind, Kind::kIncrement);
  EXPECT_EQ(all[3].delta, 1);
  EXPECT_EQ(all[4].delta, std::numeric_limits<int64_t>::min());
}

TEST(BatchInputTest, SaysWhatIsWrong) {
  EXPECT_THAT(ErrorOf("[]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(ErrorOf(R"({"key":"a"})"), HasSubstr("op"));
  EXPECT_THAT(ErrorOf(R"({"op":7,"key":"a"})"), HasSubstr("op"));
  EXPECT_THAT(ErrorOf(R"({"op":"get"})"), HasSubstr("key"));
  EXPECT_THAT(ErrorOf(R"({"op":"put","key":"a"})"), HasSubstr("value"));
  EXPECT_THAT(ErrorOf(R"({"op":"get","key":"a","value":"1"})"), HasSubstr("\"value\""));
  EXPECT_THAT(ErrorOf(R"({"op":"del","key":"a","if_absent":true})"), HasSubstr("if_absent"));
  EXPECT_THAT(ErrorOf(R"({"op":"del","key":"a","if_version":"short"})"), HasSubstr("if_version"));
  EXPECT_THAT(ErrorOf(R"({"op":"put","key":"a","value":"1","if_absent":false})"),
              HasSubstr("if_absent"));
  for (const std::string delta : {"1.5", "\"1\"", "9223372036854775808", "-9223372036854775809"}) {
    EXPECT_THAT(ErrorOf(R"({"op":"increment","key":"a","delta":)" + delta + "}"),
                HasSubstr("\"delta\""))
        << delta;
  }
  EXPECT_THAT(ErrorOf(R"({"op":"put","key":"a","value":"1","delta":1})"), HasSubstr("\"delta\""));
  EXPECT_THAT(ErrorOf(R"({"op":"increment","key":"a","if_version":"00"})"),
              HasSubstr("\"if_version\""));
}

TEST(BatchInputTest, NamesTheLineAndTheBound) {
  std::istringstream bad("{\"op\":\"get\",\"key\":\"a\"}\n\nnonsense\n");
  EXPECT_THAT(std::string(ReadBatch(bad).status().message()), HasSubstr("line 3"));
  std::string lines;
  for (size_t i = 0; i <= client::kBatchOperationsMax; ++i) {
    lines += "{\"op\":\"get\",\"key\":\"a\"}\n";
  }
  std::istringstream many(lines);
  EXPECT_THAT(std::string(ReadBatch(many).status().message()), HasSubstr("line 1025"));
}

}  // namespace
}  // namespace quorate::kvctl
