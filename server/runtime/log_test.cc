#include "server/runtime/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace quorate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class LogTest : public ::testing::Test {
 protected:
  LogTest() {
    SetLogSink([this](LogLevel /*level*/, const std::string& line) { lines_.push_back(line); });
  }
  ~LogTest() override {
    SetLogSink(nullptr);
    SetLogLevel(LogLevel::kWarning);
  }

  std::vector<std::string> lines_;
};

TEST_F(LogTest, WritesNamedValuesOfEachType) {
  SetLogLevel(LogLevel::kInfo);
  const std::string text = "n1";
  LogInfo("replica/elected",
          {{"group", uint64_t{7}}, {"delta", -3}, {"node", text}, {"lease", true}, {"share", 0.5}});
  EXPECT_THAT(lines_, ElementsAre("level=info msg=replica/elected group=7 delta=-3 node=n1 "
                                  "lease=true share=0.5"));
}

TEST_F(LogTest, StaysOneLineWhateverTheValueHolds) {
  LogError("x",
           {{"a", "two words"}, {"b", "q\"\\"}, {"c", "1\n\x01\xff"}, {"d", ""}, {"e", "k=v"}});
  EXPECT_THAT(lines_, ElementsAre(R"(level=error msg=x a="two words" b="q\"\\" )"
                                  R"(c="1\n\x01\xff" d="" e="k=v")"));
}

TEST_F(LogTest, DropsLinesBelowTheLevel) {
  SetLogLevel(LogLevel::kWarning);
  LogInfo("dropped");
  LogWarning("kept");
  EXPECT_THAT(lines_, ElementsAre("level=warning msg=kept"));
  EXPECT_FALSE(LogEnabled(LogLevel::kDebug));
}

TEST(LogLevelTest, NamesRoundTrip) {
  for (const LogLevel level :
       {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError}) {
    LogLevel parsed = LogLevel::kInfo;
    EXPECT_TRUE(ParseLogLevel(LogLevelName(level), &parsed));
    EXPECT_EQ(parsed, level);
  }
  LogLevel unchanged = LogLevel::kError;
  EXPECT_FALSE(ParseLogLevel("loud", &unchanged));
  EXPECT_EQ(unchanged, LogLevel::kError);
}

TEST(StartLogTest, NamesTheFileThatCannotBeOpened) {
  const absl::Status status = StartLog({.file = "/proc/no/such/folder/log"});
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("/proc/no/such/folder/log"));
}

TEST(StartLogTest, RotatesItsFile) {
  const auto folder = std::filesystem::temp_directory_path() / "quorate_log_test";
  std::filesystem::remove_all(folder);
  const std::string file = (folder / "kvd.log").string();
  ASSERT_TRUE(StartLog({.file = file, .file_bytes_max = 2000, .files_max = 2}).ok());
  for (int i = 0; i < 100; ++i) LogInfo("runtime/test", {{"i", i}});
  std::ifstream newest(file);
  std::string line;
  std::string last;
  while (std::getline(newest, line)) last = line;
  EXPECT_THAT(last, HasSubstr("level=info msg=runtime/test i=99"));
  EXPECT_EQ(last.substr(0, 6), "time=2");
  EXPECT_TRUE(std::filesystem::exists(folder / "kvd.1.log"));
  EXPECT_FALSE(std::filesystem::exists(folder / "kvd.3.log"));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace quorate
