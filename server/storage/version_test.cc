#include "server/storage/version.h"

#include <gtest/gtest.h>

namespace quorate {
namespace {

TEST(VersionTest, KeepsItsParts) {
  const Version version = Version::Make(0xabcdef, 0x0123456789abcdefu, 0x1122334455u);
  EXPECT_EQ(version.era(), 0xabcdefu);
  EXPECT_EQ(version.stamp(), 0x0123456789abcdefu);
  EXPECT_EQ(version.tie(), 0x1122334455u);
  EXPECT_EQ(Version::FromBytes(version.ToBytes()), version);
}

TEST(VersionTest, BytesAreFixed) {
  EXPECT_EQ(
      Version::Make(1, 0x0203040506070809u, 0x0a0b0c0d0eu).view(),
      std::string_view("\x00\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e", 16));
}

TEST(VersionTest, OrderOfBytesIsEraThenStampThenTie) {
  const Version ascending[] = {Version(),
                               Version::Make(0, 1),
                               Version::Make(0, 1, 1),
                               Version::Make(0, 2),
                               Version::Make(0, UINT64_MAX),
                               Version::Make(1, 0),
                               Version::Make(Version::kEraMax, 0)};
  for (size_t i = 1; i < std::size(ascending); ++i) {
    EXPECT_LT(ascending[i - 1], ascending[i]);
    EXPECT_LT(ascending[i - 1].ToBytes(), ascending[i].ToBytes());
  }
}

TEST(VersionTest, RefusesOtherLengths) {
  EXPECT_FALSE(Version::FromBytes("").has_value());
  EXPECT_FALSE(Version::FromBytes(std::string(15, 'x')).has_value());
  EXPECT_FALSE(Version::FromBytes(std::string(17, 'x')).has_value());
}

TEST(StampTest, HoldsMilliseconds) {
  EXPECT_EQ(StampFromMicros(1'700'000'000'123'999), uint64_t{1'700'000'000'123} << 16);
  EXPECT_EQ(StampToMicros(StampFromMicros(1'700'000'000'123'999)), 1'700'000'000'123'000u);
}

TEST(StampTest, MadClocksAreCut) {
  EXPECT_EQ(StampFromMicros(-1), 0u);
  const uint64_t last = StampFromMicros(INT64_MAX);
  EXPECT_GT(NextStamp(last, last), last);
}

TEST(StampTest, GrowsThoughTheClockGoesBack) {
  const uint64_t now = StampFromMicros(1'000'000);
  EXPECT_EQ(NextStamp(0, now), now);
  EXPECT_EQ(NextStamp(now, now), now + 1);
  EXPECT_EQ(NextStamp(now, StampFromMicros(5)), now + 1);
}

}  // namespace
}  // namespace quorate
