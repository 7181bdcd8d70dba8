#include "tests/sim/checkers/linearizability.h"

#include <gtest/gtest.h>

#include <random>

namespace quorate::sim {
namespace {

using std::chrono::nanoseconds;

// Histories in short: each call is one operation from `begin` to `end`.
class Builder {
 public:
  Builder& Write(int begin, int end, const char* value, HistoryEnd how = HistoryEnd::kOk) {
    return Add(begin, end, HistoryOp::kWrite, std::nullopt, value, how);
  }
  Builder& Delete(int begin, int end, HistoryEnd how = HistoryEnd::kOk) {
    return Add(begin, end, HistoryOp::kDelete, std::nullopt, std::nullopt, how);
  }
  Builder& Cas(int begin, int end, std::optional<std::string> expected, const char* value,
               HistoryEnd how = HistoryEnd::kOk) {
    return Add(begin, end, HistoryOp::kCas, std::move(expected), value, how);
  }
  Builder& Read(int begin, int end, std::optional<std::string> seen) {
    return Add(begin, end, HistoryOp::kRead, std::nullopt, std::move(seen), HistoryEnd::kOk);
  }
  [[nodiscard]] bool IsLinearizable() const { return CheckLinearizability(history_).ok; }
  [[nodiscard]] const History& history() const { return history_; }

