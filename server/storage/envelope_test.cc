#include "server/storage/envelope.h"

#include <gtest/gtest.h>

#include <random>

namespace quorate {
namespace {

Envelope SampleEnvelope() {
  return {.version = Version::Make(1, 2, 3),
          .expiry_us = 4,
          .key_hash = 5,
          .version_vector = {},
          .transaction = {},
          .value = "hi"};
}

TEST(EnvelopeTest, GivesBackWhatWasPutIn) {
  const std::string vector(300, 'v');
  for (const std::string& value : {std::string(), std::string("x"), std::string(1 << 20, '\0')}) {
    Envelope envelope = SampleEnvelope();
    envelope.version_vector = vector;
    envelope.transaction = "txn";
    envelope.value = value;
    const std::string bytes = EncodeEnvelope(envelope);
    const auto decoded = DecodeEnvelope(bytes);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(decoded->version, envelope.version);
    EXPECT_EQ(decoded->expiry_us, 4u);
    EXPECT_EQ(decoded->key_hash, 5u);
    EXPECT_EQ(decoded->version_vector, vector);
    EXPECT_EQ(decoded->transaction, "txn");
    EXPECT_EQ(decoded->value, value);
  }
}

// Stored data rests on it.
TEST(EnvelopeTest, BytesAreFixed) {
  std::string hex;
  for (const char byte : EncodeEnvelope(SampleEnvelope())) {
    constexpr char kDigits[] = "0123456789abcdef";
    hex += kDigits[(byte >> 4) & 15];
    hex += kDigits[byte & 15];
  }
  EXPECT_EQ(hex,
            "01"
            "00000100000000000000020000000003"
            "0000000000000004"
            "00"
            "0000000000000005"
            "00"
            "00"
            "6869"
            "22a7cc00");
}

TEST(EnvelopeTest, EveryFlippedBitIsNoticed) {
  const std::string good = EncodeEnvelope(SampleEnvelope());
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_EQ(DecodeEnvelope(bad).status().code(), absl::StatusCode::kDataLoss) << bit;
  }
}

TEST(EnvelopeTest, EveryTruncationIsNoticed) {
  const std::string good = EncodeEnvelope(SampleEnvelope());
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_EQ(DecodeEnvelope(good.substr(0, size)).status().code(), absl::StatusCode::kDataLoss);
  }
}

TEST(EnvelopeTest, AnyBytesAreAnsweredWithoutACrash) {
  std::mt19937 random(1);
  for (int round = 0; round < 20000; ++round) {
    std::string bytes(random() % 80, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    EXPECT_FALSE(DecodeEnvelope(bytes).ok());
  }
}

}  // namespace
}  // namespace quorate
