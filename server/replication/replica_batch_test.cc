// Batches through whole hosts on virtual time: what is applied, remembered and answered.
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/error_detail.h"
#include "server/replication/raft_groups/replica_state.h"
#include "server/replication/testing/test_cluster.h"

namespace quorate {
namespace {

using internal::v1::AppliedResult;
using internal::v1::Command;
using testing::MakeRequestId;
using testing::TestCluster;

// Builds a batch command, step by step.
class Steps {
 public:
  explicit Steps(bool atomic) { command_.mutable_batch()->set_atomic(atomic); }

  // The id of the whole, or what all steps' ids share.
  Steps& Id(const kv::v1::RequestId& id) {
    *command_.mutable_request_id() = id;
    return *this;
  }
  Steps& Put(const std::string& key, const std::string& value, uint64_t sequence = 0) {
    auto* const step = Next(sequence);
    step->mutable_put()->set_key(key);
    step->mutable_put()->set_value(value);
    condition_ = step->mutable_put()->mutable_condition();
    return *this;
  }
  Steps& Delete(const std::string& key, uint64_t sequence = 0) {
    auto* const step = Next(sequence);
    step->mutable_delete_()->set_key(key);
    condition_ = step->mutable_delete_()->mutable_condition();
    return *this;
  }
  Steps& Increment(const std::string& key, int64_t delta, uint64_t sequence = 0) {
    auto* const step = Next(sequence);
    step->mutable_increment()->set_key(key);
    step->mutable_increment()->set_delta(delta);
    return *this;
  }
  Steps& Get(const std::string& key) {
    Next(0)->set_get(key);
    return *this;
  }
  // Of the last put or delete.
  Steps& IfAbsent() {
    condition_->set_if_absent(true);
    return *this;
  }
  Steps& IfVersion(const std::string& version) {
    condition_->set_if_version(version);
    return *this;
  }
  [[nodiscard]] const Command& command() const { return command_; }

 private:
  internal::v1::BatchStep* Next(uint64_t sequence) {
    auto* const step = command_.mutable_batch()->add_steps();
    step->set_sequence(sequence);
    return step;
  }

  Command command_;
  kv::v1::Condition* condition_ = nullptr;
};

class ReplicaBatchTest : public ::testing::Test {
 protected:
  explicit ReplicaBatchTest(size_t nodes = 1, const ReplicaHost::Options& options = {})
      : cluster_(nodes, options) {
    cluster_.Begin();
  }

  WriteAnswer Write(const Steps& steps, uint64_t node = 1) {
    const auto answer = cluster_.Await(cluster_.Write(node, steps.command()));
    EXPECT_TRUE(answer.ok()) << answer.status();
    return answer.value_or(WriteAnswer());
  }
  std::string ValueOf(const std::string& key, uint64_t node = 1) {
    const auto read = cluster_.Await(cluster_.Get(node, key));
    EXPECT_TRUE(read.ok()) << read.status();
    return read.ok() && read->found ? read->value : "(absent)";
  }
  std::string Version(const std::string& key) {
    return cluster_.Await(cluster_.Get(1, key))->version;
  }
  void Put(const std::string& key, const std::string& value) {
    ASSERT_TRUE(cluster_.Await(cluster_.Put(1, {.key = key, .value = value})).ok());
  }
  kv::v1::RequestId NewId(uint64_t sequence) {
    return MakeRequestId('c', sequence, cluster_.node(1).host->ClusterTimeMicros());
  }

