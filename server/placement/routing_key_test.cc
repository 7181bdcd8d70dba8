#include "server/placement/routing_key.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace quorate {
namespace {

TEST(RoutingKeyTest, TakesTheFirstNonEmptyTag) {
  EXPECT_EQ(RoutingKey("{user1}.name", RoutingRule::kTag), "user1");
  EXPECT_EQ(RoutingKey("a{b}c{d}", RoutingRule::kTag), "b");
  EXPECT_EQ(RoutingKey("{{x}}", RoutingRule::kTag), "{x");
}

TEST(RoutingKeyTest, TakesTheWholeKeyWithoutACompleteTag) {
  for (const char* key : {"", "plain", "{open", "close}", "}a{", "a{}b{c}"}) {
    EXPECT_EQ(RoutingKey(key, RoutingRule::kTag), key);
  }
}

TEST(RoutingKeyTest, WholeRuleIgnoresTags) {
  EXPECT_EQ(RoutingKey("{user1}.name", RoutingRule::kWhole), "{user1}.name");
  EXPECT_FALSE(RoutingKeyOfPrefix("{user1}.", RoutingRule::kWhole).has_value());
}

TEST(RoutingKeyTest, PrefixFixesTheRoutingKeyOnlyWithACompleteTag) {
  EXPECT_EQ(RoutingKeyOfPrefix("{user1}", RoutingRule::kTag), "user1");
  EXPECT_FALSE(RoutingKeyOfPrefix("{user1", RoutingRule::kTag).has_value());
  EXPECT_FALSE(RoutingKeyOfPrefix("user", RoutingRule::kTag).has_value());
  EXPECT_FALSE(RoutingKeyOfPrefix("{}x{y}", RoutingRule::kTag).has_value());
}

TEST(RoutingKeyTest, TagOfBinaryKey) {
  const std::string key("\0{\0\xff}\0", 6);
  EXPECT_EQ(RoutingKey(key, RoutingRule::kTag), std::string("\0\xff", 2));
}

// Data on disk and in clients rests on these; they must never change.
TEST(RoutingHashTest, GoldenVectors) {
  EXPECT_EQ(RoutingHash(""), 0x2d06800538d394c2u);
  EXPECT_EQ(RoutingHash("a"), 0xe6c632b61e964e1fu);
  EXPECT_EQ(RoutingHash("user1"), 0xeff89d018b2aae9cu);
  EXPECT_EQ(RoutingHash(std::string(300, 'x')), 0xa5d1b4607dc83554u);
}

TEST(PartitionTest, IsTheTopBitsOfTheHash) {
  EXPECT_EQ(PartitionOfHash(0xffffffffffffffffu, 1), 0u);
  EXPECT_EQ(PartitionOfHash(0x7fffffffffffffffu, 2), 0u);
  EXPECT_EQ(PartitionOfHash(0x8000000000000000u, 2), 1u);
  EXPECT_EQ(PartitionOfHash(0xabcdef0000000000u, 16), 0xau);
  EXPECT_EQ(PartitionOfHash(0xabcdef0000000000u, 4096), 0xabcu);
}

TEST(PartitionTest, RangesCoverTheHashSpaceWithoutOverlap) {
  for (const uint32_t partitions : {1u, 2u, 16u, 4096u}) {
    uint64_t next = 0;
    for (uint32_t partition = 0; partition < partitions; ++partition) {
      const HashRange range = HashRangeOf(partition, partitions);
      EXPECT_EQ(range.begin, next);
      EXPECT_EQ(PartitionOfHash(range.begin, partitions), partition);
      EXPECT_EQ(PartitionOfHash(range.end, partitions), partition);
      next = range.end + 1;
    }
    EXPECT_EQ(next, 0u);
  }
}

TEST(PartitionTest, KeysOfOneTagShareAPartition) {
  for (int tag = 0; tag < 100; ++tag) {
    const std::string base = "{" + std::to_string(tag) + "}";
    const uint32_t partition = PartitionOfKey(base, RoutingRule::kTag, 1024);
    EXPECT_EQ(PartitionOfKey(base + ".a", RoutingRule::kTag, 1024), partition);
    EXPECT_EQ(PartitionOfKey("x" + base + "y", RoutingRule::kTag, 1024), partition);
  }
}

TEST(PartitionTest, SpreadsKeysEvenly) {
  std::vector<int> counts(16);
  for (int i = 0; i < 16000; ++i) {
    ++counts[PartitionOfKey("key" + std::to_string(i), RoutingRule::kTag, 16)];
  }
  for (const int count : counts) {
    EXPECT_GT(count, 850);
    EXPECT_LT(count, 1150);
  }
}

}  // namespace
}  // namespace quorate
