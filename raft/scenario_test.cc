// Plays every file of tests/scenarios/raft; a file's name is the name of its test.
#include "raft/scenario.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "gtest/gtest.h"

namespace quorate::raft {
namespace {

std::vector<std::string> ScenarioNames() {
  std::vector<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(QUORATE_RAFT_SCENARIOS)) {
    if (file.path().extension() == ".txt") names.push_back(file.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class ScenarioTest : public testing::TestWithParam<std::string> {};

TEST_P(ScenarioTest, Holds) {
  std::ifstream file(std::string(QUORATE_RAFT_SCENARIOS) + "/" + GetParam() + ".txt");
  std::stringstream text;
  text << file.rdbuf();
  ASSERT_FALSE(text.str().empty());
  const absl::Status status = Scenario().Run(text.str());
  EXPECT_TRUE(status.ok()) << std::string(status.message());
}

INSTANTIATE_TEST_SUITE_P(Raft, ScenarioTest, testing::ValuesIn(ScenarioNames()),
                         [](const auto& name) { return name.param; });

// The reader itself: a wrong scenario must fail, and say where.
TEST(ScenarioReaderTest, NamesTheLineThatFails) {
  const absl::Status status = Scenario().Run("nodes 1\ncampaign 1\nexpect term 1 7\n");
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(std::string(status.message()), "line 3 `expect term 1 7`: wanted 7, found 1");
}

TEST(ScenarioReaderTest, RefusesWhatItDoesNotKnow) {
  EXPECT_FALSE(Scenario().Run("nodes 1\ndance 1\n").ok());
  EXPECT_FALSE(Scenario().Run("nodes x\n").ok());
  EXPECT_FALSE(Scenario().Run("nodes 1\nexpect mood 1 good\n").ok());
  EXPECT_FALSE(Scenario().Run("nodes 1\ncampaign 1\nnodes 3\n").ok());
  EXPECT_FALSE(Scenario().Run("config colour=1\n").ok());
}

}  // namespace
}  // namespace quorate::raft
