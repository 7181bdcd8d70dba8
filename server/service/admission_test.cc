// Virtual time, virtual memory.
#include "server/service/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "proto/error_detail.h"

namespace quorate {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

constexpr size_t kMiB = size_t{1} << 20;

AdmissionLimits SmallLimits() {
  AdmissionLimits limits;
  limits.reads = {.requests_max = 2, .bytes_max = 1000};
  limits.writes = {.requests_max = 2, .bytes_max = 1000};
  limits.scans = {.requests_max = 1, .bytes_max = 1000};
  limits.memory_bytes_max = 100 * kMiB;
  return limits;
}

class AdmissionTest : public testing::Test {
 protected:
  // Seconds pass, in each of which `taken` writes come in and leave and `refused` more are asked
  // for on top.
  void Overload(int seconds, int taken, int refused) {
    for (int second = 0; second < seconds; ++second) {
      for (int i = 0; i < taken; ++i) {
        ASSERT_TRUE(admission_.Enter(RequestKind::kWrite, 1).ok());
        admission_.Leave(RequestKind::kWrite, 1);
      }
      Fill(RequestKind::kWrite);
      for (int i = 0; i < refused; ++i) {
        ASSERT_FALSE(admission_.Enter(RequestKind::kWrite, 1).ok());
      }
      Empty(RequestKind::kWrite);
      now_ += milliseconds(1000);
      admission_.Tick(now_, 0);
    }
  }
  void Fill(RequestKind kind) {
    for (size_t i = 0; i < admission_.BoundOf(kind).requests_max; ++i) {
      ASSERT_TRUE(admission_.Enter(kind, 0).ok());
    }
  }
  void Empty(RequestKind kind) {
    for (size_t i = 0; i < admission_.BoundOf(kind).requests_max; ++i) {
      admission_.Leave(kind, 0);
    }
  }
  static uint32_t DelayOf(const absl::Status& status) {
    const auto detail = DetailOf(status);
    return detail ? detail->retry_delay_ms() : 0;
  }
  // What one more write is told when the queue is full.
  uint32_t FullDelay() {
    Fill(RequestKind::kWrite);
    const absl::Status status = admission_.Enter(RequestKind::kWrite, 1);
    Empty(RequestKind::kWrite);
    EXPECT_EQ(ReasonOf(status), kv::v1::REASON_QUEUE_FULL);
    return DelayOf(status);
  }
  void UseMemory(size_t mebibytes) { admission_.Tick(now_ += milliseconds(100), mebibytes * kMiB); }
  bool Takes(RequestKind kind) {
    const absl::Status status = admission_.Enter(kind, 1);
    if (status.ok()) {
      admission_.Leave(kind, 1);
      return true;
    }
    EXPECT_EQ(ReasonOf(status), kv::v1::REASON_MEMORY_PRESSURE);
    EXPECT_EQ(OutcomeOf(status), kv::v1::OUTCOME_NOT_DONE);
    return false;
  }

