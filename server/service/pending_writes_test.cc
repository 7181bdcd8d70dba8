#include "server/service/pending_writes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <vector>

namespace quorate {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

class PendingWritesTest : public testing::Test {
 protected:
  class NumberedWrite final : public PendingWrites::Write {
   public:
    NumberedWrite(int number, std::vector<int>* cut) : number_(number), cut_(cut) {}
    void CutOff() override { cut_->push_back(number_); }

   private:
    const int number_;
    std::vector<int>* const cut_;
  };

  size_t Pass(seconds time) { return writes_.CutOff(now_ += time, seconds(30)); }

  MonotonicTime now_{};
  std::vector<int> cut_;
  PendingWrites writes_;
  NumberedWrite a_{1, &cut_};
  NumberedWrite b_{2, &cut_};
  NumberedWrite c_{3, &cut_};
};

TEST_F(PendingWritesTest, CutsOffOnlyTheOldOnesInTheirOrder) {
  writes_.Begin(&a_);
  Pass(seconds(1));
  Pass(seconds(9));
  writes_.Begin(&b_);
  writes_.Begin(&c_);
  Pass(seconds(1));
  Pass(seconds(19));
  EXPECT_THAT(cut_, IsEmpty());
  EXPECT_EQ(Pass(seconds(1)), 1U);
  EXPECT_THAT(cut_, ElementsAre(1));
  EXPECT_EQ(Pass(seconds(10)), 2U);
  EXPECT_THAT(cut_, ElementsAre(1, 2, 3));
  EXPECT_EQ(Pass(seconds(100)), 0U) << "once only";
}

TEST_F(PendingWritesTest, TakenAnswersAreLeftAloneWhereverTheyStand) {
  for (NumberedWrite* taken : {&a_, &b_, &c_}) {
    writes_.Begin(&a_);
    writes_.Begin(&b_);
    writes_.Begin(&c_);
    writes_.End(taken);
    Pass(seconds(1));
    Pass(seconds(30));
    EXPECT_EQ(cut_.size(), 2U);
    cut_.clear();
  }
}

TEST_F(PendingWritesTest, AnEndAfterTheCutIsHarmlessAndTheCallMayGiveAnother) {
  writes_.Begin(&a_);
  Pass(seconds(1));
  EXPECT_EQ(Pass(seconds(30)), 1U);
  writes_.End(&a_);
  writes_.End(&a_);
  writes_.Begin(&a_);
  Pass(seconds(1));
  EXPECT_EQ(Pass(seconds(29)), 0U);
  EXPECT_EQ(Pass(seconds(1)), 1U);
}

TEST_F(PendingWritesTest, AFreshAnswerIsNotOldBecauseTheLookComesLate) {
  Pass(seconds(1));
  writes_.Begin(&a_);
  EXPECT_EQ(Pass(seconds(1000)), 0U);
  EXPECT_EQ(Pass(seconds(29)), 0U);
  EXPECT_EQ(Pass(seconds(1)), 1U);
}

}  // namespace
}  // namespace quorate
