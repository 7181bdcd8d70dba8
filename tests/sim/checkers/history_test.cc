#include "tests/sim/checkers/history.h"

#include <gtest/gtest.h>

#include <sstream>

#include "tests/sim/checkers/linearizability.h"

namespace quorate::sim {
namespace {

using std::chrono::nanoseconds;

History CasAndRead() {
  History history;
  const size_t cas = history.Invoke(1, "k", HistoryOp::kCas, std::nullopt, "a", nanoseconds(0));
  const size_t read =
      history.Invoke(2, "k", HistoryOp::kRead, std::nullopt, std::nullopt, nanoseconds(2));
  history.Ok(cas, std::nullopt, nanoseconds(4));
  history.Ok(read, std::nullopt, nanoseconds(3));
  return history;
}

std::string Lines(const History& history) {
  std::ostringstream out;
  history.WriteJsonLines("ks", out);
  return out.str();
}

std::optional<History> Read(const std::string& lines) {
  std::istringstream in(lines);
  return History::ReadJsonLines(in);
}

TEST(HistoryTest, LinesAreInOrderOfTime) {
  EXPECT_EQ(
      Lines(CasAndRead()),
      R"({"f":"cas","key":"k","keyspace":"ks","process":1,"time":0,"type":"invoke","value":[null,"a"]})"
      "\n"
      R"({"f":"read","key":"k","keyspace":"ks","process":2,"time":2,"type":"invoke","value":null})"
      "\n"
      R"({"f":"read","key":"k","keyspace":"ks","process":2,"time":3,"type":"ok","value":null})"
      "\n"
      R"({"f":"cas","key":"k","keyspace":"ks","process":1,"time":4,"type":"ok","value":[null,"a"]})"
      "\n");
}

TEST(HistoryTest, WhatIsReadBackIsWhatWasWritten) {
  History history = CasAndRead();
  const auto begin = [&](uint64_t process, HistoryOp op, std::optional<std::string> value) {
    return history.Invoke(process, "k", op, std::nullopt, std::move(value), nanoseconds(10));
  };
  history.Info(begin(3, HistoryOp::kDelete, std::nullopt), nanoseconds(11));
  history.Fail(begin(4, HistoryOp::kWrite, "b"), nanoseconds(12));
  history.Ok(begin(5, HistoryOp::kRead, std::nullopt), "a", nanoseconds(13));
  begin(6, HistoryOp::kWrite, "c");
  const std::optional<History> read = Read(Lines(history));
  ASSERT_TRUE(read.has_value());
  ASSERT_EQ(read->entries().size(), history.entries().size());
  for (size_t i = 0; i < history.entries().size(); ++i) {
    EXPECT_EQ(Describe(read->entries()[i]), Describe(history.entries()[i]));
    EXPECT_EQ(read->entries()[i].expected, history.entries()[i].expected);
    EXPECT_EQ(read->entries()[i].value, history.entries()[i].value);
  }
  EXPECT_TRUE(CheckLinearizability(*read).ok);
}

TEST(HistoryTest, LinesOfAnotherFormatAreRefused) {
  const std::string lines = Lines(CasAndRead());
  EXPECT_TRUE(Read("").has_value());
  EXPECT_FALSE(Read("read k").has_value());
  EXPECT_FALSE(Read(lines.substr(lines.find('\n') + 1)).has_value()) << "an end without its begin";
  EXPECT_FALSE(Read(lines + lines.substr(0, lines.find('\n') + 1) + lines).has_value())
      << "one process, two operations at once";
  for (const char* word : {"\"read\"", "\"invoke\"", "\"ok\"", "\"process\"", "\"time\""}) {
    std::string other = lines;
    other.replace(other.find(word), 3, "\"x");
    EXPECT_FALSE(Read(other).has_value()) << word;
  }
}

}  // namespace
}  // namespace quorate::sim
