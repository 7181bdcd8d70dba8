// Increments through whole hosts on virtual time: what is applied, remembered and answered.
#include <limits>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/error_detail.h"
#include "server/replication/testing/test_cluster.h"

namespace quorate {
namespace {

using internal::v1::AppliedResult;
using internal::v1::Command;
using testing::MakeRequestId;
using testing::TestCluster;

class ReplicaIncrementTest : public ::testing::Test {
 protected:
  explicit ReplicaIncrementTest(size_t nodes = 1, const ReplicaHost::Options& options = {})
      : cluster_(nodes, options) {
    cluster_.Begin();
  }

  static Command CommandOf(const std::string& key, int64_t delta) {
    Command command;
    command.mutable_increment()->set_key(key);
    command.mutable_increment()->set_delta(delta);
    return command;
  }
  static Command Named(Command command, const kv::v1::RequestId& id) {
    *command.mutable_request_id() = id;
    return command;
  }
  WriteAnswer Write(const Command& command, uint64_t node = 1) {
    const auto answer = cluster_.Await(cluster_.Write(node, command));
    EXPECT_TRUE(answer.ok()) << answer.status();
    return answer.value_or(WriteAnswer());
  }
  AppliedResult Add(const std::string& key, int64_t delta) {
    return Write(CommandOf(key, delta)).result;
  }
  void Put(const std::string& key, const std::string& value) {
    ASSERT_TRUE(cluster_.Await(cluster_.Put(1, {.key = key, .value = value})).ok());
  }
  std::string ValueOf(const std::string& key, uint64_t node = 1) {
    const auto read = cluster_.Await(cluster_.Get(node, key));
    EXPECT_TRUE(read.ok()) << read.status();
    return read.ok() && read->found ? read->value : "(absent)";
  }
  kv::v1::RequestId NewId(uint64_t sequence) {
    return MakeRequestId('c', sequence, cluster_.node(1).host->ClusterTimeMicros());
  }

