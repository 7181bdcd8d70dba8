// Whole hosts on virtual time: what a caller is told, and what is true then.
#include "server/replication/replica_host.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/error_detail.h"
#include "server/replication/testing/test_cluster.h"

namespace quorate {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::MakeRequestId;
using testing::TestCluster;

void ExpectRefused(const absl::Status& status, kv::v1::Reason reason, kv::v1::Outcome outcome) {
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(kv::v1::Reason_Name(ReasonOf(status)), kv::v1::Reason_Name(reason));
  EXPECT_EQ(kv::v1::Outcome_Name(OutcomeOf(status)), kv::v1::Outcome_Name(outcome));
}

TEST(ReplicaHostTest, OneNodeWritesAndReads) {
  TestCluster cluster(1);
  cluster.Begin();
  const auto written = cluster.Await(cluster.Put(1, {.key = "k", .value = "v"}));
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_EQ(written->result.version().size(), 16u);
  const auto read = cluster.node(1).host->TryLeaseGet(GroupId(TestCluster::kGroup), "k");
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->value, "v");
  EXPECT_EQ(read->version, written->result.version());
  EXPECT_EQ(read->served_by, kv::v1::SERVED_BY_LEADER_LEASE);
  const auto absent = cluster.Await(cluster.Get(1, "other"));
  ASSERT_TRUE(absent.ok());
  EXPECT_FALSE(absent->found);
}

TEST(ReplicaHostTest, NewGroupIsLedByTheFirstMember) {
  TestCluster cluster(3);
  cluster.Begin();
  EXPECT_EQ(cluster.Leader(), 1u);
}

TEST(ReplicaHostTest, ThreeNodesHoldTheSame) {
  TestCluster cluster(3);
  cluster.Begin();
  std::string last_version;
  for (int i = 0; i < 100; ++i) {
    const auto written =
        cluster.Await(cluster.Put(1, {.key = "k" + std::to_string(i % 10), .value = "v"}));
    ASSERT_TRUE(written.ok()) << written.status();
    EXPECT_GT(written->result.version(), last_version) << "versions grow in log order";
    last_version = written->result.version();
  }
  const auto removed = cluster.Await(cluster.Delete(1, "k3"));
  ASSERT_TRUE(removed.ok());
  EXPECT_TRUE(removed->result.existed());
  ASSERT_TRUE(cluster.AwaitConvergence());
  const auto first = cluster.Status(1, true);
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].records(), 9u);
  EXPECT_EQ(first[0].role(), kv::v1::REPLICA_ROLE_LEADER);
  EXPECT_EQ(first[0].checksum_index(), first[0].applied_index());
  for (uint64_t node = 2; node <= 3; ++node) {
    const auto status = cluster.Status(node, true);
    EXPECT_EQ(status[0].applied_hash(), first[0].applied_hash());
    EXPECT_EQ(status[0].checksum(), first[0].checksum());
    EXPECT_EQ(status[0].leader_node(), 1u);
  }
}

TEST(ReplicaHostTest, FollowerNamesTheLeader) {
  TestCluster cluster(3);
  cluster.Begin();
  const auto written = cluster.Await(cluster.Put(2, {.key = "k", .value = "v"}));
  ExpectRefused(written.status(), kv::v1::REASON_NOT_LEADER, kv::v1::OUTCOME_NOT_DONE);
  EXPECT_EQ(DetailOf(written.status())->leader().node_id(), 1u);
  const auto read = cluster.Await(cluster.Get(2, "k"));
  ExpectRefused(read.status(), kv::v1::REASON_NOT_LEADER, kv::v1::OUTCOME_NOT_DONE);
  EXPECT_FALSE(cluster.node(2).host->TryLeaseGet(GroupId(TestCluster::kGroup), "k").has_value());
}

TEST(ReplicaHostTest, GroupThatIsNotHereIsTheWrongNode) {
  TestCluster cluster(1);
  const auto written = cluster.Await(cluster.Put(1, {.key = "k", .value = "v"}));
  ExpectRefused(written.status(), kv::v1::REASON_WRONG_NODE, kv::v1::OUTCOME_NOT_DONE);
}

