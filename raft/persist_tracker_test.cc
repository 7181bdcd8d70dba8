#include "raft/persist_tracker.h"

#include "gtest/gtest.h"

namespace quorate::raft {
namespace {

Ready Write(uint64_t token, uint64_t term, uint64_t index) {
  Ready ready;
  ready.persist_token = token;
  ready.entries.push_back(Entry{Term(term), LogIndex(index), EntryKind::kNoop, nullptr});
  return ready;
}

// Entry 2 is written, replaced, and written again, while the first write is still on its way. When
// that one is reported, the disk holds the same bytes as it will in the end, but the second write
// is yet to replace them.
TEST(PersistTrackerTest, ReportOfAnEntryThatCameBackProvesNothing) {
  PersistTracker disk({}, LogIndex(1));
  const MonotonicTime now;
  disk.Add(Write(1, 1, 2), now);
  disk.CutAfter(LogIndex(1));
  disk.Add(Write(2, 2, 2), now);
  disk.CutAfter(LogIndex(1));
  disk.Add(Write(3, 1, 2), now);
  disk.Complete(1, now);
  EXPECT_EQ(disk.persisted(), LogIndex(1));
  disk.Complete(2, now);
  EXPECT_EQ(disk.persisted(), LogIndex(1));
  disk.Complete(3, now);
  EXPECT_EQ(disk.persisted(), LogIndex(2));
}

TEST(PersistTrackerTest, OneReportProvesAllBeforeIt) {
  PersistTracker disk({}, LogIndex(0));
  const MonotonicTime now;
  Ready vote = Write(1, 1, 1);
  vote.hard_state = {.term = Term(1), .voted_for = ReplicaId(2), .commit = LogIndex()};
  disk.Add(vote, now);
  disk.Add(Write(2, 1, 2), now);
  EXPECT_EQ(disk.durable(), HardState());
  disk.Complete(2, now);
  EXPECT_EQ(disk.durable(), *vote.hard_state);
  EXPECT_EQ(disk.persisted(), LogIndex(2));
  EXPECT_TRUE(disk.idle());
}

}  // namespace
}  // namespace quorate::raft
