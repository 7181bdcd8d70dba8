#include "tools/kvbench/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace quorate::kvbench {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;

struct Parsed {
  std::optional<Options> options;
  int exit_code = -1;
};

Parsed Parse(std::vector<const char*> words) {
  words.insert(words.begin(), "kvbench");
  Parsed parsed;
  parsed.options =
      ParseCommandLine(static_cast<int>(words.size()), words.data(), &parsed.exit_code);
  return parsed;
}

TEST(KvbenchOptionsTest, TakesEveryOptionOfARun) {
  const auto options =
      Parse({"run",         "--target",    "etcd",      "--operation",   "put",
             "--endpoints", "a:1,b:2,c:3", "--clients", "256",           "--connections",
             "2",           "--keys",      "500",       "--value-bytes", "1024",
             "--warm-up",   "0.5",         "--seconds", "2.25",          "--server-pids",
             "11,12",       "--seed",      "9",         "--output",      "json"})
          .options;
  ASSERT_TRUE(options);
  EXPECT_EQ(options->command, Command::kRun);
  EXPECT_EQ(options->target, TargetKind::kEtcd);
  EXPECT_EQ(options->operation, OperationKind::kPut);
  EXPECT_THAT(options->endpoints, ElementsAre("a:1", "b:2", "c:3"));
  EXPECT_EQ(options->clients, 256U);
  EXPECT_EQ(options->connections, 2U);
  EXPECT_EQ(options->keys, 500U);
  EXPECT_EQ(options->value_bytes, 1024U);
  EXPECT_EQ(options->warm_up, milliseconds(500));
  EXPECT_EQ(options->duration, milliseconds(2250));
  EXPECT_THAT(options->server_pids, ElementsAre(11, 12));
  EXPECT_EQ(options->seed, 9U);
  EXPECT_TRUE(options->json);
}

TEST(KvbenchOptionsTest, HasDefaults) {
  const auto options = Parse({"load", "--target", "quorate", "--endpoints", "a:1"}).options;
  ASSERT_TRUE(options);
  EXPECT_EQ(options->command, Command::kLoad);
  EXPECT_EQ(options->keyspace, "bench");
  EXPECT_EQ(options->clients, 64U);
  EXPECT_EQ(options->connections, 1U);
  EXPECT_EQ(options->value_bytes, 100U);
  EXPECT_FALSE(options->json);
}

TEST(KvbenchOptionsTest, TakesAnEchoServer) {
  const auto options = Parse({"echo-server", "--listen", "127.0.0.1:5"}).options;
  ASSERT_TRUE(options);
  EXPECT_EQ(options->command, Command::kEchoServer);
  EXPECT_EQ(options->listen, "127.0.0.1:5");
}

TEST(KvbenchOptionsTest, RefusesWrongLines) {
  const std::vector<std::vector<const char*>> wrong = {
      {},
      {"run", "--target", "echo", "--endpoints", "a:1"},
      {"run", "--target", "echo", "--operation", "get"},
      {"run", "--target", "redis", "--endpoints", "a:1", "--operation", "get"},
      {"run", "--target", "echo", "--endpoints", "a:1", "--operation", "scan"},
      {"load", "--target", "echo", "--endpoints", "a:1", "--clients", "0"},
      {"load", "--target", "echo", "--endpoints", "a:1", "--output", "xml"},
      {"run", "--target", "echo", "--endpoints", "a:1", "--operation", "get", "--seconds", "0"},
      {"run", "--target", "echo", "--endpoints", "a:1", "--operation", "get", "--server-pids", "x"},
  };
  for (const std::vector<const char*>& words : wrong) {
    const Parsed parsed = Parse(words);
    EXPECT_FALSE(parsed.options);
    EXPECT_EQ(parsed.exit_code, 2);
  }
}

TEST(KvbenchOptionsTest, HelpIsNoError) {
  const Parsed parsed = Parse({"run", "--help"});
  EXPECT_FALSE(parsed.options);
  EXPECT_EQ(parsed.exit_code, 0);
}

}  // namespace
}  // namespace quorate::kvbench