TEST(ReplicaHostTest, ReadIndexServesWithoutLease) {
  TestCluster cluster(3);
  for (uint64_t id = 1; id <= 3; ++id) {
    ReplicaSpec spec = cluster.SpecOf(id);
    spec.lease_enabled = false;
    cluster.node(id).SetReplicas({spec});
  }
  ASSERT_TRUE(cluster.scheduler.RunUntil([&] { return cluster.Leader() == 1; }));
  ASSERT_TRUE(cluster.Await(cluster.Put(1, {.key = "k", .value = "v"})).ok());
  EXPECT_FALSE(cluster.node(1).host->TryLeaseGet(GroupId(TestCluster::kGroup), "k").has_value());
  const auto read = cluster.Await(cluster.Get(1, "k"));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->value, "v");
  EXPECT_EQ(read->served_by, kv::v1::SERVED_BY_LEADER_READ_INDEX);
  cluster.Isolate(1);
  const auto cut_off = cluster.Await(cluster.Get(1, "k", milliseconds(300)));
  ExpectRefused(cut_off.status(), kv::v1::REASON_DEADLINE, kv::v1::OUTCOME_NOT_DONE);
}

TEST(ReplicaHostTest, PagesAreCutByEntriesAndEnd) {
  TestCluster cluster(3);
  cluster.Begin();
  for (const char* key : {"a", "b", "c", "d"}) {
    ASSERT_TRUE(cluster.Await(cluster.Put(1, {.key = key, .value = "value"})).ok());
  }
  const auto page =
      cluster.Await(cluster.ReadPage(1, {.begin = "b", .end = "", .limit = 2, .bytes_max = 1000}));
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->entries.size(), 2u);
  EXPECT_EQ(page->entries[0].key(), "b");
  EXPECT_EQ(page->entries[1].value(), "value");
  EXPECT_TRUE(page->more);
}

TEST(ReplicaHostTest, ConditionsAreJudgedInLogOrderWithinOneBatch) {
  TestCluster cluster(1);
  cluster.Begin();
  kv::v1::Condition absent;
  absent.set_if_absent(true);
  // Both are proposed before either is applied, so both are applied in one batch.
  const auto first = cluster.Put(1, {.key = "k", .value = "1", .condition = absent});
  const auto second = cluster.Put(1, {.key = "k", .value = "2", .condition = absent});
  const auto won = cluster.Await(first);
  const auto lost = cluster.Await(second);
  ASSERT_TRUE(won.ok() && lost.ok());
  EXPECT_FALSE(won->result.condition_false());
  EXPECT_TRUE(lost->result.condition_false());
  EXPECT_EQ(lost->result.version(), won->result.version());

  kv::v1::Condition same;
  same.set_if_version(won->result.version());
  const auto swapped = cluster.Await(cluster.Put(1, {.key = "k", .value = "3", .condition = same}));
  ASSERT_TRUE(swapped.ok());
  EXPECT_FALSE(swapped->result.condition_false());
}

TEST(ReplicaHostTest, deadline_is_unknown_for_writes) {
  TestCluster cluster(3);
  cluster.Begin();
  cluster.Isolate(1);
  const MonotonicTime asked = cluster.scheduler.Now();
  const auto pending = cluster.Put(1, {.key = "k", .value = "v", .timeout = milliseconds(313)});
  const auto written = cluster.Await(pending);
  ExpectRefused(written.status(), kv::v1::REASON_DEADLINE, kv::v1::OUTCOME_UNKNOWN);
  EXPECT_EQ(pending->at - asked, milliseconds(313));
}

TEST(ReplicaHostTest, DeadlineBeforeProposingIsNotDone) {
  TestCluster cluster(1);
  cluster.Begin();
  const auto written =
      cluster.Await(cluster.Put(1, {.key = "k", .value = "v", .timeout = Duration(0)}));
  ExpectRefused(written.status(), kv::v1::REASON_DEADLINE, kv::v1::OUTCOME_NOT_DONE);
}

