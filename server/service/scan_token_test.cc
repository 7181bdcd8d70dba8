#include "server/service/scan_token.h"

#include <string>

#include "gtest/gtest.h"
#include "proto/error_detail.h"

namespace quorate {
namespace {

kv::v1::ScanRequest Request(const std::string& prefix) {
  kv::v1::ScanRequest request;
  request.set_prefix(prefix);
  return request;
}

TEST(ScanTokenTest, GivesBackTheLastKey) {
  const uint64_t hash = ScanBoundsHash(7, Request("a"));
  for (const std::string& key :
       {std::string("a"), std::string("a\0b", 3), std::string(4096, 'k')}) {
    const auto decoded = DecodeScanToken(hash, EncodeScanToken(hash, key));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(*decoded, key);
  }
}

TEST(ScanTokenTest, RefusesTokensOfOtherScans) {
  const uint64_t hash = ScanBoundsHash(7, Request("a"));
  const std::string token = EncodeScanToken(hash, "abc");
  kv::v1::ScanRequest shifted;  // the same bytes in other fields
  shifted.set_begin("a");
  for (const uint64_t other : {ScanBoundsHash(8, Request("a")), ScanBoundsHash(7, Request("b")),
                               ScanBoundsHash(7, shifted)}) {
    EXPECT_EQ(ReasonOf(DecodeScanToken(other, token).status()), kv::v1::REASON_INVALID_FIELD);
  }
}

TEST(ScanTokenTest, RefusesEveryDamage) {
  const uint64_t hash = ScanBoundsHash(7, Request("a"));
  const std::string token = EncodeScanToken(hash, "abc");
  for (size_t i = 0; i < token.size(); ++i) {
    std::string damaged = token;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    const auto decoded = DecodeScanToken(hash, damaged);
    ASSERT_FALSE(decoded.ok()) << i;
    EXPECT_EQ(DetailOf(decoded.status())->field(), "page_token");
    EXPECT_FALSE(DecodeScanToken(hash, token.substr(0, i)).ok()) << i;
  }
  EXPECT_FALSE(DecodeScanToken(hash, std::string(10000, 'x')).ok());
}

}  // namespace
}  // namespace quorate
