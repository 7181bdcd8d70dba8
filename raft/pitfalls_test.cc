// Pitfalls that need hand-made messages or several lives, each under its name in
// docs/fault-catalogue.md.
#include <algorithm>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "raft/configuration.h"
#include "raft/heartbeat_rounds.h"
#include "raft/raft_core.h"
#include "raft/replication.h"
#include "raft/test_cluster.h"

namespace quorate::raft {
namespace {

using std::chrono::milliseconds;

TestGroup Group(uint64_t voters) {
  TestGroup config;
  for (uint64_t id = 1; id <= voters; ++id) config.initial.voters.emplace_back(id);
  config.seed = 1;
  return config;
}

Message Append(uint64_t from, uint64_t term, uint64_t previous, uint64_t previous_term,
               const std::vector<uint64_t>& terms, uint64_t commit = 0) {
  AppendRequest request{LogIndex(previous), Term(previous_term), {}, LogIndex(commit), 1};
  for (uint64_t entry_term : terms) {
    request.entries.push_back({Term(entry_term), LogIndex(++previous), EntryKind::kCommand,
                               std::make_shared<const std::string>("x")});
  }
  return {ReplicaId(from), ReplicaId(1), Term(term), request};
}

// One follower under test, id 1, with a slow disk; the others exist only as senders.
class FollowerTest : public testing::Test {
 protected:
  FollowerTest() : cluster_(Group(5)) {
    cluster_.SetSlowDisk(1, true);
    cluster_.Start(1);
  }
  void TearDown() override { EXPECT_THAT(cluster_.invariants().violations(), testing::IsEmpty()); }
  uint64_t Persisted() { return cluster_.node(1).Status().persisted_index.value(); }