TEST(ReplicaHostTest, DeposedLeadersProposalIsUnknown) {
  TestCluster cluster(3);
  cluster.Begin();
  cluster.Isolate(1);
  const auto written = cluster.Await(cluster.Put(1, {.key = "k", .value = "v"}));
  ExpectRefused(written.status(), kv::v1::REASON_LEADER_LOST, kv::v1::OUTCOME_UNKNOWN);
}

TEST(ReplicaHostTest, NoLeaderIsNotDone) {
  TestCluster cluster(3);
  cluster.Begin();
  cluster.node(2).Stop();
  cluster.node(3).Stop();
  cluster.scheduler.RunFor(seconds(3));
  const auto written = cluster.Await(cluster.Put(1, {.key = "k", .value = "v"}));
  ExpectRefused(written.status(), kv::v1::REASON_NO_LEADER, kv::v1::OUTCOME_NOT_DONE);
}

TEST(ReplicaHostTest, IsolatedLeaderServesNoReadAfterItsLease) {
  TestCluster cluster(3);
  cluster.Begin();
  ASSERT_TRUE(cluster.Await(cluster.Put(1, {.key = "k", .value = "old"})).ok());
  cluster.Isolate(1);
  const uint64_t successor = cluster.AwaitLeader(1);
  ASSERT_NE(successor, 0u);
  // At the very moment the successor can serve, the old leader cannot.
  EXPECT_FALSE(cluster.node(1).host->TryLeaseGet(GroupId(TestCluster::kGroup), "k").has_value());
  const auto read = cluster.Await(cluster.Get(1, "k", milliseconds(100)));
  EXPECT_FALSE(read.ok());
  const auto kept = cluster.Await(cluster.Get(successor, "k"));
  ASSERT_TRUE(kept.ok());
  EXPECT_EQ(kept->value, "old");
}

TEST(ReplicaHostTest, RetryAppliedOnceAcrossLeaderChange) {
  TestCluster cluster(3);
  cluster.Begin();
  const auto id = MakeRequestId('c', 1, cluster.node(1).host->ClusterTimeMicros());
  const auto first = cluster.Await(cluster.Put(1, {.key = "k", .value = "mine", .id = id}));
  ASSERT_TRUE(first.ok());
  ASSERT_TRUE(cluster.Await(cluster.Put(1, {.key = "k", .value = "another's"})).ok());
  cluster.node(1).Stop();
  const uint64_t successor = cluster.AwaitLeader(1);
  ASSERT_NE(successor, 0u);
  const auto again = cluster.Await(cluster.Put(successor, {.key = "k", .value = "mine", .id = id}));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->repeated);
  EXPECT_EQ(again->result.version(), first->result.version());
  EXPECT_EQ(cluster.Await(cluster.Get(successor, "k"))->value, "another's");
}

TEST(ReplicaHostTest, RepeatWhileTheFirstIsUnderWayIsAppliedOnce) {
  TestCluster cluster(3);
  cluster.Begin();
  const auto id = MakeRequestId('c', 1, cluster.node(1).host->ClusterTimeMicros());
  const auto first = cluster.Put(1, {.key = "k", .value = "v", .id = id});
  const auto second = cluster.Put(1, {.key = "k", .value = "v", .id = id});
  ASSERT_TRUE(cluster.Await(first).ok() && cluster.Await(second).ok());
  EXPECT_FALSE((*first->answer)->repeated);
  EXPECT_TRUE((*second->answer)->repeated);
  EXPECT_EQ((*first->answer)->result.version(), (*second->answer)->result.version());
}

