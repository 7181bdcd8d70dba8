// The table of commands and what is made from it: help, examples, completion.
#include "tools/kvctl/cli.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tools/kvctl/completion.h"

namespace quorate::kvctl {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

const CommandInfo& Root() {
  static const auto* const kRoot = new CommandInfo(DescribeCommands());
  return *kRoot;
}

// Calls `visit` with each command that runs something, and its name as typed.
template <class Visit>
void ForEachVerb(const CommandInfo& command, const std::string& name, Visit visit) {
  if (command.commands.empty()) {
    visit(command, name);
  }
  for (const CommandInfo& child : command.commands) {
    ForEachVerb(child, name.empty() ? child.name : name + " " + child.name, visit);
  }
}

// The words of the kvctl command in a line for a shell. Knows single quotes, and what ends a
// command.
std::vector<std::string> WordsOfExample(const std::string& line) {
  std::vector<std::string> words;
  bool quoted = false;
  bool open = false;  // the last word goes on
  for (const char byte : line.substr(line.find("kvctl "))) {
    if (byte == '\'') {
      quoted = !quoted;
      if (!open) {
        words.emplace_back();
      }
    } else if (!quoted && (byte == '|' || byte == '>' || byte == ')')) {
      break;
    } else if (!quoted && byte == ' ') {
      open = false;
      continue;
    } else {
      if (!open) {
        words.emplace_back();
      }
      words.back() += byte;
    }
    open = true;
  }
  words.erase(words.begin());
  return words;
}

TEST(CommandTableTest, EachVerbHasHelpAndAnExampleThatParses) {
  int verbs = 0;
  ForEachVerb(Root(), "", [&](const CommandInfo& command, const std::string& name) {
    ++verbs;
    EXPECT_NE(command.help, "") << name;
    EXPECT_FALSE(command.examples.empty()) << name << ": add an example to examples.cc";
    for (const Example& example : command.examples) {
      EXPECT_NE(example.help, "") << example.line;
      const auto words = WordsOfExample(example.line);
      EXPECT_EQ(ReadWords(Root(), words).command_name(), name) << example.line;
      const absl::Status status = CheckCommandLine(words);
      EXPECT_TRUE(status.ok()) << example.line << ": " << status;
    }
  });
  EXPECT_GT(verbs, 20);
}

TEST(CommandTableTest, EachFlagHasHelp) {
  ForEachVerb(Root(), "", [&](const CommandInfo& command, const std::string& name) {
    for (const FlagInfo& flag : command.flags) {
      EXPECT_NE(flag.help, "") << name << " " << flag.name;
    }
  });
}

TEST(CommandTableTest, WrongCommandLinesAreRefused) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{},
        {"nope"},
        {"get"},
        {"get", "a"},
        {"get", "a", "b", "c"},
        {"keyspace"},
        {"put", "a", "b", "c", "--nope"},
        {"--hex", "--base64", "version"},
        {"completion", "tcsh"},
        {"keyspace", "create", "x", "--replication", "paxos"}}) {
    EXPECT_FALSE(CheckCommandLine(words).ok()) << testing::PrintToString(words);
  }
}

TEST(ReadWordsTest, FindsCommandArgumentsAndFlags) {
  const auto line = ReadWords(
      Root(), {"--endpoints", "a:1", "get", "-ojson", "orders", "--timeout=3s", "--", "-k"});
  EXPECT_EQ(line.command_name(), "get");
  EXPECT_THAT(line.arguments, ElementsAre("orders", "-k"));
  EXPECT_THAT(line.argument_places, ElementsAre(4u, 7u));
  EXPECT_EQ(line.flags.at("--endpoints"), "a:1");
  EXPECT_EQ(line.flags.at("--output"), "json");
  EXPECT_EQ(line.flags.at("--timeout"), "3s");
}

TEST(ReadWordsTest, KnowsThatAFlagWaitsForItsValue) {
  ASSERT_NE(ReadWords(Root(), {"get", "--output"}).open_flag, nullptr);
  EXPECT_EQ(ReadWords(Root(), {"get", "--output", "json"}).open_flag, nullptr);
  EXPECT_EQ(ReadWords(Root(), {"get", "--hex"}).open_flag, nullptr);
}

