#include "tests/sim/cluster/fault_schedule.h"

#include <gtest/gtest.h>

namespace quorate::sim {
namespace {

TEST(FaultScheduleTest, TextAndFaultsAreTheSameThing) {
  std::string text;
  std::vector<Fault> drawn;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    for (const Fault& fault : DrawFaults({.moves = seed % 2 == 0}, SeededRandom(seed))) {
      text += ToText(fault) + "\n";
      drawn.push_back(fault);
    }
  }
  const auto parsed = ParseFaults("# a comment\n\n" + text);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  ASSERT_EQ(parsed->size(), drawn.size());
  for (size_t i = 0; i < drawn.size(); ++i) EXPECT_EQ(ToText((*parsed)[i]), ToText(drawn[i]));
}

TEST(FaultScheduleTest, ErrorsNameTheLine) {
  const auto parsed = ParseFaults("at 1.000s heal\nat 2s explode 1\n");
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(std::string(parsed.status().message()), "line 2: no such fault: explode");
  EXPECT_FALSE(ParseFaults("at 1s crash 2").ok());
  EXPECT_FALSE(ParseFaults("heal").ok());
  EXPECT_FALSE(ParseFaults("at 99999999999999999999s heal").ok()) << "no duration holds it";
  EXPECT_FALSE(ParseFaults("at -1s heal").ok());
}

TEST(FaultScheduleTest, EveryFaultIsHealedInTime) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    const auto faults = DrawFaults({.moves = seed % 2 == 0}, SeededRandom(seed));
    ASSERT_FALSE(faults.empty());
    EXPECT_EQ(faults.back().kind, FaultKind::kHeal);
    for (const Fault& fault : faults) EXPECT_LE(fault.at, std::chrono::seconds(60));
  }
}

}  // namespace
}  // namespace quorate::sim