TEST(ReplicaHostTest, RepeatOfAFalseConditionStaysFalse) {
  TestCluster cluster(1);
  cluster.Begin();
  ASSERT_TRUE(cluster.Await(cluster.Put(1, {.key = "k", .value = "v"})).ok());
  kv::v1::Condition absent;
  absent.set_if_absent(true);
  const auto id = MakeRequestId('c', 1, cluster.node(1).host->ClusterTimeMicros());
  const testing::PutArguments put{.key = "k", .value = "w", .id = id, .condition = absent};
  EXPECT_TRUE(cluster.Await(cluster.Put(1, put))->result.condition_false());
  ASSERT_TRUE(cluster.Await(cluster.Delete(1, "k")).ok());
  const auto again = cluster.Await(cluster.Put(1, put));
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->repeated && again->result.condition_false());
  EXPECT_FALSE(cluster.Await(cluster.Get(1, "k"))->found);
}

TEST(ReplicaHostTest, RequestIdPastWindowIsUnknownNotReapplied) {
  TestCluster cluster(1, {.request_rows_max = 3});
  cluster.Begin();
  const uint64_t time = cluster.node(1).host->ClusterTimeMicros();
  for (uint64_t i = 1; i <= 5; ++i) {
    ASSERT_TRUE(cluster
                    .Await(cluster.Put(
                        1, {.key = "k", .value = "v", .id = MakeRequestId('c', i, time + i)}))
                    .ok());
  }
  const auto expired = cluster.Await(
      cluster.Put(1, {.key = "k", .value = "again", .id = MakeRequestId('c', 1, time + 1)}));
  ExpectRefused(expired.status(), kv::v1::REASON_REQUEST_ID_EXPIRED, kv::v1::OUTCOME_UNKNOWN);
  EXPECT_EQ(cluster.Await(cluster.Get(1, "k"))->value, "v");
}

TEST(ReplicaHostTest, WriteIsReadableUnderTheLeaseWhenItsAnswerComes) {
  TestCluster cluster(3);
  cluster.Begin();
  ReplicaHost* const host = cluster.node(1).host.get();
  internal::v1::Command command;
  command.mutable_put()->set_key("k");
  command.mutable_put()->set_value("v");
  std::optional<ReadAnswer> seen;
  host->Write(GroupId(TestCluster::kGroup), command,
              {.deadline = cluster.scheduler.Now() + seconds(5)},
              [&](const absl::StatusOr<WriteAnswer>& answer) {
                ASSERT_TRUE(answer.ok());
                seen = host->TryLeaseGet(GroupId(TestCluster::kGroup), "k");
              });
  ASSERT_TRUE(cluster.scheduler.RunUntil([&] { return seen.has_value(); }, seconds(1)));
  EXPECT_EQ(seen->value, "v");
}

// The process is stopped in the middle of the read, for longer than the lease.
TEST(ReplicaHostTest, LeaseReadThatOutlastsItsLeaseIsNotServed) {
  TestCluster cluster(3);
  cluster.Begin();
  ReplicaHost* const host = cluster.node(1).host.get();
  cluster.node(1).clock.JumpAfterNextLook(milliseconds(100));
  EXPECT_TRUE(host->TryLeaseGet(GroupId(TestCluster::kGroup), "k").has_value());
  cluster.node(1).clock.JumpAfterNextLook(milliseconds(600));
  EXPECT_FALSE(host->TryLeaseGet(GroupId(TestCluster::kGroup), "k").has_value());
}

TEST(ReplicaHostTest, BytesOfWaitingWritesAreBoundedAndGivenBack) {
  TestCluster cluster(3, {.pending_write_bytes_max = 3000});
  cluster.Begin();
  const std::string value(1000, 'x');
  std::vector<testing::PendingAnswer<WriteAnswer>> puts;
  for (int i = 0; i < 3; ++i) {
    puts.push_back(cluster.Put(1, {.key = "k", .value = value}));
  }
  ExpectRefused(cluster.Await(puts.back()).status(), kv::v1::REASON_QUEUE_FULL,
                kv::v1::OUTCOME_NOT_DONE);
  ASSERT_TRUE(cluster.Await(puts[0]).ok() && cluster.Await(puts[1]).ok());
  cluster.scheduler.RunFor(milliseconds(50));
  EXPECT_TRUE(cluster.Await(cluster.Put(1, {.key = "k", .value = value})).ok());
  cluster.scheduler.RunFor(milliseconds(50));
  EXPECT_TRUE(cluster.Await(cluster.Put(1, {.key = "k", .value = std::string(9000, 'x')})).ok())
      << "a single larger one is let in";
}