std::vector<std::string> Offered(const std::vector<std::string>& words) {
  std::vector<std::string> offered;
  for (const Candidate& candidate : CompleteWords(Root(), words).candidates) {
    offered.push_back(candidate.word);
  }
  return offered;
}

TEST(CompletionTest, OffersCommands) {
  EXPECT_THAT(Offered({""}), AllOf(Contains("get"), Contains("keyspace")));
  EXPECT_THAT(Offered({"key"}), ElementsAre("keyspace"));
  EXPECT_THAT(Offered({"--hex", "keyspace", "d"}), ElementsAre("describe", "drop"));
  EXPECT_THAT(Offered({"help", "keyspace", "c"}), ElementsAre("create"));
  EXPECT_THAT(Offered({"completion", ""}), ElementsAre("bash", "zsh", "fish"));
  EXPECT_THAT(Offered({""}), Not(Contains("__complete")));
}

TEST(CompletionTest, OffersFlagsThatAreNotYetGiven) {
  EXPECT_THAT(Offered({"put", "--if"}), ElementsAre("--if-absent", "--if-version"));
  EXPECT_THAT(Offered({"put", "--if-absent", "--if"}), ElementsAre("--if-version"));
  EXPECT_THAT(Offered({"put", "--out"}), ElementsAre("--output"));
  EXPECT_THAT(Offered({"put", "--", "--out"}), IsEmpty());
}

TEST(CompletionTest, OffersValuesOfFlags) {
  EXPECT_THAT(Offered({"get", "--output", "js"}), ElementsAre("json", "jsonl"));
  EXPECT_THAT(Offered({"get", "--output=js"}), ElementsAre("--output=json", "--output=jsonl"));
  EXPECT_THAT(Offered({"-o", "c"}), ElementsAre("csv"));
  EXPECT_THAT(Offered({"keyspace", "create", "--lease", ""}), ElementsAre("on", "off"));
  EXPECT_THAT(Offered({"keyspace", "create", "--durability", "b"}), ElementsAre("buffered"));
  EXPECT_THAT(Offered({"get", "--timeout", ""}), IsEmpty());
}

TEST(CompletionTest, AsksForNamesWhereTheyAreWanted) {
  using Names = Completion::Names;
  const std::pair<std::vector<std::string>, Names> table[] = {
      {{"get", ""}, Names::kKeyspaces},
      {{"--keyspace", ""}, Names::kKeyspaces},
      {{"keyspace", "drop", "o"}, Names::kKeyspaces},
      {{"keyspace", "create", ""}, Names::kNone},
      {{"get", "orders", ""}, Names::kNone},
      {{"partition", "list", "orders", "--node", ""}, Names::kNodes},
      {{"context", "use", ""}, Names::kContexts},
      {{"--context=p"}, Names::kContexts},
      {{"get", "-"}, Names::kNone},
  };
  for (const auto& [words, names] : table) {
    EXPECT_EQ(CompleteWords(Root(), words).names, names) << testing::PrintToString(words);
  }
  Completion completion = CompleteWords(Root(), {"--context=p"});
  AddNames({{"prod", ""}, {"staging", ""}}, &completion);
  ASSERT_EQ(completion.candidates.size(), 1u);
  EXPECT_EQ(completion.candidates[0].word, "--context=prod");
}

TEST(CompletionTest, AsksForFiles) {
  using Files = Completion::Files;
  EXPECT_EQ(CompleteWords(Root(), {"import", "orders", ""}).files, Files::kPlain);
  EXPECT_EQ(CompleteWords(Root(), {"--config", ""}).files, Files::kPlain);
  EXPECT_EQ(CompleteWords(Root(), {"put", "orders", "k", "@"}).files, Files::kAfterAt);
  EXPECT_EQ(CompleteWords(Root(), {"put", "orders", "k", ""}).files, Files::kNone);
  EXPECT_EQ(CompleteWords(Root(), {"put", "orders", "k", "@@"}).files, Files::kNone);
}

TEST(CommandJsonTest, HoldsAllCommands) {
  const auto json = CommandJson(Root());
  EXPECT_EQ(json["name"], "kvctl");
  EXPECT_EQ(json["commands"].size(), Root().commands.size());
}

}  // namespace
}  // namespace quorate::kvctl
