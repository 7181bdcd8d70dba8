#include "server/node_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace quorate {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using Action = KvdCommand::Action;

absl::StatusOr<KvdCommand> Parse(std::vector<std::string> arguments, const std::string& config = "",
                                 bool with_data_dir = true) {
  if (with_data_dir) arguments.insert(arguments.begin(), {"--data-dir", "/data"});
  return ParseKvdOptions(arguments, {}, config, "kvd.toml");
}

std::string ErrorOf(const std::vector<std::string>& arguments, const std::string& config = "",
                    bool with_data_dir = true) {
  const auto parsed = Parse(arguments, config, with_data_dir);
  return parsed.ok() ? "no error" : std::string(parsed.status().message());
}

TEST(NodeOptionsTest, DefaultsServeThisMachineOnly) {
  const auto parsed = Parse({});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const KvdOptions& options = parsed->options;
  EXPECT_EQ(options.data_dir, "/data");
  EXPECT_EQ(options.listen, "127.0.0.1:7400");
  EXPECT_EQ(options.http, "127.0.0.1:7401");
  EXPECT_EQ(options.peer_listen, "127.0.0.1:7402");
  EXPECT_EQ(options.advertise, options.listen);
  EXPECT_EQ(options.advertise_peer, options.peer_listen);
  EXPECT_EQ(options.weight, 1U);
  EXPECT_FALSE(options.insecure);
}

