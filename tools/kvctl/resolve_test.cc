// Contexts: the file, and which of flag, environment, context and default counts.
#include "tools/kvctl/resolve.h"

#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/kvctl/cli.h"
#include "tools/kvctl/config_file.h"

namespace quorate::kvctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kFile = R"(current = "prod"

[context.prod]
endpoints = ["10.0.0.1:7400", "10.0.0.2:7400"]
timeout = "10s"

[context.test]
endpoints = "127.0.0.1:9999"
output = "json"
keyspace = "orders"
)";

TEST(ConfigTest, IsTakenBackAsWritten) {
  auto config = ParseConfig(kFile, "f");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->current, "prod");
  EXPECT_EQ(config->contexts.at("prod").at("endpoints"), "10.0.0.1:7400,10.0.0.2:7400");
  config->contexts["a.b"] = {{"timeout", "1s"}};
  const auto again = ParseConfig(FormatConfig(*config), "f");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->current, config->current);
  EXPECT_EQ(again->contexts, config->contexts);
}

TEST(ConfigTest, ErrorsNameFileLineAndKey) {
  const std::pair<std::string, std::string> table[] = {
      {"current = \"a\"\n[context", "f:2: not TOML"},
      {"current = \"a\"", "f:1: current: there is no [context.a]"},
      {"current = 1", "f:1: current: write the name"},
      {"\nnope = 1", "f:2: nope: unknown"},
      {"context = 1", "f:1: context: write a section"},
      {"[context]\na = 1", "f:2: context.a: write a section"},
      {"[context.\"a b\"]", "f:1: context.a b: a context's name"},
      {"[context.a]\nendpoint = \"x:1\"", "f:2: context.a.endpoint: there is no setting"},
      {"[context.a]\nendpoints = [\"x:1\", 2]", "f:2: context.a.endpoints: write text"},
      {"[context.a]\nendpoints = [\"x\"]", "f:2: context.a.endpoints: 'x' is not HOST:PORT"},
      {"[context.a]\nendpoints = []", "f:2: context.a.endpoints: it names no"},
      {"[context.a]\n\ntimeout = 5", "f:3: context.a.timeout: write text in quotes"},
      {"[context.a]\ntimeout = \"soon\"", "f:2: context.a.timeout: 'soon' is not a time"},
      {"[context.a]\noutput = \"xml\"", "f:2: context.a.output: 'xml' is not one of"},
      {"[context.a]\nkeyspace = \"a b\"", "f:2: context.a.keyspace: 'a b' is not the name"},
  };
  for (const auto& [text, error] : table) {
    const auto config = ParseConfig(text, "f");
    ASSERT_FALSE(config.ok()) << text;
    EXPECT_THAT(std::string(config.status().message()), testing::StartsWith(error));
  }
}

// A file of its own for each test.
class ResolveTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "kvctl_resolve_" +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_ + "/kvctl");
    std::ofstream(folder_ + "/kvctl/config.toml") << kFile;
    variables_["XDG_CONFIG_HOME"] = folder_;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  absl::StatusOr<GlobalOptions> Resolve(const std::map<std::string, std::string>& flags = {},
                                        bool use_context = true) {
    return ResolveSettings(
        flags,
        [this](const std::string& name) {
          const auto found = variables_.find(name);
          return found == variables_.end() ? "" : found->second;
        },
        use_context);
  }
  std::string ErrorOf(const std::map<std::string, std::string>& flags = {}) {
    const auto options = Resolve(flags);
    return options.ok() ? "no error" : std::string(options.status().message());
  }

  std::string folder_;
  std::map<std::string, std::string> variables_;
};

TEST_F(ResolveTest, FlagBeforeEnvironmentBeforeContextBeforeDefault) {
  const auto seconds = [](const GlobalOptions& options) {
    return std::chrono::duration_cast<std::chrono::seconds>(options.timeout).count();
  };
  EXPECT_EQ(seconds(*Resolve({}, /*use_context=*/false)), 5);
  EXPECT_EQ(seconds(*Resolve()), 10);
  variables_["KVCTL_TIMEOUT"] = "20s";
  EXPECT_EQ(seconds(*Resolve()), 20);
  const auto options = Resolve({{"--timeout", "30s"}});
  EXPECT_EQ(seconds(*options), 30);
  EXPECT_THAT(options->endpoints, ElementsAre("10.0.0.1:7400", "10.0.0.2:7400"));
  std::map<std::string, std::string> from;
  for (const SettingOrigin& origin : options->origins) {
    from[origin.name] = origin.from;
  }
  EXPECT_EQ(from["timeout"], "flag");
  EXPECT_EQ(from["endpoints"], "context");
  EXPECT_EQ(from["output"], "default");
}