TEST(ReplicaHostTest, LeaderWithStuckDiskStepsDown) {
  TestCluster cluster(3);
  cluster.Begin();
  const MonotonicTime stuck = cluster.scheduler.Now();
  cluster.node(1).log_loop->Pause();
  const auto pending = cluster.Put(1, {.key = "k", .value = "v", .timeout = seconds(10)});
  ReplicaHost* const host = cluster.node(1).host.get();
  ASSERT_TRUE(cluster.scheduler.RunUntil(
      [&] { return host->LeaderOf(GroupId(TestCluster::kGroup)) != 1; }));
  EXPECT_LT(cluster.scheduler.Now() - stuck, milliseconds(650)) << "election_timeout_min is 600 ms";
  EXPECT_NE(cluster.AwaitLeader(1), 0u);
  ASSERT_TRUE(cluster.scheduler.RunUntil([&] { return pending->answer.has_value(); }));
  // The others had the entry in time: then it was committed by them, but not applied here.
  if (!pending->answer->ok()) {
    ExpectRefused(pending->answer->status(), kv::v1::REASON_LEADER_LOST, kv::v1::OUTCOME_UNKNOWN);
  }
  cluster.node(1).log_loop->Resume();
  EXPECT_TRUE(cluster.AwaitConvergence());
}

// Method: two groups of one worker; the second's entry comes while the first's is being written, so
// it is in the next write. Oracle: the first write answers the first group alone.
TEST(ReplicaHostTest, one_fsync_acks_each_group_rightly) {
  TestCluster cluster(1);
  testing::TestNode& node = cluster.node(1);
  ReplicaSpec other = cluster.SpecOf(1, /*first_incarnation=*/200);
  other.group = GroupId(TestCluster::kGroup + 2);
  node.SetReplicas({cluster.SpecOf(1), other});
  ASSERT_TRUE(cluster.scheduler.RunUntil([&] {
    return node.host->TryLeaseGet(GroupId(TestCluster::kGroup), "k").has_value() &&
           node.host->TryLeaseGet(other.group, "k").has_value();
  }));
  node.log_loop->Pause();
  const auto first = cluster.Put(1, {.key = "k", .value = "first"});
  cluster.scheduler.RunFor(milliseconds(5));
  node.writer->Hold();
  internal::v1::Command command;
  command.mutable_put()->set_key("k");
  command.mutable_put()->set_value("second");
  std::optional<absl::Status> second;
  node.host->Write(other.group, command, {.deadline = cluster.scheduler.Now() + seconds(5)},
                   [&](const absl::StatusOr<WriteAnswer>& answer) { second = answer.status(); });
  cluster.scheduler.RunFor(milliseconds(5));
  EXPECT_FALSE(first->answer.has_value());
  node.log_loop->Resume();
  cluster.scheduler.RunFor(milliseconds(50));
  EXPECT_TRUE(first->answer.has_value() && first->answer->ok());
  EXPECT_FALSE(second.has_value()) << "nothing of it is on disk";
  node.writer->Release();
  ASSERT_TRUE(cluster.scheduler.RunUntil([&] { return second.has_value(); }, seconds(1)));
  EXPECT_TRUE(second->ok()) << *second;
}

// Nobody could take over: stepping down would only make the write unknown.
TEST(ReplicaHostTest, LeaderAloneWaitsForItsStuckDisk) {
  TestCluster cluster(1);
  cluster.Begin();
  cluster.node(1).log_loop->Pause();
  const auto pending = cluster.Put(1, {.key = "k", .value = "v", .timeout = seconds(30)});
  cluster.scheduler.RunFor(seconds(20));
  EXPECT_FALSE(pending->answer.has_value());
  EXPECT_EQ(cluster.Leader(), 1u);
  cluster.node(1).log_loop->Resume();
  const auto written = cluster.Await(pending);
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_EQ(cluster.Await(cluster.Get(1, "k"))->value, "v");
}