TEST(NodeOptionsTest, TakesValuesInBothForms) {
  const auto parsed = Parse({"--listen=127.0.0.1:1",
                             "--peer-listen",
                             "127.0.0.1:2",
                             "--http",
                             "localhost:3",
                             "--join",
                             "127.0.0.1:2,a.example:7402",
                             "--peer-address",
                             "2=10.0.0.2:5",
                             "--peer-address=3=10.0.0.3:6",
                             "--zone",
                             "eu/a",
                             "--weight",
                             "3",
                             "--cache-bytes",
                             "2GiB",
                             "--workers",
                             "4",
                             "--log-level",
                             "debug",
                             "--log-file",
                             "/tmp/x",
                             "--advertise",
                             "[fe80::1]:9"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const KvdOptions& options = parsed->options;
  EXPECT_EQ(options.listen, "127.0.0.1:1");
  EXPECT_EQ(options.advertise, "[fe80::1]:9");
  EXPECT_THAT(options.join, ElementsAre("127.0.0.1:2", "a.example:7402"));
  EXPECT_EQ(options.peer_addresses.at(2), "10.0.0.2:5");
  EXPECT_EQ(options.peer_addresses.at(3), "10.0.0.3:6");
  EXPECT_EQ(options.zone, "eu/a");
  EXPECT_EQ(options.weight, 3U);
  EXPECT_EQ(options.cache_bytes, size_t{2} << 30);
  EXPECT_EQ(options.workers, 4U);
  EXPECT_EQ(options.log_level, LogLevel::kDebug);
  EXPECT_EQ(options.log_file, "/tmp/x");
}

TEST(NodeOptionsTest, ErrorsNameTheFlagAndTheFix) {
  EXPECT_THAT(ErrorOf({}, "", false), AllOf(HasSubstr("--data-dir"), HasSubstr("missing")));
  EXPECT_THAT(ErrorOf({"--frobnicate"}), AllOf(HasSubstr("--frobnicate"), HasSubstr("--help")));
  EXPECT_THAT(ErrorOf({"stray"}), HasSubstr("stray"));
  EXPECT_THAT(ErrorOf({"--listen"}), HasSubstr("--listen needs a value: --listen HOST:PORT"));
  EXPECT_THAT(ErrorOf({"--listen", "7400"}), AllOf(HasSubstr("--listen"), HasSubstr("HOST:PORT")));
  EXPECT_THAT(ErrorOf({"--listen", "h:0"}), HasSubstr("1 to 65535"));
  EXPECT_THAT(ErrorOf({"--listen", "h:65536"}), HasSubstr("1 to 65535"));
  EXPECT_THAT(ErrorOf({"--listen", "::1:7400"}), HasSubstr("brackets"));
  EXPECT_THAT(ErrorOf({"--weight", "0"}), AllOf(HasSubstr("--weight"), HasSubstr("1 to 1000")));
  EXPECT_THAT(ErrorOf({"--weight", "2x"}), HasSubstr("--weight"));
  EXPECT_THAT(ErrorOf({"--weight", "1", "--weight", "2"}), HasSubstr("twice"));
  EXPECT_THAT(ErrorOf({"--cache-bytes", "1TB"}), HasSubstr("--cache-bytes"));
  EXPECT_THAT(ErrorOf({"--cache-bytes", "-1"}), HasSubstr("--cache-bytes"));
  EXPECT_THAT(ErrorOf({"--log-level", "loud"}), HasSubstr("debug, info, warning or error"));
  EXPECT_THAT(ErrorOf({"--peer-address", "10.0.0.1:7"}), HasSubstr("ID=HOST:PORT"));
  EXPECT_THAT(ErrorOf({"--join", ""}), HasSubstr("--join"));
  EXPECT_THAT(ErrorOf({"--join", "a:1,,b:2"}), HasSubstr("--join"));
  EXPECT_THAT(ErrorOf({"--zone", "a b"}), HasSubstr("--zone"));
  EXPECT_THAT(ErrorOf({"--insecure=yes"}), HasSubstr("takes no value"));
}

TEST(NodeOptionsTest, BoundsOfLogsAndSnapshots) {
  const auto parsed = Parse({"--log-keep-bytes", "256MiB", "--log-bytes-max=2GiB", "--log-age-max",
                             "30m", "--snapshot-bytes-per-second", "8MiB", "--snapshots-max", "2"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->options.log_keep_bytes, uint64_t{256} << 20);
  EXPECT_EQ(parsed->options.log_bytes_max, uint64_t{2} << 30);
  EXPECT_EQ(parsed->options.log_age_max, std::chrono::minutes(30));
  EXPECT_EQ(parsed->options.snapshot_bytes_per_second, uint64_t{8} << 20);
  EXPECT_EQ(parsed->options.snapshots_max, 2U);
  EXPECT_THAT(ErrorOf({"--log-keep-bytes", "1023KiB"}),
              AllOf(HasSubstr("--log-keep-bytes"), HasSubstr("1MiB to 256GiB")));
  EXPECT_THAT(ErrorOf({"--log-keep-bytes", "257GiB"}), HasSubstr("1MiB to 256GiB"));
  EXPECT_THAT(ErrorOf({"--log-age-max", "999ms"}),
              AllOf(HasSubstr("--log-age-max"), HasSubstr("1000 ms or more")));
  EXPECT_THAT(ErrorOf({"--log-bytes-max", "1025GiB"}),
              AllOf(HasSubstr("--log-bytes-max"), HasSubstr("1MiB to 1024GiB")));
  EXPECT_THAT(ErrorOf({"--snapshot-bytes-per-second", "0"}),
              AllOf(HasSubstr("--snapshot-bytes-per-second"), HasSubstr("1MiB to 64GiB")));
  EXPECT_THAT(ErrorOf({"--snapshots-max", "0"}),
              AllOf(HasSubstr("--snapshots-max"), HasSubstr("1 to 64")));
  EXPECT_THAT(ErrorOf({}, "snapshots-max = 65"),
              AllOf(HasSubstr("kvd.toml:1: snapshots-max"), HasSubstr("1 to 64")));
  EXPECT_THAT(ErrorOf({"--log-keep-bytes", "257MiB"}),
              AllOf(HasSubstr("--log-bytes-max 1GiB"), HasSubstr("--log-keep-bytes 257MiB")));
  EXPECT_TRUE(Parse({"--log-keep-bytes", "256MiB"}).ok());
}

TEST(NodeOptionsTest, NonLoopbackNeedsInsecure) {
  for (const std::string flag : {"--listen", "--http", "--peer-listen"}) {
    EXPECT_THAT(ErrorOf({flag, "10.0.0.1:9"}),
                AllOf(HasSubstr(flag), HasSubstr("TLS"), HasSubstr("--insecure")));
    EXPECT_TRUE(Parse({flag, "10.0.0.1:9", "--insecure"}).ok());
    EXPECT_TRUE(Parse({flag, "[::1]:9"}).ok());
  }
}

TEST(NodeOptionsTest, WildcardNeedsAnAdvertisedAddress) {
  EXPECT_THAT(ErrorOf({"--listen", "0.0.0.0:9", "--insecure"}), HasSubstr("--advertise "));
  EXPECT_THAT(ErrorOf({"--peer-listen", "[::]:9", "--insecure"}), HasSubstr("--advertise-peer "));
  EXPECT_TRUE(Parse({"--listen", "0.0.0.0:9", "--insecure", "--advertise", "a.example:9"}).ok());
}

TEST(NodeOptionsTest, EachPortIsItsOwn) {
  EXPECT_THAT(ErrorOf({"--listen", "127.0.0.1:7402"}),
              AllOf(HasSubstr("--listen"), HasSubstr("--peer-listen")));
}

TEST(NodeOptionsTest, ConfigHasTheSameKeysAndYieldsToTheCommandLine) {
  const std::string config = R"(
data-dir = "/from-file"
weight = 7
zone = "eu/b"
insecure = true
listen = "10.0.0.1:7400"
join = ["a:1", "b:2"]
peer-address = ["2=c:3"]
)";
  const auto parsed = Parse({"--zone", "us/c"}, config, false);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->options.data_dir, "/from-file");
  EXPECT_EQ(parsed->options.weight, 7U);
  EXPECT_EQ(parsed->options.zone, "us/c");
  EXPECT_THAT(parsed->options.join, ElementsAre("a:1", "b:2"));
  EXPECT_EQ(parsed->options.peer_addresses.at(2), "c:3");
  EXPECT_EQ(parsed->options.advertise, "10.0.0.1:7400");
  EXPECT_THAT(Parse({"--join", "d:4"}, config)->options.join, ElementsAre("d:4"));
}

TEST(NodeOptionsTest, ConfigErrorsNameFileLineAndKey) {
  EXPECT_THAT(ErrorOf({}, "\nwieght = 7"), HasSubstr("kvd.toml:2: wieght"));
  EXPECT_THAT(ErrorOf({}, "weight = \"x\""), HasSubstr("kvd.toml:1: weight"));
  EXPECT_THAT(ErrorOf({}, "weight = [1, 2]"), HasSubstr("one value"));
  EXPECT_THAT(ErrorOf({}, "weight = 1.5"), HasSubstr("kvd.toml:1: weight"));
  EXPECT_THAT(ErrorOf({}, "[section]\nweight = 1"), HasSubstr("section"));
  EXPECT_THAT(ErrorOf({}, "insecure = \"maybe\""), HasSubstr("true or false"));
  EXPECT_THAT(ErrorOf({}, "weight = = 1"), HasSubstr("kvd.toml:1: not TOML"));
  EXPECT_FALSE(Parse({"--listen", "10.0.0.1:9"}, "insecure = false").ok());
}

TEST(NodeOptionsTest, ReadsTheConfigFile) {
  const std::string path = testing::TempDir() + "/kvd_options_test.toml";
  std::ofstream(path) << "data-dir = \"/somewhere\"\n";
  const auto parsed = ParseKvdCommandLine({"--config", path}, {});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->options.data_dir, "/somewhere");
  const auto missing = ParseKvdCommandLine({"--config", "/no/such/file"}, {});
  EXPECT_THAT(std::string(missing.status().message()),
              AllOf(HasSubstr("--config"), HasSubstr("/no/such/file")));
}

