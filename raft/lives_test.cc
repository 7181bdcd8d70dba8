// Lives of replicas that do not fsync their entries: what needs hand-made messages. The stories are
// in tests/scenarios/raft.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "raft/raft_core.h"
#include "raft/test_cluster.h"

namespace quorate::raft {
namespace {

using std::chrono::milliseconds;

// Leader 1 of term 1, with followers 2 and 3 that exist only as senders.
class LivesTest : public testing::Test {
 protected:
  LivesTest() : log_(Group().initial), node_(Group(), &log_, LogIndex(), now_) {
    node_.Campaign(now_);
    Run();
    Step(2, PreVoteResponse{true}, {});
    Run();
    Step(2, VoteResponse{true}, {});
    Run();
    EXPECT_EQ(node_.role(), Role::kLeader);
  }

  static TestGroup Group() {
    TestGroup group;
    group.self = ReplicaId(1);
    group.initial.voters = {ReplicaId(1), ReplicaId(2), ReplicaId(3)};
    group.quiet_after = milliseconds(100);
    return group;
  }

  struct Said {
    uint64_t term = 1;
    uint64_t life = 0;
    uint64_t cured = 0;
  };
  void Step(uint64_t from, MessageBody body, Said said) {
    node_.Step({.from = ReplicaId(from),
                .to = ReplicaId(1),
                .term = Term(said.term),
                .body = std::move(body),
                .life = said.life,
                .cured = said.cured},
               now_);
  }
  void Acknowledge(uint64_t from, uint64_t match, Said said) {
    AppendResponse response;
    response.accepted = true;
    response.match_index = LogIndex(match);
    Step(from, response, said);
  }
  // Plays the driver; keeps the newest heartbeat to 2.
  void Run() {
    while (node_.HasReady()) {
      Ready ready = node_.TakeReady();
      log_.Write(ready.hard_state, ready.entries);
      node_.OnPersisted(ready.persist_token, now_);
      if (!ready.committed_entries.empty()) node_.OnApplied(ready.committed_entries.back().index);
      for (const Message& message : ready.messages) {
        const auto* heartbeat = std::get_if<HeartbeatRequest>(&message.body);
        if (heartbeat != nullptr && message.to == ReplicaId(2)) heartbeat_ = *heartbeat;
      }
    }
  }
  void Beat() {
    now_ += milliseconds(100);
    node_.Tick(now_);
    Run();
  }
  uint64_t Match(uint64_t id) {
    return node_.core().replication().Find(ReplicaId(id))->match().value();
  }

  MonotonicTime now_{std::chrono::seconds(100)};
  MemoryLog log_;
  RaftNode node_;
  HeartbeatRequest heartbeat_;
};

// Everything is committed and everywhere, but 2 has not said yet that it is whole.
TEST_F(LivesTest, not_quiet_while_voter_returns) {
  const Said returning{.life = 1, .cured = 0};
  Acknowledge(2, 1, returning);
  Run();
  for (uint64_t beat = 0; beat < 5; ++beat) {
    Acknowledge(2, 2, returning);
    Acknowledge(3, 2, {});
    Run();
    Beat();
    EXPECT_FALSE(heartbeat_.quiet);
  }
  EXPECT_EQ(node_.Status().commit, LogIndex(2));
  EXPECT_EQ(heartbeat_.cure.life, 1U);
  EXPECT_EQ(heartbeat_.cure.index, LogIndex(2));
  Acknowledge(2, 2, {.life = 1, .cured = 1});
  Beat();
  EXPECT_TRUE(heartbeat_.quiet);
  EXPECT_EQ(heartbeat_.cure.life, 0U);
}

// The leader that leaves names who can lead, not who holds most.
TEST_F(LivesTest, returning_voter_is_no_successor) {
  Acknowledge(2, 1, {.life = 1, .cured = 0});
  Run();
  Acknowledge(2, 2, {.life = 1, .cured = 0});
  Acknowledge(3, 1, {});
  EXPECT_EQ(node_.TransferCandidate(), ReplicaId(3));
  Acknowledge(2, 2, {.life = 1, .cured = 1});
  EXPECT_EQ(node_.TransferCandidate(), ReplicaId(2));
}

// What was sent before the cure may arrive behind it.
TEST_F(LivesTest, cured_life_does_not_return_by_a_late_message) {
  Acknowledge(2, 1, {.life = 1, .cured = 0});
  Run();
  Acknowledge(2, 2, {.life = 1, .cured = 1});
  EXPECT_EQ(node_.Status().commit, LogIndex(2));
  Acknowledge(2, 1, {.life = 1, .cured = 0});
  EXPECT_FALSE(node_.Status().followers[0].returning);
  EXPECT_EQ(Match(2), 2U);
  Acknowledge(2, 1, {.life = 0, .cured = 0});
  EXPECT_EQ(Match(2), 2U);
}

// One that is whole in its new life counts by what it acknowledges in it, and nobody waits for a
// cure.
TEST_F(LivesTest, whole_in_new_life_counts_afresh) {
  Acknowledge(2, 1, {});
  Run();
  EXPECT_EQ(Match(2), 1U);
  Step(2, HeartbeatResponse{}, {.life = 3, .cured = 3});
  Run();
  EXPECT_EQ(Match(2), 0U);
  EXPECT_FALSE(node_.Status().followers[0].returning);
  EXPECT_EQ(node_.Status().last_index, LogIndex(1));
  ASSERT_TRUE(node_.Propose(std::make_shared<const std::string>("x"), now_).ok());
  Run();
  Acknowledge(2, 2, {.life = 3, .cured = 3});
  EXPECT_EQ(node_.Status().commit, LogIndex(2));
}

// A copy that was acknowledged while its holder was returning counts once it is whole, even when it
// says so in a heartbeat's answer only.
TEST_F(LivesTest, copies_count_once_their_holder_is_whole) {
  Acknowledge(2, 1, {.life = 1, .cured = 0});
  Run();
  Acknowledge(2, 2, {.life = 1, .cured = 0});
  EXPECT_EQ(node_.Status().commit, LogIndex(0));
  Beat();
  EXPECT_EQ(heartbeat_.cure.life, 0U) << "nothing is told before it is committed";
  Step(2, HeartbeatResponse{}, {.life = 1, .cured = 1});
  EXPECT_EQ(node_.Status().commit, LogIndex(2));
}

// A log that begins after a power loss begins whole, and has promised nothing to anybody.
TEST(NewReplicaTest, new_replica_in_later_life_leads_at_once) {
  TestGroup group;
  group.self = ReplicaId(1);
  group.initial.voters = {ReplicaId(1), ReplicaId(2), ReplicaId(3)};
  MemoryLog log(group.initial);
  log.Write(HardState{.term = {}, .voted_for = {}, .commit = {}, .life = 3, .cured = 3}, {});
  const MonotonicTime now(std::chrono::seconds(100));
  RaftNode node(group, &log, LogIndex(), now);
  EXPECT_FALSE(node.Status().returning);
  node.Campaign(now);
  EXPECT_EQ(node.role(), Role::kPreCandidate);
}

}  // namespace
}  // namespace quorate::raft
