#include "quorate/result.h"

#include "gtest/gtest.h"
#include "quorate/explain.h"

namespace quorate::client {
namespace {

TEST(ResultTest, VersionsAndRequestIdsSurviveBeingPrinted) {
  Version version;
  version.bytes[0] = 0xab;
  version.bytes[15] = 7;
  EXPECT_EQ(version.ToHex(),
            "ab00000000000000000000000000"
            "0007");
  EXPECT_EQ(Version::FromHex(version.ToHex()), version);
  EXPECT_FALSE(Version::FromHex("ab"));
  EXPECT_FALSE(Version::FromHex(std::string(32, 'g')));
  EXPECT_FALSE(Version::FromHex(std::string(31, '0') + "+"));

  const RequestId id{.client_id = version.bytes, .sequence = 12, .cluster_time_us = 34};
  EXPECT_EQ(RequestId::Parse(id.ToString()), id);
  EXPECT_FALSE(RequestId::Parse(""));
  EXPECT_FALSE(RequestId::Parse("12-34"));
  EXPECT_FALSE(RequestId::Parse(version.ToHex() + "-12-x"));
  EXPECT_FALSE(RequestId::Parse(version.ToHex() + "-12"));
}

TEST(ExplainTest, NamesTheClassAndTheCostOfEachPolicy) {
  EXPECT_EQ(Explain({}).pacelc, "PC/EC");
  EXPECT_EQ(Explain({.read = ReadMode::kAny}).pacelc, "PC/EL");
  EXPECT_NE(Explain({.replicas = 5}).write_cost.find("2 of 4 followers"), std::string::npos);
  EXPECT_NE(Explain({.lease = LeaseUse::kOff}).read_cost.find("one round trip"), std::string::npos);
  EXPECT_NE(Explain({}).read_cost.find("no round trip"), std::string::npos);
  EXPECT_NE(Explain({.replicas = 1}).write_cost.find("no round trip"), std::string::npos);
  EXPECT_EQ(Explain({.replicas = 5, .durability = Durability::kBuffered}).survives,
            "the crash of all nodes' processes, and power loss of the machines of any 2 of its 5 "
            "replicas; power loss of 3 at once LOSES RECENT WRITES: the partition then stays "
            "down until it is recovered without them (kvctl partition recover)");
  EXPECT_EQ(Explain({.replicas = 1, .durability = Durability::kBuffered}).survives,
            "the crash of all nodes' processes; power loss of its machine LOSES RECENT WRITES: "
            "the partition then stays down until it is recovered without them (kvctl partition "
            "recover)");
  EXPECT_EQ(Explain({.durability = Durability::kBuffered}).write_cost.find("fsync"),
            std::string::npos);
}

}  // namespace
}  // namespace quorate::client
