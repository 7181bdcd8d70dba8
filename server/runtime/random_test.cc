#include "server/runtime/random.h"

#include <gtest/gtest.h>

#include <array>

namespace quorate {
namespace {

TEST(SeededRandomTest, EqualSeedsGiveEqualNumbers) {
  SeededRandom a(7);
  SeededRandom b(7);
  SeededRandom c(8);
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const uint64_t number = a.Next();
    ASSERT_EQ(number, b.Next());
    differs = differs || number != c.Next();
  }
  EXPECT_TRUE(differs);
}

// Stored seeds of failures must replay on every later build.
TEST(SeededRandomTest, SequenceNeverChanges) {
  SeededRandom random(1);
  EXPECT_EQ(random.Next(), 12966619160104079557u);
  EXPECT_EQ(random.Next(), 9600361134598540522u);
}

TEST(SeededRandomTest, ForkIsIndependentOfLaterDraws) {
  SeededRandom a(7);
  SeededRandom b(7);
  SeededRandom fork_a = a.Fork();
  SeededRandom fork_b = b.Fork();
  b.Next();
  EXPECT_EQ(fork_a.Next(), fork_b.Next());
}

TEST(UniformTest, StaysInRangeAndCoversIt) {
  SeededRandom random(3);
  std::array<int, 5> seen{};
  for (int i = 0; i < 1000; ++i) ++seen[UniformBelow(random, seen.size())];
  for (const int count : seen) EXPECT_GT(count, 100);
  for (int i = 0; i < 1000; ++i) {
    const Duration drawn = UniformDuration(random, Duration(10), Duration(12));
    EXPECT_GE(drawn, Duration(10));
    EXPECT_LE(drawn, Duration(12));
  }
  EXPECT_EQ(UniformDuration(random, Duration(4), Duration(4)), Duration(4));
}

TEST(UniformTest, ChanceOfZeroAndOneAreCertain) {
  SeededRandom random(3);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_FALSE(Chance(random, 0));
    EXPECT_TRUE(Chance(random, 1));
  }
}

TEST(KernelSeedTest, Differs) { EXPECT_NE(KernelSeed(), KernelSeed()); }

}  // namespace
}  // namespace quorate