TEST(ReplicaHostTest, LeaderAloneStepsDownWhenItsStoreFailed) {
  TestCluster cluster(1);
  cluster.Begin();
  cluster.node(1).writer->fails = true;
  ExpectRefused(cluster.Await(cluster.Put(1, {.key = "k", .value = "v"})).status(),
                kv::v1::REASON_LEADER_LOST, kv::v1::OUTCOME_UNKNOWN);
  EXPECT_EQ(cluster.Leader(), 0u);
  EXPECT_FALSE(cluster.node(1).host->TryLeaseGet(GroupId(TestCluster::kGroup), "k").has_value());
}

TEST(ReplicaHostTest, FailedFsyncEndsAllWriting) {
  TestCluster cluster(3);
  cluster.Begin();
  cluster.node(1).writer->fails = true;
  const auto written = cluster.Await(cluster.Put(1, {.key = "k", .value = "v"}));
  EXPECT_FALSE(written.ok());
  EXPECT_EQ(OutcomeOf(written.status()), kv::v1::OUTCOME_UNKNOWN);
  EXPECT_FALSE(cluster.node(1).poison.ok());
  const auto next = cluster.Await(cluster.Put(1, {.key = "k", .value = "v"}));
  ExpectRefused(next.status(), kv::v1::REASON_STORE_POISONED, kv::v1::OUTCOME_NOT_DONE);
  EXPECT_FALSE(cluster.node(1).host->TryLeaseGet(GroupId(TestCluster::kGroup), "k").has_value());
  EXPECT_NE(cluster.AwaitLeader(1), 0u);
}

TEST(ReplicaHostTest, RestartRecoversDataAndRequestMemory) {
  TestCluster cluster(1);
  cluster.Begin();
  const auto id = MakeRequestId('c', 1, cluster.node(1).host->ClusterTimeMicros());
  const auto written = cluster.Await(cluster.Put(1, {.key = "k", .value = "v", .id = id}));
  ASSERT_TRUE(written.ok());
  for (const bool lost : {false, true}) {
    const uint64_t hash = cluster.Status(1, false)[0].applied_hash();
    const uint64_t index = cluster.Status(1, false)[0].applied_index();
    cluster.node(1).Stop();
    if (lost) {
      cluster.node(1).LoseData();  // nothing was flushed: all comes from the log again
    }
    cluster.node(1).Start();
    ASSERT_EQ(cluster.AwaitLeader(), 1u);
    EXPECT_EQ(cluster.Await(cluster.Get(1, "k"))->value, "v");
    const auto again = cluster.Await(cluster.Put(1, {.key = "k", .value = "v", .id = id}));
    ASSERT_TRUE(again.ok());
    EXPECT_TRUE(again->repeated);
    EXPECT_EQ(again->result.version(), written->result.version());
    const auto status = cluster.Status(1, false)[0];
    EXPECT_GT(status.applied_index(), index);
    EXPECT_NE(status.applied_hash(), hash);
  }
}

TEST(ReplicaHostTest, FollowerThatLostItsDataCatchesUpFromItsLog) {
  TestCluster cluster(3);
  cluster.Begin();
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(cluster.Await(cluster.Put(1, {.key = std::to_string(i), .value = "v"})).ok());
  }
  cluster.node(3).Stop();
  cluster.node(3).LoseData();
  cluster.node(3).Start();
  ASSERT_TRUE(cluster.Await(cluster.Put(1, {.key = "after", .value = "v"})).ok());
  ASSERT_TRUE(cluster.AwaitConvergence());
  EXPECT_EQ(cluster.Status(3, true)[0].checksum(), cluster.Status(1, true)[0].checksum());
}