  MonotonicTime now_{};
  Admission admission_{SmallLimits()};
};

TEST_F(AdmissionTest, RefusesBeyondEitherBoundAsCertainlyNotDone) {
  ASSERT_TRUE(admission_.Enter(RequestKind::kWrite, 600).ok());
  const absl::Status bytes = admission_.Enter(RequestKind::kWrite, 600);
  EXPECT_EQ(bytes.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(bytes), kv::v1::REASON_QUEUE_FULL);
  EXPECT_EQ(OutcomeOf(bytes), kv::v1::OUTCOME_NOT_DONE);
  EXPECT_GT(DelayOf(bytes), 0U);
  EXPECT_THAT(std::string(bytes.message()), HasSubstr("600 bytes"));
  ASSERT_TRUE(admission_.Enter(RequestKind::kWrite, 10).ok());
  EXPECT_FALSE(admission_.Enter(RequestKind::kWrite, 10).ok()) << "a third request";
  admission_.Leave(RequestKind::kWrite, 600);
  EXPECT_TRUE(admission_.Enter(RequestKind::kWrite, 900).ok());
  EXPECT_EQ(admission_.UsageOf(RequestKind::kWrite).queue_full_total, 2U);
}

TEST_F(AdmissionTest, AFloodOfOneKindLeavesTheOthersTheirs) {
  Fill(RequestKind::kWrite);
  Fill(RequestKind::kScan);
  EXPECT_FALSE(admission_.Enter(RequestKind::kWrite, 1).ok());
  EXPECT_FALSE(admission_.Enter(RequestKind::kScan, 1).ok());
  EXPECT_TRUE(admission_.Enter(RequestKind::kRead, 1).ok());
  EXPECT_TRUE(admission_.Enter(RequestKind::kAdmin, 1).ok());
}

TEST_F(AdmissionTest, OneRequestLargerThanTheBoundPassesAlone) {
  ASSERT_TRUE(admission_.Enter(RequestKind::kRead, 5000).ok());
  EXPECT_FALSE(admission_.Enter(RequestKind::kRead, 1).ok());
  admission_.Leave(RequestKind::kRead, 5000);
  EXPECT_TRUE(admission_.Enter(RequestKind::kRead, 1).ok());
}

TEST_F(AdmissionTest, AnswersCountUntilTheyHaveLeft) {
  ASSERT_TRUE(admission_.Enter(RequestKind::kRead, 10).ok());
  EXPECT_FALSE(admission_.IsCrowded());
  admission_.Answered(RequestKind::kRead, 0, 990);
  EXPECT_TRUE(admission_.IsCrowded());
  EXPECT_FALSE(admission_.Enter(RequestKind::kRead, 1).ok());
  admission_.Leave(RequestKind::kRead, 1000);
  EXPECT_FALSE(admission_.IsCrowded());
  EXPECT_EQ(admission_.requests(), 0U);
}

TEST_F(AdmissionTest, ReadsAreCountedWithTheAnswersToBeExpected) {
  const auto read = [&](size_t bytes) {
    const size_t expected = admission_.ExpectedAnswerBytes(RequestKind::kRead);
    ASSERT_TRUE(admission_.Enter(RequestKind::kRead, 10 + expected).ok());
    admission_.Answered(RequestKind::kRead, expected, bytes);
    admission_.Leave(RequestKind::kRead, 10 + bytes);
  };
  for (int i = 0; i < 100; ++i) read(640);
  const size_t expected = admission_.ExpectedAnswerBytes(RequestKind::kRead);
  EXPECT_NEAR(static_cast<double>(expected), 640, 64);
  EXPECT_EQ(admission_.UsageOf(RequestKind::kRead).bytes, 0U);
  ASSERT_TRUE(admission_.Enter(RequestKind::kRead, 10 + expected).ok());
  EXPECT_FALSE(admission_.Enter(RequestKind::kRead, 10 + expected).ok())
      << "the answers of two do not fit";
  admission_.Leave(RequestKind::kRead, 10 + expected);
  for (int i = 0; i < 100; ++i) read(0);
  EXPECT_LT(admission_.ExpectedAnswerBytes(RequestKind::kRead), 32U);
}

TEST_F(AdmissionTest, RetryDelayGrowsWithTheExcessAndShrinksAfterIt) {
  const uint32_t calm = FullDelay();
  Overload(10, 100, 300);
  const uint32_t fourfold = FullDelay();
  EXPECT_GE(fourfold, 3 * calm);
  Overload(10, 100, 3000);
  EXPECT_GT(FullDelay(), 3 * fourfold);
  Overload(10, 0, 10'000);
  EXPECT_EQ(FullDelay(), 2000U) << "it has a bound";
  Overload(20, 100, 0);
  EXPECT_LE(FullDelay(), calm + 5);
}

TEST_F(AdmissionTest, ShortOfMemoryRefusesWritesAndScansFirst) {
  UseMemory(79);
  EXPECT_TRUE(Takes(RequestKind::kWrite));
  UseMemory(80);
  EXPECT_FALSE(Takes(RequestKind::kWrite));
  EXPECT_FALSE(Takes(RequestKind::kScan));
  EXPECT_TRUE(Takes(RequestKind::kRead));
  UseMemory(92);
  EXPECT_FALSE(Takes(RequestKind::kRead));
  EXPECT_TRUE(Takes(RequestKind::kAdmin)) << "an operator must be able to look";
  EXPECT_EQ(admission_.memory_level(), MemoryLevel::kCritical);
}

TEST_F(AdmissionTest, MemoryLevelsEndBelowWhereTheyBegin) {
  UseMemory(95);
  UseMemory(88);
  EXPECT_FALSE(Takes(RequestKind::kRead));
  UseMemory(86);
  EXPECT_TRUE(Takes(RequestKind::kRead));
  EXPECT_FALSE(Takes(RequestKind::kWrite));
  UseMemory(76);
  EXPECT_FALSE(Takes(RequestKind::kWrite));
  UseMemory(74);
  EXPECT_TRUE(Takes(RequestKind::kWrite));
  UseMemory(79);
  EXPECT_TRUE(Takes(RequestKind::kWrite)) << "not short again before its mark";
}

TEST_F(AdmissionTest, MemoryDelayGrowsWithTheDistance) {
  UseMemory(80);
  const uint32_t soft = DelayOf(admission_.Enter(RequestKind::kWrite, 1));
  UseMemory(100);
  const uint32_t hard = DelayOf(admission_.Enter(RequestKind::kWrite, 1));
  EXPECT_GT(soft, 0U);
  EXPECT_GT(hard, 2 * soft);
}

TEST(AdmissionLimitsTest, BytesFollowASmallMemoryLimit) {
  const AdmissionLimits small = AdmissionLimits::For(512 * kMiB);
  EXPECT_EQ(small.writes.bytes_max, 32 * kMiB);
  EXPECT_EQ(small.reads.bytes_max, 16 * kMiB);
  const AdmissionLimits large = AdmissionLimits::For(64 * 1024 * kMiB);
  EXPECT_EQ(large.writes.bytes_max, 128 * kMiB);
  EXPECT_EQ(AdmissionLimits::For(0).writes.bytes_max, 128 * kMiB);
}

TEST(AdmissionLimitsTest, WithoutAMemoryLimitMemoryIsNotLookedAt) {
  Admission admission(AdmissionLimits::For(0));
  admission.Tick(MonotonicTime(std::chrono::hours(1)), size_t{1} << 50);
  EXPECT_TRUE(admission.Enter(RequestKind::kWrite, 1).ok());
}

}  // namespace
}  // namespace quorate
