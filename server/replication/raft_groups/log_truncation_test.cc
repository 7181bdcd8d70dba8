#include "server/replication/raft_groups/log_truncation.h"

#include <gtest/gtest.h>

namespace quorate {
namespace {

using raft::LogIndex;
using std::chrono::minutes;
using std::chrono::seconds;

LogFacts Facts(uint64_t bytes) {
  return {.compacted = LogIndex(10),
          .bytes = bytes,
          .last_by_size = LogIndex(50),
          .last_by_age = LogIndex(0),
          .flushed = LogIndex(100),
          .followers_hold = std::nullopt};
}

TEST(LogTruncationTest, CutsToItsSizeWithSomeRoomAbove) {
  EXPECT_EQ(DecideTruncation(Facts(1'250), 1'000, 4'000), TruncationStep());
  EXPECT_EQ(DecideTruncation(Facts(1'251), 1'000, 4'000), TruncationStep{.drop_to = LogIndex(50)});
}

TEST(LogTruncationTest, OldEntriesGoWhateverTheSize) {
  LogFacts facts = Facts(1);
  facts.last_by_age = LogIndex(30);
  EXPECT_EQ(DecideTruncation(facts, 1'000, 4'000), TruncationStep{.drop_to = LogIndex(30)});
  facts.compacted = LogIndex(30);
  EXPECT_EQ(DecideTruncation(facts, 1'000, 4'000), TruncationStep());
}

// The data has no log of its own: what is not flushed would be lost with a crash.
TEST(LogTruncationTest, log_kept_until_effects_flushed) {
  LogFacts facts = Facts(2'000);
  facts.flushed = LogIndex(20);
  EXPECT_EQ(DecideTruncation(facts, 1'000, 4'000),
            (TruncationStep{.drop_to = LogIndex(20), .flush = true}));
  facts.flushed = LogIndex(10);
  EXPECT_EQ(DecideTruncation(facts, 1'000, 4'000),
            (TruncationStep{.drop_to = LogIndex(0), .flush = true}));
  // Not even when the disk fills up.
  facts.bytes = 5'000;
  EXPECT_EQ(DecideTruncation(facts, 1'000, 4'000).drop_to, LogIndex(0));
}

TEST(LogTruncationTest, SlowFollowerIsWaitedForUpToABound) {
  LogFacts facts = Facts(2'000);
  facts.followers_hold = LogIndex(12);
  EXPECT_EQ(DecideTruncation(facts, 1'000, 4'000), TruncationStep{.drop_to = LogIndex(12)});
  facts.bytes = 4'001;
  EXPECT_EQ(DecideTruncation(facts, 1'000, 4'000), TruncationStep{.drop_to = LogIndex(50)});
}

TEST(LogTruncationTest, FollowersHoldWhatTheyStillNeed) {
  raft::RaftStatus status;
  status.compacted_index = LogIndex(5);
  EXPECT_EQ(HeldByFollowers(status), std::nullopt);
  raft::FollowerProgress& gone = status.followers.emplace_back();
  gone.match = LogIndex(1);
  EXPECT_EQ(HeldByFollowers(status), std::nullopt);
  raft::FollowerProgress& slow = status.followers.emplace_back();
  slow.match = LogIndex(8);
  slow.recently_active = true;
  raft::FollowerProgress& fast = status.followers.emplace_back();
  fast.match = LogIndex(20);
  fast.recently_active = true;
  EXPECT_EQ(HeldByFollowers(status), LogIndex(8));
  status.followers[1].awaits_snapshot = true;
  status.followers[1].match = LogIndex(0);
  EXPECT_EQ(HeldByFollowers(status), LogIndex(5));
}

TEST(LogAgesTest, KnowsWhatWasThereLongAgo) {
  LogAges ages(minutes(10), minutes(1));
  MonotonicTime now{std::chrono::hours(1)};
  for (uint64_t second = 0; second < 600; ++second) {
    EXPECT_EQ(ages.Note(LogIndex(second), now + seconds(second)), LogIndex(0)) << second;
  }
  EXPECT_EQ(ages.Note(LogIndex(600), now + seconds(600)), LogIndex(0));
  EXPECT_EQ(ages.Note(LogIndex(700), now + seconds(700)), LogIndex(60));
  // After a long silence everything is old.
  EXPECT_EQ(ages.Note(LogIndex(700), now + seconds(9'000)), LogIndex(700));
}

}  // namespace
}  // namespace quorate
