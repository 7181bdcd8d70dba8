#include "tests/sim/checkers/counter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quorate::sim {
namespace {

using std::chrono::nanoseconds;
using ::testing::HasSubstr;

CounterOperation Add(int begin, int end, int64_t delta, std::optional<int64_t> value) {
  return {.delta = delta, .value = value, .begin = nanoseconds(begin), .end = nanoseconds(end)};
}
CounterOperation Read(int begin, int end, int64_t value) { return Add(begin, end, 0, value); }

TEST(CounterCheckerTest, AcceptsSumsInAnyOrderOfConcurrentIncrements) {
  EXPECT_EQ(CheckCounter({}), "");
  EXPECT_EQ(CheckCounter(
                {Read(0, 1, 0), Add(2, 9, 5, 8), Add(3, 8, 3, 3), Read(4, 7, 3), Read(10, 11, 8)}),
            "");
}

TEST(CounterCheckerTest, UnknownIncrementsMayHaveHappenedOnce) {
  EXPECT_EQ(CheckCounter({Add(0, 1, 2, std::nullopt), Add(2, 3, 1, 1), Read(4, 5, 1)}), "");
  EXPECT_EQ(CheckCounter({Add(0, 1, 2, std::nullopt), Add(2, 3, 1, 3), Read(4, 5, 3)}), "");
  EXPECT_EQ(CheckCounter({Add(0, 1, 2, std::nullopt), Add(2, 3, 1, 1), Read(4, 5, 3)}), "");
  EXPECT_THAT(CheckCounter({Add(0, 1, 2, std::nullopt), Add(2, 3, 1, 1), Read(4, 5, 5)}),
              HasSubstr("added by nobody"));
}

TEST(CounterCheckerTest, NoticesARetryThatIsAppliedTwice) {
  EXPECT_THAT(CheckCounter({Add(0, 9, 1, 2), Read(10, 11, 2)}), HasSubstr("added by nobody"));
  EXPECT_THAT(CheckCounter({Add(0, 1, 1, 1), Read(2, 3, 2)}), HasSubstr("added by nobody"));
}

TEST(CounterCheckerTest, NoticesALostIncrement) {
  EXPECT_THAT(CheckCounter({Add(0, 1, 4, 4), Add(2, 3, 2, 2)}), HasSubstr("overlaps"));
  EXPECT_THAT(CheckCounter({Add(0, 1, 4, 4), Read(2, 3, 0)}), HasSubstr("after 4"));
}

TEST(CounterCheckerTest, NoticesSumsThatGoBackInTime) {
  EXPECT_THAT(CheckCounter({Add(0, 1, 1, 1), Add(2, 3, 1, 2), Read(4, 5, 1)}),
              HasSubstr("after 2"));
  EXPECT_THAT(CheckCounter({Add(2, 3, 1, 1), Add(0, 1, 1, 2)}), HasSubstr("after 2"));
}

TEST(CounterCheckerTest, NoticesSumsFromTheFutureAndTornOnes) {
  EXPECT_THAT(CheckCounter({Read(0, 1, 3), Add(2, 3, 3, std::nullopt)}),
              HasSubstr("had been begun"));
  EXPECT_THAT(CheckCounter({Read(0, 9, 2), Add(0, 9, 3, 3)}), HasSubstr("in the middle"));
}

}  // namespace
}  // namespace quorate::sim