  TestCluster cluster_;
};

TEST_F(ReplicaBatchTest, StepsAreWritesOfTheirOwnInOneEntry) {
  Put("taken", "old");
  const uint64_t before = cluster_.Status(1, false)[0].applied_index();
  const WriteAnswer answer = Write(Steps(false)
                                       .Put("a", "1")
                                       .Put("taken", "new")
                                       .IfAbsent()
                                       .Put("a", "2")
                                       .Delete("a")
                                       .Delete("never")
                                       .Put("a", "3")
                                       .IfAbsent());
  EXPECT_EQ(cluster_.Status(1, false)[0].applied_index(), before + 1);
  const auto& steps = answer.result.steps();
  ASSERT_EQ(steps.size(), 6);
  EXPECT_TRUE(steps[1].condition_false()) << "and the others are applied all the same";
  EXPECT_EQ(steps[1].version(), Version("taken"));
  EXPECT_TRUE(steps[3].existed()) << "a step sees those before it";
  EXPECT_FALSE(steps[4].existed());
  EXPECT_FALSE(steps[5].condition_false());
  EXPECT_EQ(ValueOf("a"), "3");
  EXPECT_EQ(ValueOf("taken"), "old");
  EXPECT_LT(steps[0].version(), steps[2].version()) << "versions of one key grow";
  EXPECT_LT(steps[2].version(), steps[5].version());
  Put("a", "4");
  EXPECT_LT(steps[5].version(), Version("a")) << "also those after the batch";
}

TEST_F(ReplicaBatchTest, EachStepIsRememberedByItsOwnId) {
  const kv::v1::RequestId id = NewId(0);
  const WriteAnswer first = Write(Steps(false).Id(id).Put("a", "1", 7).Put("b", "1", 8));
  Put("a", "another's");
  // What is repeated comes in another company, and as a single put too.
  const WriteAnswer again = Write(Steps(false).Id(id).Put("c", "1", 9).Put("a", "1", 7));
  EXPECT_FALSE(again.result.steps(0).repeated_step());
  EXPECT_TRUE(again.result.steps(1).repeated_step());
  EXPECT_EQ(again.result.steps(1).version(), first.result.steps(0).version());
  kv::v1::RequestId single = id;
  single.set_sequence(8);
  const auto put = cluster_.Await(cluster_.Put(1, {.key = "b", .value = "1", .id = single}));
  ASSERT_TRUE(put.ok());
  EXPECT_TRUE(put->repeated);
  EXPECT_EQ(put->result.version(), first.result.steps(1).version());
  EXPECT_EQ(ValueOf("a"), "another's");
  EXPECT_EQ(ValueOf("c"), "1");
}

TEST_F(ReplicaBatchTest, AtomicWritesAreJudgedTogetherAndHaveOneVersion) {
  Put("a", "0");
  const std::string version = Version("a");
  const WriteAnswer answer = Write(Steps(true)
                                       .Put("a", "1")
                                       .IfVersion(version)
                                       .Put("b", "1")
                                       .IfAbsent()
                                       .Delete("c")
                                       .Get("a")
                                       .Get("b"));
  const AppliedResult& result = answer.result;
  ASSERT_EQ(result.steps_size(), 5);
  EXPECT_EQ(result.steps(0).version(), result.version());
  EXPECT_EQ(result.steps(1).version(), result.version());
  EXPECT_FALSE(result.steps(2).existed());
  EXPECT_EQ(result.steps(3).value(), "0") << "gets see the state before";
  EXPECT_EQ(result.steps(3).version(), version);
  EXPECT_FALSE(result.steps(4).has_value());
  EXPECT_GT(Version("a"), version);
  EXPECT_EQ(Version("a"), Version("b"));
}

TEST_F(ReplicaBatchTest, OneFalseConditionAppliesNothing) {
  Put("b", "old");
  const WriteAnswer answer =
      Write(Steps(true).Put("a", "1").Put("b", "1").IfAbsent().Delete("b").Get("b"));
  const AppliedResult& result = answer.result;
  ASSERT_EQ(result.steps_size(), 4);
  EXPECT_TRUE(result.condition_false());
  EXPECT_TRUE(result.steps(0).not_applied());
  EXPECT_TRUE(result.steps(1).condition_false());
  EXPECT_EQ(result.steps(1).version(), Version("b"));
  EXPECT_TRUE(result.steps(2).not_applied());
  EXPECT_TRUE(result.steps(3).not_applied());
  EXPECT_EQ(ValueOf("a"), "(absent)");
  EXPECT_EQ(ValueOf("b"), "old");
}

TEST_F(ReplicaBatchTest, IncrementsSeeTheStepsBeforeThem) {
  Put("n", "5");
  const auto waiting = cluster_.Put(1, {.key = "n", .value = "10"});  // not yet applied
  const AppliedResult result = Write(Steps(false)
                                         .Increment("n", 1)
                                         .Increment("n", 2)
                                         .Put("n", "x")
                                         .Increment("n", 3)
                                         .Delete("n")
                                         .Increment("n", -4)
                                         .Put("n", "100")
                                         .Increment("n", 1)
                                         .Increment("new", 7))
                                   .result;
  ASSERT_TRUE(cluster_.Await(waiting).ok());
  ASSERT_EQ(result.steps_size(), 9);
  EXPECT_EQ(result.steps(0).number(), 11);
  EXPECT_EQ(result.steps(1).number(), 13);
  EXPECT_TRUE(result.steps(3).not_a_number());
  EXPECT_EQ(result.steps(3).version(), result.steps(2).version());
  EXPECT_TRUE(result.steps(4).existed()) << "the refused increment left it";
  EXPECT_EQ(result.steps(5).number(), -4) << "absent is 0";
  EXPECT_EQ(result.steps(7).number(), 101);
  EXPECT_EQ(ValueOf("n"), "101");
  EXPECT_EQ(Version("n"), result.steps(7).version());
  EXPECT_EQ(ValueOf("new"), "7");
}

TEST_F(ReplicaBatchTest, AtomicIncrementsAddToTheStateBeforeAndAreJudgedWithTheRest) {
  Put("n", "5");
  Put("text", "x");
  Put("most", std::to_string(std::numeric_limits<int64_t>::max()));
  const AppliedResult done =
      Write(Steps(true).Get("n").Increment("n", -6).Put("p", "1").Increment("new", 2)).result;
  EXPECT_EQ(done.steps(0).value(), "5");
  EXPECT_EQ(done.steps(1).number(), -1);
  EXPECT_EQ(done.steps(1).version(), done.version());
  EXPECT_EQ(done.steps(3).number(), 2);
  const AppliedResult refused = Write(Steps(true)
                                          .Increment("n", 1)
                                          .Increment("text", 1)
                                          .Increment("most", 1)
                                          .Put("p", "2")
                                          .IfAbsent())
                                    .result;
  EXPECT_TRUE(refused.steps(0).not_applied());
  EXPECT_TRUE(refused.steps(1).not_a_number() && refused.steps(2).number_overflow());
  EXPECT_TRUE(refused.steps(3).condition_false());
  EXPECT_TRUE(refused.version().empty());
  const AppliedResult text_only = Write(Steps(true).Put("p", "3").Increment("text", 1)).result;
  EXPECT_TRUE(text_only.steps(0).not_applied() && text_only.steps(1).not_a_number());
  EXPECT_EQ(ValueOf("n"), "-1");
  EXPECT_EQ(ValueOf("p"), "1");
}

TEST_F(ReplicaBatchTest, AtomicGetsSeeWhatWaitsInTheSameTurn) {
  // All are proposed before any is applied.
  const auto put = cluster_.Put(1, {.key = "a", .value = "1"});
  const auto first = cluster_.Write(1, Steps(true).Get("a").Put("a", "2").command());
  const auto second = cluster_.Write(1, Steps(true).Get("a").Put("a", "3").command());
  ASSERT_TRUE(cluster_.Await(put).ok());
  EXPECT_EQ(cluster_.Await(first)->result.steps(0).value(), "1");
  EXPECT_EQ(cluster_.Await(second)->result.steps(0).value(), "2");
}

TEST_F(ReplicaBatchTest, AnAtomicBatchThatReadsTooMuchAppliesNothingAndStaysSo) {
  Put("big", std::string(ReplicaState::kAtomicReadBytesMax, 'x'));
  Put("small", "x");
  const kv::v1::RequestId id = NewId(1);
  const Steps steps = Steps(true).Id(id).Get("big").Get("small").Put("a", "1");
  EXPECT_TRUE(Write(steps).result.answer_too_large());
  EXPECT_EQ(ValueOf("a"), "(absent)");
  Put("big", "small now");
  const WriteAnswer again = Write(steps);
  EXPECT_TRUE(again.repeated && again.result.answer_too_large());
  EXPECT_EQ(ValueOf("a"), "(absent)") << "not done is for ever";
  EXPECT_FALSE(Write(Steps(true).Get("big").Get("small").Put("a", "1")).result.answer_too_large());
}

TEST_F(ReplicaBatchTest, ManyKeysAreReadAsFarAsTheBytesAdmit) {
  Put("a", "12345");
  Put("b", "12345");
  const auto all = cluster_.Await(cluster_.GetMany(1, {"a", "none", "b"}));
  ASSERT_TRUE(all.ok());
  ASSERT_EQ(all->size(), 3u);
  EXPECT_EQ((*all)[2].value, "12345");
  EXPECT_FALSE((*all)[1].found);
  EXPECT_EQ(cluster_.Await(cluster_.GetMany(1, {"a", "none", "b"}, 9))->size(), 2u);
  EXPECT_EQ(cluster_.Await(cluster_.GetMany(1, {"a", "b"}, 1))->size(), 1u) << "one always fits";
}

TEST_F(ReplicaBatchTest, BatchOfAnUnknownKindQuarantines) {
  Command command;
  command.mutable_batch()->add_steps()->set_position(1);
  EXPECT_FALSE(cluster_.Await(cluster_.Write(1, command)).ok());
  EXPECT_THAT(cluster_.Status(1, false)[0].fault(), ::testing::HasSubstr("no body"));
}

class ReplicaBatchBoundsTest : public ReplicaBatchTest {
 protected:
  ReplicaBatchBoundsTest()
      : ReplicaBatchTest(1, {.request_rows_max = 100, .request_answer_bytes_max = 1000}) {}
};

TEST_F(ReplicaBatchBoundsTest, WhatWasForgottenForItsBytesIsUnknownNotReapplied) {
  Put("value", std::string(400, 'x'));
  const uint64_t time = cluster_.node(1).host->ClusterTimeMicros();
  const auto batch = [&](uint64_t sequence) {
    return Steps(true)
        .Id(MakeRequestId('c', sequence, time + sequence))
        .Get("value")
        .Put("a", std::to_string(sequence));
  };
  for (uint64_t sequence = 1; sequence <= 3; ++sequence) {
    Write(batch(sequence));
  }
  const auto kept = Write(batch(3));
  EXPECT_TRUE(kept.repeated);
  EXPECT_EQ(kept.result.steps(0).value().size(), 400u) << "a repeat gets the values again";
  const auto expired = cluster_.Await(cluster_.Write(1, batch(1).command()));
  EXPECT_EQ(ReasonOf(expired.status()), kv::v1::REASON_REQUEST_ID_EXPIRED);
  EXPECT_EQ(OutcomeOf(expired.status()), kv::v1::OUTCOME_UNKNOWN);
  const WriteAnswer step =
      Write(Steps(false).Id(MakeRequestId('c', 0, time + 1)).Put("a", "late", 99));
  EXPECT_TRUE(step.result.steps(0).expired_step());
  EXPECT_EQ(ValueOf("a"), "3");
}

class ThreeReplicasBatchTest : public ReplicaBatchTest {
 protected:
  ThreeReplicasBatchTest() : ReplicaBatchTest(3) {}
};

TEST_F(ThreeReplicasBatchTest, RepeatsGetTheFirstAnswersAcrossLeaderChangeAndReplicasAgree) {
  Put("a", "0");
  const Steps atomic = Steps(true).Id(NewId(1)).Get("a").Put("a", "1").Delete("b");
  const Steps steps = Steps(false).Id(NewId(0)).Put("c", "1", 5).Delete("a", 6);
  const WriteAnswer first = Write(atomic);
  const WriteAnswer first_steps = Write(steps);
  ASSERT_TRUE(cluster_.AwaitConvergence());
  EXPECT_EQ(cluster_.Status(2, true)[0].checksum(), cluster_.Status(1, true)[0].checksum());
  cluster_.node(1).Stop();
  const uint64_t successor = cluster_.AwaitLeader(1);
  ASSERT_NE(successor, 0u);
  const WriteAnswer again = Write(atomic, successor);
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(again.result.SerializeAsString(), first.result.SerializeAsString());
  const WriteAnswer again_steps = Write(steps, successor);
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(again_steps.result.steps(i).repeated_step());
    EXPECT_EQ(again_steps.result.steps(i).version(), first_steps.result.steps(i).version());
  }
  EXPECT_EQ(ValueOf("a", successor), "(absent)");
}

TEST_F(ReplicaBatchTest, RestartRecoversWhatBatchesAnswered) {
  Put("a", "0");
  const Steps atomic = Steps(true).Id(NewId(1)).Get("a").Put("a", "1");
  const Steps steps = Steps(false).Id(NewId(0)).Put("c", "1", 5).Put("c", "2", 6);
  const WriteAnswer first = Write(atomic);
  Write(steps);
  for (const bool lost : {false, true}) {
    cluster_.node(1).Stop();
    if (lost) {
      cluster_.node(1).LoseData();  // all comes from the log again
    }
    cluster_.node(1).Start();
    ASSERT_EQ(cluster_.AwaitLeader(), 1u);
    EXPECT_EQ(Write(atomic).result.SerializeAsString(), first.result.SerializeAsString());
    EXPECT_TRUE(Write(steps).result.steps(0).repeated_step());
    EXPECT_EQ(ValueOf("c"), "2");
  }
}

}  // namespace
}  // namespace quorate
