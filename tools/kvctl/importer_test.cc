#include "tools/kvctl/importer.h"

#include <deque>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace quorate::kvctl {
namespace {

using client::Outcome;
using client::Reason;
using client::WriteResult;
using std::chrono::minutes;
using std::chrono::seconds;

client::RequestId Id(uint64_t sequence) { return {.sequence = sequence}; }

WriteResult Done() { return {}; }

WriteResult Failed(Reason reason, Outcome outcome = Outcome::kNotDone, uint64_t sequence = 0) {
  WriteResult result;
  result.outcome = outcome;
  result.reason = reason;
  result.status = absl::UnavailableError("no leader now");
  if (sequence != 0) result.request_id = Id(sequence);
  return result;
}

// The test holds the puts and the clock.
class ImporterTest : public ::testing::Test {
 protected:
  struct Sent {
    Record record;
    std::optional<client::RequestId> request_id;
    client::Handler<WriteResult> handler;
  };

  Importer Make() {
    return Importer(
        [this](const Record& record, const client::WriteOptions& options,
               client::Handler<WriteResult> handler) {
          sent_.push_back({record, options.request_id, std::move(handler)});
        },
        {.timeout = seconds(60),
         .inflight = 4,
         .stalled = [this](const std::string& why) { stalled_(why); },
         .now = [this] { return now_; }});
  }
  // Answers the oldest put.
  void Answer(WriteResult result) {
    Sent oldest = std::move(sent_.front());
    sent_.pop_front();
    oldest.handler(std::move(result));
  }

  std::deque<Sent> sent_;
  std::vector<std::string> told_;
  std::function<void(const std::string&)> stalled_ = [](const std::string&) {};
  Importer::SteadyClock::time_point now_{};
};

TEST_F(ImporterTest, ARecordOfUnknownOutcomeIsTriedAgainUnderItsRequestId) {
  Importer importer = Make();
  ASSERT_TRUE(importer.Put({"a", "1"}, 1));
  ASSERT_TRUE(importer.Put({"b", "2"}, 2));
  Answer(Done());
  for (int i = 0; i < 4; ++i) {
    now_ += seconds(60);
    Answer(Failed(Reason::kCannotServe, Outcome::kUnknown, 7));
    ASSERT_EQ(sent_.size(), 1u);
    EXPECT_EQ(sent_.front().record.key, "b");
    EXPECT_EQ(sent_.front().record.value, "2");
    EXPECT_EQ(sent_.front().request_id, Id(7));
  }
  Answer(Done());
  importer.WaitForAll();
  EXPECT_TRUE(importer.failure().ok());
  EXPECT_EQ(importer.counts().records, 2u);
  EXPECT_EQ(importer.counts().unknown, 0u);
}

TEST_F(ImporterTest, ARecordThatIsNotDoneIsANewWrite) {
  Importer importer = Make();
  ASSERT_TRUE(importer.Put({"a", "1"}, 1));
  Answer(Failed(Reason::kDeadline, Outcome::kNotDone, 7));
  ASSERT_EQ(sent_.size(), 1u);
  EXPECT_FALSE(sent_.front().request_id.has_value());
  Answer(Failed(Reason::kOverloaded));
  ASSERT_EQ(sent_.size(), 1u);
  Answer(Done());
  EXPECT_EQ(importer.counts().records, 1u);
}

TEST_F(ImporterTest, PatienceEndsWhenNothingGetsOn) {
  Importer importer = Make();
  ASSERT_TRUE(importer.Put({"a", "1"}, 1));
  ASSERT_TRUE(importer.Put({"b", "2"}, 2));
  ASSERT_TRUE(importer.Put({"c", "3"}, 3));
  now_ += minutes(4);
  Answer(Failed(Reason::kCannotServe, Outcome::kUnknown, 7));  // a again, behind the others
  Answer(Done());
  now_ += minutes(4);  // since b
  Answer(Failed(Reason::kDeadline, Outcome::kUnknown, 8));
  now_ += minutes(1);
  Answer(Failed(Reason::kCannotServe, Outcome::kUnknown, 7));
  EXPECT_FALSE(importer.failure().ok());
  EXPECT_EQ(importer.failure().request_id, Id(7));
  EXPECT_EQ(importer.failure().status.message(), "line 1, key a: no leader now");
  EXPECT_FALSE(importer.Put({"d", "4"}, 4));
  Answer(Failed(Reason::kDeadline, Outcome::kUnknown, 8));
  importer.WaitForAll();
  EXPECT_EQ(importer.counts().records, 1u);
  EXPECT_EQ(importer.counts().unknown, 2u);
  EXPECT_TRUE(sent_.empty());
}

TEST_F(ImporterTest, NobodyWasEverReached) {
  Importer importer = Make();
  ASSERT_TRUE(importer.Put({"a", "1"}, 1));
  Answer(Failed(Reason::kUnreachable));
  EXPECT_EQ(importer.failure().reason, Reason::kUnreachable);
  EXPECT_EQ(importer.counts().refused, 1u);
}

TEST_F(ImporterTest, ReachedOnceIsTriedAgain) {
  Importer importer = Make();
  ASSERT_TRUE(importer.Put({"a", "1"}, 1));
  Answer(Done());
  ASSERT_TRUE(importer.Put({"b", "2"}, 2));
  Answer(Failed(Reason::kUnreachable));
  ASSERT_EQ(sent_.size(), 1u);
  Answer(Done());
  EXPECT_EQ(importer.counts().records, 2u);
}

TEST_F(ImporterTest, WhatTimeCannotMendEndsItAtOnce) {
  for (const Reason reason : {Reason::kInvalidArgument, Reason::kKeyspaceNotFound, Reason::kCorrupt,
                              Reason::kRequestIdExpired, Reason::kCancelled}) {
    Importer importer = Make();
    ASSERT_TRUE(importer.Put({"a", "1"}, 1));
    Answer(Failed(reason));
    EXPECT_EQ(importer.failure().reason, reason);
    EXPECT_FALSE(importer.Put({"b", "2"}, 2));
    EXPECT_TRUE(sent_.empty());
  }
}

TEST_F(ImporterTest, AStandstillIsToldOnce) {
  Importer importer = Make();
  stalled_ = [this](const std::string& why) {
    told_.push_back(why);
    Answer(Failed(Reason::kCannotServe, Outcome::kUnknown, 7));  // no second word of it
    Answer(Done());
  };
  for (const uint64_t line : {1, 2}) {
    ASSERT_TRUE(importer.Put({"a", "1"}, line));
    Answer(Failed(Reason::kCannotServe, Outcome::kUnknown, 7));
    importer.WaitForAll();
  }
  EXPECT_EQ(told_, (std::vector<std::string>{"line 1, key a: no leader now",
                                             "line 2, key a: no leader now"}));
}

}  // namespace
}  // namespace quorate::kvctl