TEST_F(ResolveTest, ContextByFlagBeforeEnvironmentBeforeCurrent) {
  EXPECT_EQ(Resolve()->context, "prod");
  variables_["KVCTL_CONTEXT"] = "test";
  EXPECT_EQ(Resolve()->context, "test");
  EXPECT_EQ(Resolve()->keyspace, "orders");
  EXPECT_EQ(Resolve({{"--context", "prod"}})->context, "prod");
}

TEST_F(ResolveTest, TellsWhatIsWrong) {
  EXPECT_THAT(
      ErrorOf({{"--context", "nope"}}),
      testing::AllOf(HasSubstr("--context: there is no context 'nope'"), HasSubstr("prod, test")));
  EXPECT_THAT(ErrorOf({{"--config", folder_ + "/none"}}), HasSubstr("there is no "));
  EXPECT_THAT(ErrorOf({{"--config", folder_}}), HasSubstr("cannot be read"));
  EXPECT_THAT(ErrorOf({{"--timeout", "soon"}}), HasSubstr("--timeout: 'soon'"));
  variables_["KVCTL_OUTPUT"] = "xml";
  EXPECT_THAT(ErrorOf(), HasSubstr("KVCTL_OUTPUT: 'xml'"));
  std::ofstream(folder_ + "/kvctl/config.toml") << "x = 1";
  EXPECT_THAT(ErrorOf(), HasSubstr("/kvctl/config.toml:1: x: unknown"));
}

TEST_F(ResolveTest, WithoutAFileThereAreDefaults) {
  std::filesystem::remove_all(folder_);
  EXPECT_THAT(Resolve()->endpoints, ElementsAre("127.0.0.1:7400"));
  variables_["KVCTL_CONTEXT"] = "prod";
  EXPECT_THAT(ErrorOf(), HasSubstr("KVCTL_CONTEXT: there is no context 'prod'"));
}

TEST_F(ResolveTest, FindsTheFile) {
  const auto path = [this](const std::map<std::string, std::string>& flags) {
    return ConfigPath(flags, [this](const std::string& name) { return variables_[name]; });
  };
  EXPECT_EQ(path({}), folder_ + "/kvctl/config.toml");
  EXPECT_EQ(path({{"--config", "x"}}), "x");
  variables_["KVCTL_CONFIG"] = "y";
  EXPECT_EQ(path({}), "y");
  variables_ = {{"HOME", "/h"}, {"XDG_CONFIG_HOME", "relative"}};
  EXPECT_EQ(path({}), "/h/.config/kvctl/config.toml");
  variables_.clear();
  EXPECT_EQ(path({}), "");
}

TEST_F(ResolveTest, WritesForItsOwnerOnly) {
  const std::string path = folder_ + "/deep/er/config.toml";
  ASSERT_TRUE(WriteConfig({.current = "", .contexts = {{"a", {{"timeout", "1s"}}}}}, path).ok());
  ASSERT_TRUE(ReadConfig(path).ok());
  EXPECT_EQ(std::filesystem::status(path).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

std::vector<std::string> WithOrders(const std::vector<std::string>& words) {
  const CommandInfo root = DescribeCommands();
  return WithKeyspace(ReadWords(root, words), words, "orders");
}

TEST(WithKeyspaceTest, FillsInTheOneThatIsMissing) {
  EXPECT_THAT(WithOrders({"get", "k"}), ElementsAre("get", "orders", "k"));
  EXPECT_THAT(WithOrders({"--hex", "put", "--receipt", "k", "v"}),
              ElementsAre("--hex", "put", "--receipt", "orders", "k", "v"));
  EXPECT_THAT(WithOrders({"scan", "--limit", "5"}), ElementsAre("scan", "--limit", "5", "orders"));
  EXPECT_THAT(WithOrders({"get", "--", "-k"}), ElementsAre("get", "--", "orders", "-k"));
}

TEST(WithKeyspaceTest, LeavesTheRestAlone) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"get", "a", "b"},
                                                {"get"},
                                                {"put", "a"},
                                                {"status"},
                                                // A keyspace that nobody named must not be dropped.
                                                {"keyspace", "drop", "--yes"},
                                                {"keyspace", "describe"}}) {
    EXPECT_EQ(WithOrders(words), words);
  }
}

}  // namespace
}  // namespace quorate::kvctl
