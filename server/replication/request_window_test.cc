// How long the answers of a group are remembered, through whole hosts on virtual time.
#include <chrono>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "proto/error_detail.h"
#include "server/replication/testing/test_cluster.h"

namespace quorate {
namespace {

using internal::v1::Command;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::MakeRequestId;
using testing::TestCluster;

constexpr WallMicros kYearUs = 365LL * 24 * 3600 * 1'000'000;

// Counters show best what was applied twice. Oracle: the answers, the counter, and that all
// replicas store the same memory.
class RequestWindowTest : public ::testing::Test {
 protected:
  explicit RequestWindowTest(const ReplicaHost::Options& options = {.request_age_max = minutes(1)})
      : cluster_(3, options) {
    cluster_.Begin();
  }

  [[nodiscard]] uint64_t ToldBy(uint64_t node) {
    return cluster_.node(node).host->ClusterTimeMicros();
  }
  static Command Add(const kv::v1::RequestId& id) {
    Command command;
    *command.mutable_request_id() = id;
    command.mutable_increment()->set_key("n");
    command.mutable_increment()->set_delta(1);
    return command;
  }
  Command NewAdd() { return Add(MakeRequestId('c', ++sequence_, ToldBy(1))); }
  WriteAnswer Write(const Command& command, uint64_t node = 1) {
    const auto answer = cluster_.Await(cluster_.Write(node, command));
    EXPECT_TRUE(answer.ok()) << answer.status();
    return answer.value_or(WriteAnswer());
  }
  void ExpectRepeated(const Command& command, uint64_t node = 1) {
    EXPECT_TRUE(Write(command, node).repeated);
  }
  void ExpectUnknown(const Command& command, uint64_t node = 1) {
    const auto expired = cluster_.Await(cluster_.Write(node, command));
    EXPECT_EQ(ReasonOf(expired.status()), kv::v1::REASON_REQUEST_ID_EXPIRED) << expired.status();
    EXPECT_EQ(OutcomeOf(expired.status()), kv::v1::OUTCOME_UNKNOWN);
  }
  void ExpectCount(const std::string& count, uint64_t node) {
    const auto read = cluster_.Await(cluster_.Get(node, "n"));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->value, count);
  }
  // What a node's store holds of the memory.
  std::string Stored(uint64_t node) {
    const ReplicaId replica(100 + node);
    const auto& data = *cluster_.node(node).data;
    std::string all;
    const auto rows = data.LoadRequestRows(replica);
    for (const auto& row : *rows) {
      all += row.ShortDebugString() + "\n";
    }
    const internal::v1::ReplicaMeta meta = data.LoadMeta(replica).value().value();
    for (const auto& span : meta.forgotten()) {
      all += span.ShortDebugString() + "\n";
    }
    return all + std::to_string(meta.age_us());
  }
  void ExpectAllRememberAlike() {
    ASSERT_TRUE(cluster_.AwaitConvergence());
    EXPECT_EQ(Stored(2), Stored(1));
    EXPECT_EQ(Stored(3), Stored(1));
  }
  void RestartFromTheLog() {
    for (uint64_t node = 1; node <= cluster_.size(); ++node) {
      cluster_.node(node).Stop();
      cluster_.node(node).LoseData();
      cluster_.node(node).Start();
    }
  }

  TestCluster cluster_;
  uint64_t sequence_ = 0;
};

// Forgotten alike by all: by the leader that applied it, by its successor, and by replicas that
// replay the log from its beginning.
TEST_F(RequestWindowTest, WhatIsTooOldIsUnknownEverywhere) {
  const Command old = NewAdd();
  Write(old);
  cluster_.scheduler.RunFor(seconds(30));
  const Command recent = NewAdd();
  Write(recent);
  ExpectRepeated(old);
  cluster_.scheduler.RunFor(seconds(31));
  Write(NewAdd());
  ExpectUnknown(old);
  ExpectRepeated(recent);
  ExpectAllRememberAlike();
  cluster_.node(1).Stop();
  const uint64_t successor = cluster_.AwaitLeader(1);
  ASSERT_NE(successor, 0u);
  ExpectUnknown(old, successor);
  ExpectRepeated(recent, successor);
  RestartFromTheLog();
  const uint64_t leader = cluster_.AwaitLeader();
  ASSERT_NE(leader, 0u);
  ExpectUnknown(old, leader);
  ExpectRepeated(recent, leader);
  ExpectCount("3", leader);
  ExpectAllRememberAlike();
}

TEST_F(RequestWindowTest, AWallClockFarAheadMakesNobodyForget) {
  const Command before = NewAdd();
  Write(before);
  cluster_.scheduler.wall_offset_us += kYearUs;
  for (int i = 0; i < 100; ++i) {
    Write(NewAdd());
  }
  ExpectRepeated(before);
  cluster_.scheduler.wall_offset_us -= 2 * kYearUs;
  Write(NewAdd());
  ExpectRepeated(before);
  ExpectAllRememberAlike();
}

// The time that one leader led counts, and not what passed until the next began.
TEST_F(RequestWindowTest, ANewLeaderGoesOnWhereTheLastWas) {
  const Command first = NewAdd();
  Write(first);
  cluster_.scheduler.RunFor(seconds(40));
  Write(NewAdd());
  ASSERT_TRUE(cluster_.AwaitConvergence());
  cluster_.Isolate(1);
  const uint64_t successor = cluster_.AwaitLeader(1);
  ASSERT_NE(successor, 0u);
  cluster_.scheduler.RunFor(seconds(40));
  Write(NewAdd(), successor);
  ExpectRepeated(first, successor);
  cluster_.scheduler.RunFor(seconds(21));
  Write(NewAdd(), successor);
  ExpectUnknown(first, successor);
}

class ShortWindowTest : public RequestWindowTest {
 protected:
  ShortWindowTest() : RequestWindowTest({.request_rows_max = 3}) {}
};

// Ids that a node with a mad clock told are forgotten by count; those of all others go on.
TEST_F(ShortWindowTest, ALeaderFarAheadDoesNotPushTheHorizon) {
  const uint64_t sane = ToldBy(1);
  cluster_.scheduler.wall_offset_us += kYearUs;
  std::vector<Command> mad;
  for (int i = 0; i < 10; ++i) {
    mad.push_back(NewAdd());
    Write(mad.back());
  }
  ASSERT_GT(mad.back().request_id().cluster_time_us(), sane + kYearUs / 2);
  // A client that talked to others only.
  const Command other = Add(MakeRequestId('o', 1, sane + 1'000'000));
  EXPECT_FALSE(Write(other).repeated);
  ExpectRepeated(other);
  ExpectUnknown(mad[5]);
  ExpectUnknown(Add(MakeRequestId('c', 1, mad[0].request_id().cluster_time_us())));
  ExpectCount("11", 1);
  RestartFromTheLog();
  const uint64_t leader = cluster_.AwaitLeader();
  ASSERT_NE(leader, 0u);
  EXPECT_FALSE(Write(Add(MakeRequestId('o', 2, sane + 2'000'000)), leader).repeated);
  ExpectUnknown(mad[5], leader);
  ExpectCount("12", leader);
  ExpectAllRememberAlike();
}

}  // namespace
}  // namespace quorate