TEST(NodeOptionsTest, TheEnvironmentStandsBetweenCommandLineAndFile) {
  const Environment environment = {{"KVD_DATA_DIR", "/from-environment"},
                                   {"KVD_ZONE", "eu/b"},
                                   {"KVD_JOIN", "a:1,b:2"},
                                   {"KVD_PEER_ADDRESS", "2=c:3,4=d:5"},
                                   {"KVD_CACHE_BYTES", "1GiB"},
                                   {"KVD_LOG_LEVEL", ""},
                                   {"DATA_DIR", "/not-ours"},
                                   {"PATH", "/bin"}};
  const std::string config = "data-dir = \"/from-file\"\nweight = 7\nlog-level = \"error\"\n";
  const auto parsed = ParseKvdOptions({"--zone", "us/c"}, environment, config, "kvd.toml");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->options.zone, "us/c");                   // command line over environment
  EXPECT_EQ(parsed->options.data_dir, "/from-environment");  // environment over file
  EXPECT_EQ(parsed->options.weight, 7U);                     // the file where nothing else
  EXPECT_EQ(parsed->options.log_level, LogLevel::kError);    // an empty variable is none
  EXPECT_THAT(parsed->options.join, ElementsAre("a:1", "b:2"));
  EXPECT_EQ(parsed->options.peer_addresses.at(2), "c:3");
  EXPECT_EQ(parsed->options.peer_addresses.at(4), "d:5");
  EXPECT_EQ(parsed->options.cache_bytes, size_t{1} << 30);
  EXPECT_THAT(parsed->ignored_environment, ElementsAre());
}

TEST(NodeOptionsTest, ASwitchOfTheEnvironmentGoesBothWays) {
  const std::vector<std::string> open = {"--data-dir", "/data", "--listen", "10.0.0.1:9"};
  EXPECT_TRUE(ParseKvdOptions(open, {{"KVD_INSECURE", "true"}}, "", "").ok());
  EXPECT_FALSE(ParseKvdOptions(open, {{"KVD_INSECURE", "false"}}, "insecure = true", "f").ok());
  EXPECT_TRUE(ParseKvdOptions(open, {}, "insecure = true", "f").ok());
  const auto wrong = ParseKvdOptions(open, {{"KVD_INSECURE", "1"}}, "", "");
  EXPECT_THAT(std::string(wrong.status().message()),
              AllOf(HasSubstr("KVD_INSECURE"), HasSubstr("true or false")));
}