TEST(ReplicaHostTest, QueueBoundAndLogBoundRefuseByName) {
  TestCluster cluster(3, {.log_bytes_max = 4000, .pending_writes_max = 4});
  cluster.Begin();
  std::vector<testing::PendingAnswer<WriteAnswer>> puts;
  for (int i = 0; i < 5; ++i) {
    puts.push_back(cluster.Put(1, {.key = "k", .value = "v"}));
  }
  const auto full = cluster.Await(puts.back());
  ExpectRefused(full.status(), kv::v1::REASON_QUEUE_FULL, kv::v1::OUTCOME_NOT_DONE);
  EXPECT_GT(DetailOf(full.status())->retry_delay_ms(), 0u);
  EXPECT_TRUE(cluster.Await(puts.front()).ok());

  ASSERT_TRUE(cluster.Await(cluster.Put(1, {.key = "k", .value = std::string(5000, 'x')})).ok());
  const auto log_full = cluster.Await(cluster.Put(1, {.key = "k", .value = "v"}));
  ExpectRefused(log_full.status(), kv::v1::REASON_LOG_FULL, kv::v1::OUTCOME_NOT_DONE);
}

TEST(ReplicaHostTest, UnknownCommandQuarantinesTheGroupNotTheNode) {
  TestCluster cluster(3);
  cluster.Begin();
  cluster.Isolate(3);
  internal::v1::Command future;
  future.set_format(2);
  internal::v1::RaftMessage message;
  message.set_group_id(TestCluster::kGroup);
  message.set_from(101);
  message.set_to(103);
  message.set_term(1);
  const auto status = cluster.Status(3, false)[0];
  auto* append = message.mutable_append_request();
  append->set_previous_index(status.last_index());
  append->set_previous_term(status.term());
  append->set_commit(status.last_index() + 1);
  auto* entry = append->add_entries();
  entry->set_term(status.term());
  entry->set_index(status.last_index() + 1);
  entry->set_payload(future.SerializeAsString());
  message.set_term(status.term());
  std::vector<internal::v1::RaftMessage> messages;
  messages.push_back(message);
  cluster.node(3).host->StepRaft(1, messages);
  cluster.scheduler.RunFor(milliseconds(50));
  const auto after = cluster.Status(3, false)[0];
  EXPECT_THAT(after.fault(), ::testing::HasSubstr("format 2"));
  EXPECT_EQ(after.applied_index(), status.last_index()) << "what came before is applied";
  ExpectRefused(cluster.Await(cluster.Put(3, {.key = "k", .value = "v"})).status(),
                kv::v1::REASON_CORRUPT, kv::v1::OUTCOME_NOT_DONE);
  EXPECT_TRUE(cluster.Await(cluster.Put(1, {.key = "k", .value = "v"})).ok());
}

TEST(ReplicaHostTest, destroy_then_recreate_on_same_node) {
  TestCluster cluster(1);
  cluster.Begin();
  ASSERT_TRUE(cluster.Await(cluster.Put(1, {.key = "k", .value = "v"})).ok());
  // Removal and successor in two calls, faster than the removal can be done.
  cluster.node(1).SetReplicas({});
  cluster.node(1).SetReplicas({cluster.SpecOf(1, 200)});
  EXPECT_FALSE(cluster.node(1).host->TryLeaseGet(GroupId(TestCluster::kGroup), "k") &&
               cluster.Leader() == 0);
  ASSERT_TRUE(cluster.scheduler.RunUntil([&] {
    const auto status = cluster.Status(1, false);
    return status.size() == 1 && status[0].incarnation() == 201;
  }));
  ASSERT_EQ(cluster.AwaitLeader(), 1u);
  EXPECT_FALSE(cluster.Await(cluster.Get(1, "k"))->found);
  const auto replicas = cluster.node(1).data->ListReplicas();
  ASSERT_TRUE(replicas.ok());
  EXPECT_THAT(*replicas, ::testing::ElementsAre(ReplicaId(201)));
}