  TestCluster cluster_;
};

TEST_F(ReplicaIncrementTest, AddsToTheDecimalTextOfANumber) {
  EXPECT_EQ(Add("n", 5).number(), 5) << "absent is 0";
  EXPECT_EQ(Add("n", -7).number(), -2);
  EXPECT_EQ(ValueOf("n"), "-2");
  Put("n", "9223372036854775806");
  const AppliedResult most = Add("n", 1);
  EXPECT_EQ(most.number(), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(cluster_.Await(cluster_.Get(1, "n"))->version, most.version());
  Put("n", "-9223372036854775808");
  EXPECT_EQ(Add("n", 0).number(), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(Add("zero", 0).number(), 0);
  EXPECT_EQ(ValueOf("zero"), "0");
}

TEST_F(ReplicaIncrementTest, WhatIsNoNumberStaysAsItIs) {
  for (const std::string text : {"", "x", " 1", "1 ", "+1", "01", "-0", "1.5", "0x1", "--1",
                                 "9223372036854775808", "-9223372036854775809"}) {
    Put("n", text);
    const AppliedResult refused = Add("n", 1);
    EXPECT_TRUE(refused.not_a_number()) << text;
    EXPECT_FALSE(refused.number_overflow() || refused.has_number()) << text;
    EXPECT_EQ(refused.version(), cluster_.Await(cluster_.Get(1, "n"))->version) << text;
    EXPECT_EQ(ValueOf("n"), text);
  }
}

TEST_F(ReplicaIncrementTest, ASumOutOfRangeChangesNothing) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  for (const auto& [text, delta] : {std::pair<std::string, int64_t>{"1", kMax},
                                    {"-1", kMin},
                                    {std::to_string(kMax), 1},
                                    {std::to_string(kMin), kMin}}) {
    Put("n", text);
    EXPECT_TRUE(Add("n", delta).number_overflow()) << text;
    EXPECT_EQ(ValueOf("n"), text);
  }
  Put("n", "-1");
  EXPECT_EQ(Add("n", kMax).number(), kMax - 1) << "the sum counts, not its parts";
}

TEST_F(ReplicaIncrementTest, SeesWhatWaitsInTheSameTurn) {
  // All are proposed before any is applied.
  const auto put = cluster_.Put(1, {.key = "n", .value = "10"});
  const auto first = cluster_.Write(1, CommandOf("n", 1));
  const auto gone = cluster_.Delete(1, "n");
  const auto second = cluster_.Write(1, CommandOf("n", 2));
  const auto third = cluster_.Write(1, CommandOf("n", 3));
  ASSERT_TRUE(cluster_.Await(put).ok());
  EXPECT_EQ(cluster_.Await(first)->result.number(), 11);
  EXPECT_EQ(cluster_.Await(second)->result.number(), 2);
  EXPECT_EQ(cluster_.Await(third)->result.number(), 5);
}

TEST_F(ReplicaIncrementTest, ARefusalIsRememberedAsTheFirstAnswer) {
  Put("n", "x");
  const Command named = Named(CommandOf("n", 1), NewId(1));
  EXPECT_TRUE(Write(named).result.not_a_number());
  Put("n", "1");
  const WriteAnswer again = Write(named);
  EXPECT_TRUE(again.repeated && again.result.not_a_number()) << "not done is for ever";
  EXPECT_EQ(ValueOf("n"), "1");
}

class ThreeReplicasIncrementTest : public ReplicaIncrementTest {
 protected:
  ThreeReplicasIncrementTest() : ReplicaIncrementTest(3) {}
};

// The same leader, its data lost and replayed from the log, and another leader.
TEST_F(ThreeReplicasIncrementTest, retry_applied_once) {
  const Command named = Named(CommandOf("n", 5), NewId(1));
  const WriteAnswer first = Write(named);
  EXPECT_EQ(first.result.number(), 5);
  Write(CommandOf("n", 100));
  const auto expect_first = [&](uint64_t node) {
    const WriteAnswer again = Write(named, node);
    EXPECT_TRUE(again.repeated);
    EXPECT_EQ(again.result.SerializeAsString(), first.result.SerializeAsString());
    EXPECT_EQ(ValueOf("n", node), "105");
  };
  expect_first(1);
  ASSERT_TRUE(cluster_.AwaitConvergence());
  cluster_.node(1).Stop();
  const uint64_t successor = cluster_.AwaitLeader(1);
  ASSERT_NE(successor, 0u);
  expect_first(successor);
  for (uint64_t node = 1; node <= cluster_.size(); ++node) {
    cluster_.node(node).Stop();
    cluster_.node(node).LoseData();  // all comes from the log again
    cluster_.node(node).Start();
  }
  const uint64_t leader = cluster_.AwaitLeader();
  ASSERT_NE(leader, 0u);
  expect_first(leader);
  ASSERT_TRUE(cluster_.AwaitConvergence());
  EXPECT_EQ(cluster_.Status(2, true)[0].checksum(), cluster_.Status(1, true)[0].checksum());
}

class ShortMemoryIncrementTest : public ReplicaIncrementTest {
 protected:
  ShortMemoryIncrementTest() : ReplicaIncrementTest(1, {.request_rows_max = 3}) {}
};

TEST_F(ShortMemoryIncrementTest, request_id_past_window_is_unknown_not_reapplied) {
  const uint64_t time = cluster_.node(1).host->ClusterTimeMicros();
  const auto named = [&](uint64_t sequence) {
    return Named(CommandOf("n", 1), MakeRequestId('c', sequence, time + sequence));
  };
  for (uint64_t sequence = 1; sequence <= 5; ++sequence) {
    EXPECT_EQ(Write(named(sequence)).result.number(), static_cast<int64_t>(sequence));
  }
  EXPECT_EQ(Write(named(3)).result.number(), 3) << "still remembered";
  const auto expired = cluster_.Await(cluster_.Write(1, named(2)));
  EXPECT_EQ(ReasonOf(expired.status()), kv::v1::REASON_REQUEST_ID_EXPIRED);
  EXPECT_EQ(OutcomeOf(expired.status()), kv::v1::OUTCOME_UNKNOWN);
  EXPECT_EQ(ValueOf("n"), "5");
}

}  // namespace
}  // namespace quorate