TEST(NodeOptionsTest, ErrorsOfTheEnvironmentNameTheVariable) {
  const auto wrong = ParseKvdOptions({}, {{"KVD_WEIGHT", "x"}}, "weight = 3", "kvd.toml");
  EXPECT_THAT(std::string(wrong.status().message()),
              AllOf(HasSubstr("KVD_WEIGHT"), HasSubstr("1 to 1000")));
  const auto missing = ParseKvdCommandLine({}, {{"KVD_CONFIG", "/no/such/file"}});
  EXPECT_THAT(std::string(missing.status().message()),
              AllOf(HasSubstr("KVD_CONFIG"), HasSubstr("/no/such/file")));
  // Told, not refused: others put variables of these names into a container.
  const auto strange = ParseKvdOptions({"--data-dir", "/data"}, {{"KVD_WIEGHT", "3"}}, "", "");
  ASSERT_TRUE(strange.ok()) << strange.status();
  EXPECT_THAT(strange->ignored_environment, ElementsAre("KVD_WIEGHT"));
}

TEST(NodeOptionsTest, TheEnvironmentMayNameTheConfigFile) {
  const std::string path = testing::TempDir() + "/kvd_options_environment_test.toml";
  std::ofstream(path) << "data-dir = \"/somewhere\"\n";
  const auto parsed = ParseKvdCommandLine({}, {{"KVD_CONFIG", path}});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->options.data_dir, "/somewhere");
  EXPECT_FALSE(ParseKvdCommandLine({"--config", "/no/such/file"}, {{"KVD_CONFIG", path}}).ok());
  EXPECT_TRUE(ParseKvdCommandLine({"--help"}, {{"KVD_CONFIG", "/no/such/file"}}).ok());
}

TEST(NodeOptionsTest, TheReadinessCheckIsToldWhatTheNodeIsTold) {
  const Environment environment = {{"KVD_HTTP", "0.0.0.0:8401"}};
  const auto parsed = ParseKvdOptions({"--check-ready"}, environment, "", "");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->action, Action::kCheckReady);
  EXPECT_EQ(parsed->options.http, "0.0.0.0:8401");
  EXPECT_EQ(Parse({"--check-ready", "--http", "127.0.0.1:5"})->options.http, "127.0.0.1:5");
  EXPECT_THAT(ErrorOf({"--check-ready", "--http", "x"}), HasSubstr("--http"));
}

TEST(NodeOptionsTest, AWildcardOfHttpIsToldByTheAdvertisedName) {
  const auto http = [](const std::vector<std::string>& arguments) {
    return Parse(arguments)->options.advertise_http;
  };
  EXPECT_EQ(http({"--http", "127.0.0.1:5"}), "127.0.0.1:5");
  EXPECT_EQ(http({"--http", "0.0.0.0:5", "--insecure", "--advertise", "a.example:9"}),
            "a.example:5");
}

TEST(NodeOptionsTest, HelpAndVersionNeedNothingElse) {
  EXPECT_EQ(Parse({"--help"}, "", false)->action, Action::kHelp);
  EXPECT_EQ(Parse({"--version"}, "", false)->action, Action::kVersion);
  EXPECT_EQ(Parse({"--print-config"}, "", false)->action, Action::kSampleConfig);
  for (const std::string flag : {"--data-dir DIR", "--listen HOST:PORT", "--join", "--insecure",
                                 "--config FILE", "--log-level LEVEL", "--cache-bytes SIZE"}) {
    EXPECT_THAT(KvdHelp(), HasSubstr(flag));
  }
}

TEST(NodeOptionsTest, TheSampleInTheTreeIsTheTable) {
  std::ifstream file(QUORATE_SAMPLE_CONFIG);
  const std::string sample(std::istreambuf_iterator<char>(file), {});
  EXPECT_EQ(sample, KvdSampleConfig()) << "write it again: kvd --print-config > deploy/kvd.toml";
}

TEST(NodeOptionsTest, SampleConfigIsReadable) {
  // All comments: nothing is set.
  EXPECT_TRUE(Parse({}, KvdSampleConfig()).ok());
  // With the comment marks taken away before keys it is still TOML with known keys.
  std::string text = KvdSampleConfig();
  for (size_t at = text.find("\n#"); at != std::string::npos; at = text.find("\n#", at + 1)) {
    if (text[at + 2] != ' ') text.erase(at + 1, 1);
  }
  EXPECT_THAT(ErrorOf({}, text), AllOf(HasSubstr("kvd.toml"), testing::Not(HasSubstr("not TOML"))));
}

TEST(NodeOptionsTest, ZeroBytesInTheFileAreRefusedAndDoNotAbort) {
  const std::string config("[\0", 2);
  EXPECT_FALSE(ParseKvdOptions({"--data-dir=x"}, {}, config, "kvd.toml").ok());
}

}  // namespace
}  // namespace quorate