TEST(ReplicaHostTest, message_to_old_replica_id_rejected) {
  TestCluster cluster(1);
  cluster.Begin();
  const auto before = cluster.Status(1, false)[0];
  internal::v1::RaftMessage message;
  message.set_group_id(TestCluster::kGroup);
  message.set_from(999);
  message.set_to(55);
  message.set_term(before.term() + 10);
  message.mutable_heartbeat_request();
  std::vector<internal::v1::RaftMessage> messages;
  messages.push_back(message);
  messages.emplace_back();  // malformed: dropped too
  cluster.node(1).host->StepRaft(9, std::move(messages));
  cluster.scheduler.RunFor(milliseconds(100));
  EXPECT_EQ(cluster.Status(1, false)[0].term(), before.term());
}

TEST(ReplicaHostTest, StopEndsEveryCallOnce) {
  TestCluster cluster(3);
  cluster.Begin();
  cluster.Isolate(1);
  const auto proposed = cluster.Put(1, {.key = "k", .value = "v"});
  cluster.scheduler.RunFor(milliseconds(5));
  const auto waiting = cluster.Put(1, {.key = "k", .value = "v"});
  const auto read = cluster.Get(1, "k");
  cluster.node(1).host->Stop();
  ASSERT_TRUE(proposed->answer && waiting->answer && read->answer);
  ExpectRefused(proposed->answer->status(), kv::v1::REASON_SHUTTING_DOWN, kv::v1::OUTCOME_UNKNOWN);
  ExpectRefused(waiting->answer->status(), kv::v1::REASON_SHUTTING_DOWN, kv::v1::OUTCOME_NOT_DONE);
  ExpectRefused(read->answer->status(), kv::v1::REASON_SHUTTING_DOWN, kv::v1::OUTCOME_NOT_DONE);
  const auto late = cluster.Put(1, {.key = "k", .value = "v"});
  ASSERT_TRUE(late->answer.has_value());
  ExpectRefused(late->answer->status(), kv::v1::REASON_SHUTTING_DOWN, kv::v1::OUTCOME_NOT_DONE);
}

TEST(ReplicaHostTest, MetaGroupAppliesClusterCommands) {
  TestCluster cluster(1);
  ReplicaSpec meta = cluster.SpecOf(1);
  meta.group = GroupId(0);
  cluster.node(1).SetReplicas({meta});
  ReplicaHost* host = cluster.node(1).host.get();
  ASSERT_TRUE(cluster.scheduler.RunUntil([&] { return host->LeaderOf(GroupId(0)) == 1; }));
  const auto propose = [&](const std::string& name) {
    internal::v1::ClusterCommand command;
    command.mutable_drop_keyspace()->set_name(name);
    std::optional<absl::Status> answer;
    cluster.node(1).host->ProposeCluster(command, cluster.scheduler.Now() + seconds(5),
                                         [&](absl::Status status) { answer = std::move(status); });
    cluster.scheduler.RunUntil([&] { return answer.has_value(); });
    return answer.value_or(absl::InternalError("no answer"));
  };
  EXPECT_TRUE(propose("first").ok());
  ExpectRefused(propose("refused"), kv::v1::REASON_KEYSPACE_NOT_FOUND, kv::v1::OUTCOME_NOT_DONE);
  EXPECT_TRUE(propose("second").ok());
  EXPECT_EQ(cluster.node(1).cluster.state(), "first;second;");
  cluster.node(1).Stop();
  cluster.node(1).Start();
  cluster.scheduler.RunFor(seconds(2));
  EXPECT_EQ(cluster.node(1).cluster.state(), "first;second;");
}

TEST(ReplicaHostTest, ClusterTimeFollowsStampsNotTheWallClock) {
  TestCluster cluster(1);
  cluster.Begin();
  ASSERT_TRUE(cluster.Await(cluster.Put(1, {.key = "k", .value = "v"})).ok());
  const uint64_t before = cluster.node(1).host->ClusterTimeMicros();
  cluster.scheduler.wall_offset_us -= 3'600'000'000;  // the wall clock jumps back an hour
  const auto written = cluster.Await(cluster.Put(1, {.key = "k", .value = "w"}));
  ASSERT_TRUE(written.ok());
  EXPECT_GE(cluster.node(1).host->ClusterTimeMicros(), before);
}

}  // namespace
}  // namespace quorate