 private:
  Builder& Add(int begin, int end, HistoryOp op, std::optional<std::string> expected,
               std::optional<std::string> value, HistoryEnd how) {
    const size_t at =
        history_.Invoke(1, "k", op, std::move(expected),
                        op == HistoryOp::kRead ? std::nullopt : value, nanoseconds(begin));
    if (how == HistoryEnd::kOk) history_.Ok(at, value, nanoseconds(end));
    if (how == HistoryEnd::kFail) history_.Fail(at, nanoseconds(end));
    if (how == HistoryEnd::kInfo) history_.Info(at, nanoseconds(end));
    return *this;
  }
  History history_;
};

TEST(LinearizabilityTest, AcceptsSequentialUse) {
  EXPECT_TRUE(Builder()
                  .Read(0, 1, std::nullopt)
                  .Write(2, 3, "a")
                  .Read(4, 5, "a")
                  .Cas(6, 7, "a", "b")
                  .Read(8, 9, "b")
                  .Delete(10, 11)
                  .Read(12, 13, std::nullopt)
                  .Cas(14, 15, std::nullopt, "c")
                  .Read(16, 17, "c")
                  .IsLinearizable());
}

TEST(LinearizabilityTest, AcceptsEitherOrderOfConcurrentWrites) {
  EXPECT_TRUE(Builder().Write(0, 10, "a").Write(0, 10, "b").Read(11, 12, "a").IsLinearizable());
  EXPECT_TRUE(Builder().Write(0, 10, "a").Write(0, 10, "b").Read(11, 12, "b").IsLinearizable());
}

TEST(LinearizabilityTest, RejectsStaleRead) {
  EXPECT_FALSE(Builder().Write(0, 1, "a").Write(2, 3, "b").Read(4, 5, "a").IsLinearizable());
}

TEST(LinearizabilityTest, RejectsLostWrite) {
  EXPECT_FALSE(Builder().Write(0, 1, "a").Read(2, 3, std::nullopt).IsLinearizable());
}

TEST(LinearizabilityTest, RejectsValueNeverWritten) {
  EXPECT_FALSE(Builder().Write(0, 1, "a").Read(2, 3, "x").IsLinearizable());
}

TEST(LinearizabilityTest, RejectsReadsThatGoBack) {
  EXPECT_FALSE(Builder()
                   .Write(0, 1, "a")
                   .Write(2, 20, "b")
                   .Read(3, 4, "b")
                   .Read(5, 6, "a")
                   .IsLinearizable());
}

TEST(LinearizabilityTest, RejectsCasAppliedTwice) {
  // The second application of a -> b would have overwritten c.
  EXPECT_FALSE(Builder()
                   .Write(0, 1, "a")
                   .Cas(2, 3, "a", "b")
                   .Write(4, 5, "c")
                   .Read(6, 7, "b")
                   .IsLinearizable());
}

TEST(LinearizabilityTest, RejectsTwoCasOfOneValue) {
  EXPECT_FALSE(Builder().Write(0, 1, "a").Cas(2, 9, "a", "b").Cas(2, 9, "a", "c").IsLinearizable());
}

TEST(LinearizabilityTest, RejectsRefusedWriteThatIsSeen) {
  EXPECT_FALSE(Builder().Write(0, 1, "a", HistoryEnd::kFail).Read(2, 3, "a").IsLinearizable());
}

TEST(LinearizabilityTest, UnknownWriteMayAppearLate) {
  EXPECT_TRUE(Builder()
                  .Write(0, 1, "a")
                  .Write(2, 3, "b", HistoryEnd::kInfo)
                  .Read(4, 5, "a")
                  .Read(6, 7, "b")
                  .IsLinearizable());
  EXPECT_TRUE(Builder()
                  .Write(0, 1, "a")
                  .Write(2, 3, "b", HistoryEnd::kInfo)
                  .Read(4, 5, "a")
                  .IsLinearizable());
}

TEST(LinearizabilityTest, UnknownWriteMayNotComeAndGo) {
  EXPECT_FALSE(Builder()
                   .Write(0, 1, "a")
                   .Write(2, 3, "b", HistoryEnd::kInfo)
                   .Read(4, 5, "b")
                   .Read(6, 7, "a")
                   .IsLinearizable());
}

TEST(LinearizabilityTest, UnknownWriteMayNotActBeforeItsBegin) {
  EXPECT_FALSE(Builder().Read(0, 1, "b").Write(2, 3, "b", HistoryEnd::kInfo).IsLinearizable());
}

TEST(LinearizabilityTest, UnknownDeleteExplainsAbsence) {
  EXPECT_TRUE(Builder()
                  .Write(0, 1, "a")
                  .Delete(2, 3, HistoryEnd::kInfo)
                  .Read(4, 5, "a")
                  .Read(6, 7, std::nullopt)
                  .IsLinearizable());
  EXPECT_FALSE(Builder()
                   .Write(0, 1, "a")
                   .Delete(2, 3, HistoryEnd::kInfo)
                   .Read(4, 5, std::nullopt)
                   .Read(6, 7, "a")
                   .IsLinearizable());
}

TEST(LinearizabilityTest, ChainOfUnknownCasIsFollowed) {
  EXPECT_TRUE(Builder()
                  .Write(0, 1, "a")
                  .Cas(2, 3, "a", "b", HistoryEnd::kInfo)
                  .Cas(4, 5, "b", "c", HistoryEnd::kInfo)
                  .Read(6, 7, "c")
                  .IsLinearizable());
  EXPECT_FALSE(Builder()
                   .Write(0, 1, "a")
                   .Cas(4, 5, "b", "c", HistoryEnd::kInfo)
                   .Read(6, 7, "c")
                   .IsLinearizable());
}

TEST(LinearizabilityTest, ExplanationNamesTheOperation) {
  const auto result = CheckLinearizability(Builder().Write(0, 1, "a").Read(2, 3, "x").history());
  EXPECT_NE(result.explanation.find("read k = x"), std::string::npos) << result.explanation;
}

// Runs a real register under overlapping operations: always linearizable; with one stale read,
// never.
TEST(LinearizabilityTest, LongHistoriesAreDecidedQuickly) {
  std::mt19937_64 random(7);
  Builder good;
  Builder bad;
  std::optional<std::string> value;
  std::optional<std::string> before_last;
  for (int i = 0; i < 20000; ++i) {
    const int at = i * 10;
    const int begin = at - static_cast<int>(random() % 25);
    const int end = at + 1 + static_cast<int>(random() % 25);
    if (random() % 2 == 0) {
      before_last = value;
      value = "v" + std::to_string(i);
      good.Write(begin, end, value->c_str());
      bad.Write(begin, end, value->c_str());
    } else {
      good.Read(begin, end, value);
      bad.Read(begin, end, i == 15001 ? std::optional<std::string>("never") : value);
    }
    if (i == 15001) bad.Read(begin, end, "never");
  }
  EXPECT_TRUE(good.IsLinearizable());
  EXPECT_FALSE(bad.IsLinearizable());
}

}  // namespace
}  // namespace quorate::sim