  TestCluster cluster_;
};

// Entry 2 is of term 1, is overwritten by term 2, and comes back with the leader of term 3. The
// first write's report comes while the second waits in the queue: the disk then holds just the
// bytes of entry 2 as the log has it, but the next write is about to replace them.
TEST_F(FollowerTest, stale_append_ack_after_overwrite) {
  cluster_.StepMessage(Append(2, 1, 0, 0, {1, 1}));
  cluster_.StepMessage(Append(3, 2, 1, 1, {2}));
  cluster_.StepMessage(Append(4, 3, 1, 1, {1}));
  ASSERT_EQ(cluster_.QueuedWrites(1), 3U);
  EXPECT_EQ(Persisted(), 0U);
  cluster_.Persist(1, 1);
  EXPECT_EQ(Persisted(), 1U);
  cluster_.Persist(1, 1);
  EXPECT_EQ(Persisted(), 1U);
  cluster_.Persist(1, 1);
  EXPECT_EQ(Persisted(), 2U);
}

// The same below what was durable already, and with the entries of several Readys cut at once.
TEST_F(FollowerTest, overwrite_lowers_what_earlier_writes_prove) {
  cluster_.StepMessage(Append(2, 1, 0, 0, {1, 1, 1}));
  cluster_.Persist(1);
  EXPECT_EQ(Persisted(), 3U);
  cluster_.StepMessage(Append(2, 1, 3, 1, {1}));
  cluster_.StepMessage(Append(2, 1, 4, 1, {1}));
  cluster_.StepMessage(Append(3, 2, 1, 1, {2}));
  EXPECT_EQ(Persisted(), 1U);
  cluster_.Persist(1, 2);
  EXPECT_EQ(Persisted(), 1U);
  cluster_.Persist(1, 1);
  EXPECT_EQ(Persisted(), 2U);
  EXPECT_EQ(cluster_.disk(1).LastIndex(), LogIndex(2));
}

// The leader says that 3 is committed and sends only up to 1: what the follower has at 2 and 3 is
// another leader's.
TEST_F(FollowerTest, follower_commit_capped_by_matched_prefix) {
  cluster_.StepMessage(Append(2, 1, 0, 0, {1, 1, 1}));
  cluster_.Persist(1);
  AppendRequest probe{LogIndex(1), Term(1), {}, LogIndex(3), 1};
  cluster_.node(1).Step({ReplicaId(3), ReplicaId(1), Term(2), probe}, cluster_.now());
  EXPECT_EQ(cluster_.node(1).Status().commit, LogIndex(1));
}

// Nothing that a peer sends may crash a replica or change what is committed.
TEST_F(FollowerTest, broken_appends_are_ignored) {
  cluster_.StepMessage(Append(2, 2, 0, 0, {1, 1}));
  cluster_.Persist(1);
  Message gap = Append(2, 2, 2, 1, {2, 2});
  std::get<AppendRequest>(gap.body).entries[1].index = LogIndex(9);
  Message falling = Append(2, 2, 2, 1, {2, 1});
  Message future = Append(2, 2, 2, 1, {7});
  Message empty = Append(2, 2, 2, 1, {2});
  std::get<AppendRequest>(empty.body).entries[0].payload = nullptr;
  for (const Message& message : {gap, falling, future, empty}) cluster_.StepMessage(message);
  EXPECT_EQ(cluster_.node(1).Status().last_index, LogIndex(2));
  // A second leader of the same term cannot be.
  cluster_.StepMessage(Append(3, 2, 2, 1, {2}));
  EXPECT_EQ(cluster_.node(1).Status().last_index, LogIndex(2));
}

Ready Take(RaftNode* node, const Message& message) {
  const MonotonicTime now(std::chrono::seconds(100));
  node->Step(message, now);
  Ready ready = node->TakeReady();
  node->OnPersisted(ready.persist_token, now);
  return ready;
}

// A driver may leave plain entries to the page cache, but nothing on which a vote, a majority or
// the order of the log rests: what a loss of power takes away is then the end of the log, and what
// is left is a beginning of what it was.
TEST(ReadyTest, must_sync_for_all_but_plain_entries) {
  TestGroup config = Group(3);
  config.self = ReplicaId(1);
  MemoryLog log(config.initial);
  RaftNode node(config, &log, LogIndex(), MonotonicTime(std::chrono::seconds(90)));
  EXPECT_TRUE(Take(&node, Append(2, 1, 0, 0, {1})).must_sync) << "a term";
  EXPECT_FALSE(Take(&node, Append(2, 1, 1, 1, {1, 1})).must_sync);
  const Ready commit = Take(&node, Append(2, 1, 3, 1, {1}, 4));
  EXPECT_TRUE(commit.hard_state.has_value());
  EXPECT_FALSE(commit.must_sync) << "the commit index is learned again";
  EXPECT_FALSE(Take(&node, Append(2, 1, 4, 1, {1, 1})).must_sync);
  EXPECT_TRUE(Take(&node, Append(3, 2, 6, 1, {})).must_sync) << "a term";
  const Ready cut = Take(&node, Append(3, 2, 4, 1, {2}));
  EXPECT_FALSE(cut.hard_state.has_value());
  EXPECT_TRUE(cut.must_sync) << "entries are overwritten";
  EXPECT_FALSE(Take(&node, Append(3, 2, 5, 2, {2})).must_sync);
  Message configuration = Append(3, 2, 6, 2, {2, 2});
  Entry& entry = std::get<AppendRequest>(configuration.body).entries.back();
  entry.kind = EntryKind::kConfig;
  entry.payload = std::make_shared<const std::string>(EncodeConfiguration(config.initial));
  EXPECT_TRUE(Take(&node, configuration).must_sync) << "a membership";
  const VoteRequest vote{LogIndex(99), Term(2), /*leadership_transfer=*/true};
  EXPECT_TRUE(Take(&node, {ReplicaId(2), ReplicaId(1), Term(3), vote}).must_sync) << "a vote";
  const SnapshotMeta snapshot{LogIndex(50), Term(2), config.initial};
  const MonotonicTime now(std::chrono::seconds(100));
  EXPECT_EQ(node.InstallSnapshot(snapshot, ReplicaId(2), Term(3), now), SnapshotOutcome::kInstalls);
  EXPECT_TRUE(node.TakeReady().must_sync) << "a snapshot";
}

// A proposal that was accepted by a leader which then lost office may be committed by the next one,
// or be gone: only the entry that ends up at its position tells.
TEST(DeposedLeaderTest, deposed_leader_proposal_is_unknown) {
  for (const bool reached_a_follower : {false, true}) {
    TestCluster cluster(Group(3));
    for (uint64_t id : cluster.ids()) cluster.Start(id);
    cluster.Campaign(1);
    cluster.DeliverAll();
    const absl::StatusOr<ProposalPosition> position = cluster.Propose(1, "mine");
    ASSERT_TRUE(position.ok());
    const auto appends = cluster.Take([](const Message&) { return true; });
    if (reached_a_follower) {
      for (const Message& message : appends) {
        if (message.to == ReplicaId(2)) cluster.StepMessage(message);
      }
    }
    cluster.Take([](const Message&) { return true; });
    cluster.Crash(1);
    cluster.Run(std::chrono::seconds(5));
    const absl::StatusOr<Term> survived = cluster.disk(2).TermAt(position->index);
    ASSERT_TRUE(survived.ok());
    EXPECT_EQ(*survived == position->term, reached_a_follower);
    EXPECT_EQ(cluster.AppliedPayloads(2).size(), reached_a_follower ? 1U : 0U);
    EXPECT_THAT(cluster.invariants().violations(), testing::IsEmpty());
  }
}

// After a restart of a node with a thousand groups their campaigns must not fall on one moment.
TEST(CampaignStormTest, campaign_storm_is_spread) {
  std::map<int64_t, int> campaigns_at;
  for (uint64_t group = 0; group < 1000; ++group) {
    TestGroup config = Group(3);
    config.self = ReplicaId(3 * group + 1);
    config.initial.voters = {config.self, ReplicaId(3 * group + 2), ReplicaId(3 * group + 3)};
    MemoryLog log(config.initial);
    MonotonicTime now(std::chrono::seconds(100));
    RaftNode node(config, &log, LogIndex(), now);
    while (node.role() == Role::kFollower) {
      now += milliseconds(20);
      node.Tick(now);
    }
    ++campaigns_at[now.time_since_epoch() / milliseconds(20)];
  }
  // 600 ms hold 30 ticks; an even spread gives 33 a tick.
  EXPECT_GE(campaigns_at.size(), 29U);
  for (const auto& [tick, count] : campaigns_at) EXPECT_LT(count, 70) << "tick " << tick;
}

// Once a TimeoutNow was sent, no lease exists for the rest of the leadership: however late it
// arrives, it elects past every promise.
TEST(HeartbeatRoundsTest, lease_dropped_on_transfer_and_stepdown) {
  TestGroup config = Group(3);
  config.clock_drift_max = 0;
  HeartbeatRounds rounds(config);
  MonotonicTime now(std::chrono::seconds(1));
  rounds.Confirm(rounds.Open(now));
  EXPECT_EQ(rounds.LeaseEnd(), now + milliseconds(600));
  rounds.ForbidLease();
  EXPECT_FALSE(rounds.LeaseEnd().has_value());
  rounds.Confirm(rounds.Open(now + milliseconds(5)));
  EXPECT_FALSE(rounds.LeaseEnd().has_value());
  // The next leadership starts without any, and an old round's answer gives it none.
  const uint64_t old = rounds.Open(now);
  rounds.Reset();
  rounds.Confirm(old);
  EXPECT_FALSE(rounds.LeaseEnd().has_value());
  rounds.Confirm(rounds.Open(now + milliseconds(9)));
  EXPECT_EQ(rounds.LeaseEnd(), now + milliseconds(609));
}

// A leader that the new configuration leaves out goes on leading until that is committed, but its
// own copy, and its own answer to a round, count for nothing.
TEST(ReplicationTest, removed_leader_does_not_count_itself) {
  TestGroup config = Group(3);
  config.self = ReplicaId(9);
  Replication replication(config);
  const MonotonicTime start(std::chrono::seconds(1));
  replication.Start(config.initial, LogIndex(), start);
  replication.Find(ReplicaId(1))->Accepted(LogIndex(5));
  replication.Find(ReplicaId(1))->Heard(4, start + milliseconds(5));
  EXPECT_EQ(replication.QuorumMatch(config.initial, LogIndex(5)), LogIndex(0));
  EXPECT_EQ(replication.QuorumRound(config.initial, 4), 0U);
  EXPECT_EQ(replication.QuorumHeard(config.initial, start + milliseconds(9)), start);
  replication.Find(ReplicaId(2))->Accepted(LogIndex(3));
  replication.Find(ReplicaId(2))->Heard(3, start + milliseconds(7));
  EXPECT_EQ(replication.QuorumMatch(config.initial, LogIndex(5)), LogIndex(3));
  EXPECT_EQ(replication.QuorumRound(config.initial, 4), 3U);
  EXPECT_EQ(replication.QuorumHeard(config.initial, start + milliseconds(9)),
            start + milliseconds(5));
}

// While nothing was reported applied, no more than the bound is handed out.
TEST(ApplyTest, unapplied_entries_are_bounded) {
  TestGroup config = Group(1);
  config.apply_bytes_max = 1;
  config.unapplied_bytes_max = 100;
  TestCluster cluster(config);
  cluster.SetSlowApply(1, true);
  cluster.Start(1);
  cluster.Campaign(1);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(cluster.Propose(1, "0123456789").ok());
  EXPECT_EQ(cluster.Applied(1), LogIndex(3));
  cluster.ReportApplied(1);
  EXPECT_EQ(cluster.Applied(1), LogIndex(6));
  cluster.SetSlowApply(1, false);
  cluster.ReportApplied(1);
  EXPECT_EQ(cluster.Applied(1), LogIndex(11));
}

// Durable entries that wait for a majority are kept in memory only up to a bound, and are read back
// when their turn comes.
TEST(ApplyTest, durable_entries_in_memory_are_bounded) {
  TestGroup config = Group(3);
  config.cached_bytes_max = 200;
  TestCluster cluster(config);
  for (uint64_t id : cluster.ids()) cluster.Start(id);
  cluster.Campaign(1);
  cluster.DeliverAll();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(cluster.Propose(1, "0123456789").ok());
  EXPECT_LE(cluster.node(1).core().log().unstable().bytes(), 200U);
  cluster.DeliverAll();
  EXPECT_EQ(cluster.Applied(1), LogIndex(101));
  EXPECT_EQ(cluster.Applied(2), LogIndex(101));
}

// Committed entries that cannot be read back stop the applying, are reported, and crash nothing.
TEST(ApplyTest, unreadable_committed_entry_is_reported) {
  TestCluster cluster(Group(1));
  cluster.Start(1);
  cluster.Campaign(1);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(cluster.Propose(1, "x").ok());
  cluster.Crash(1);
  cluster.disk(1).DamageAt(LogIndex(2));
  cluster.Start(1, LogIndex(1));
  cluster.Campaign(1);
  cluster.Run(std::chrono::seconds(1));
  EXPECT_EQ(cluster.Applied(1), LogIndex(1));
  EXPECT_EQ(cluster.node(1).Status().log_error.code(), absl::StatusCode::kDataLoss);
  EXPECT_FALSE(cluster.node(1).HasReady());
}

// A state and a log that do not meet (files of different days, put together by hand) must not be
// taken for a whole: what lies between would be missing for ever.
TEST(RestartTest, gap_between_snapshot_and_log_refused_at_start) {
  for (uint64_t applied : {2, 9}) {
    MemoryLog log(Group(1).initial);
    std::vector<Entry> entries;
    for (uint64_t index = 1; index <= 6; ++index) {
      entries.push_back({Term(1), LogIndex(index), EntryKind::kNoop, nullptr});
    }
    log.Write(HardState{Term(1), ReplicaId(1), LogIndex(6)}, entries);
    log.CompactTo(LogIndex(4));
    TestGroup config = Group(1);
    config.self = ReplicaId(1);
    MonotonicTime now(std::chrono::seconds(100));
    RaftNode node(config, &log, LogIndex(applied), now);
    EXPECT_EQ(node.Status().log_error.code(), absl::StatusCode::kDataLoss) << applied;
    now += std::chrono::seconds(10);
    node.Campaign(now);
    EXPECT_EQ(node.role(), Role::kFollower);
    EXPECT_FALSE(node.HasReady());
    RaftNode whole(config, &log, LogIndex(4), now);
    EXPECT_TRUE(whole.Status().log_error.ok());
  }
}

// The log has all that the snapshot stands for and more, though it is not known to be committed: it
// is kept, and the data is of no use.
TEST(SnapshotTest, snapshot_matching_log_only_moves_commit) {
  MemoryLog log(Group(3).initial);
  std::vector<Entry> entries;
  for (uint64_t index = 1; index <= 5; ++index) {
    entries.push_back({Term(2), LogIndex(index), EntryKind::kNoop, nullptr});
  }
  log.Write(HardState{Term(2), ReplicaId(), LogIndex(1)}, entries);
  TestGroup config = Group(3);
  config.self = ReplicaId(1);
  const MonotonicTime now(std::chrono::seconds(100));
  RaftNode node(config, &log, LogIndex(1), now);
  const SnapshotMeta snapshot{LogIndex(4), Term(2), config.initial};
  EXPECT_EQ(node.InstallSnapshot(snapshot, ReplicaId(2), Term(2), now), SnapshotOutcome::kLogHolds);
  const Ready ready = node.TakeReady();
  EXPECT_FALSE(ready.snapshot.has_value());
  EXPECT_EQ(ready.committed_entries.size(), 3U);
  ASSERT_EQ(ready.messages.size(), 1U);
  EXPECT_EQ(std::get<AppendResponse>(ready.messages[0].body).match_index, LogIndex(4));
  EXPECT_EQ(node.Status().last_index, LogIndex(5));
  // One that contradicts what is committed here cannot be, and is not believed.
  EXPECT_EQ(
      node.InstallSnapshot({LogIndex(3), Term(1), config.initial}, ReplicaId(2), Term(2), now),
      SnapshotOutcome::kIgnored);
}

}  // namespace
}  // namespace quorate::raft
