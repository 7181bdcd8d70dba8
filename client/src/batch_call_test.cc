// Batches over nodes that answer as the test says: two partitions, one led by n1 and one by n2.
#include "client/src/batch_call.h"

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "client/src/client_core.h"
#include "client/src/test_transport.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/placement/routing_key.h"

namespace quorate::client {
namespace {

using std::chrono::milliseconds;

constexpr auto kDefinitelyNotDone = kv::v1::OUTCOME_NOT_DONE;

kv::v1::GetClusterStateResponse TwoPartitions() {
  kv::v1::GetClusterStateResponse state;
  state.set_cluster_id("c1");
  state.set_epoch(3);
  state.set_cluster_time_us(1'000'000);
  for (uint64_t id = 1; id <= 2; ++id) {
    auto* node = state.add_nodes();
    node->set_node_id(id);
    node->set_address("n" + std::to_string(id));
  }
  auto* keyspace = state.add_keyspaces();
  keyspace->set_name("orders");
  for (uint64_t i = 0; i < 2; ++i) {
    auto* partition = keyspace->add_partitions();
    partition->set_partition(static_cast<uint32_t>(i));
    partition->set_group_id(10 + i);
    partition->set_epoch(7);
    partition->add_replicas()->set_node_id(1 + i);  // the wanted leader first
    partition->add_replicas()->set_node_id(2 - i);
  }
  return state;
}

// A key of the partition; another for each `number`.
std::string Key(uint32_t partition, int number = 0) {
  for (int i = 0;; ++i) {
    std::string key = "key" + std::to_string(i);
    if (PartitionOfKey(key, RoutingRule::kTag, 2) == partition && number-- == 0) {
      return key;
    }
  }
}

const std::string& KeyOf(const kv::v1::BatchOperation& operation) {
  return operation.has_put()         ? operation.put().key()
         : operation.has_delete_()   ? operation.delete_().key()
         : operation.has_increment() ? operation.increment().key()
                                     : operation.get().key();
}

using BatchAnswer = Behaviour<kv::v1::BatchResponse>;

kv::v1::BatchResult Refusal(kv::v1::Reason reason, kv::v1::Outcome outcome = kDefinitelyNotDone) {
  const absl::Status status = MakeError(reason, outcome, "refused");
  kv::v1::BatchResult result;
  result.set_code(static_cast<int>(status.code()));
  result.set_message("refused");
  *result.mutable_error() = *DetailOf(status);
  return result;
}

class BatchCallTest : public testing::Test {
 protected:
  // How a node answers one operation; unset: it is done.
  using OneAnswer = std::function<std::optional<kv::v1::BatchResult>(const std::string& address,
                                                                     const std::string& key)>;

  BatchCallTest() {
    transport_.state = [](const std::string&, const kv::v1::GetClusterStateRequest&) {
      return Behaviour<kv::v1::GetClusterStateResponse>{.answer = TwoPartitions()};
    };
    AnswerEach([](const auto&, const auto&) { return std::nullopt; });
    ClientCoreOptions options;
    options.endpoints = {"n1", "n2"};
    options.transport = &transport_;
    options.clock = &time_;
    options.executor = &time_;
    options.seed = 1;
    core_ = std::make_unique<ClientCore>(options);
  }

  void AnswerEach(OneAnswer one) {
    one_ = std::move(one);
    Listen();
  }
  void Listen() {
    transport_.batch = [this](const std::string& address, const kv::v1::BatchRequest& request) {
      return BatchAnswer{.answer = ResponseTo(address, request)};
    };
  }
  kv::v1::BatchResponse ResponseTo(const std::string& address,
                                   const kv::v1::BatchRequest& request) {
    kv::v1::BatchResponse response;
    response.mutable_header()->mutable_receipt()->set_node_id(address == "n1" ? 1 : 2);
    for (const auto& operation : request.operations()) {
      auto result = one_(address, KeyOf(operation));
      if (!result) {
        result.emplace();
        result->set_version(std::string(16, 'v'));
        if (operation.has_increment()) result->set_number(operation.increment().delta() * 2);
        if (operation.has_get()) result->set_value("value of " + KeyOf(operation));
      }
      *response.add_results() = *std::move(result);
    }
    return response;
  }
  BatchResult Run(const BatchOperations& operations, const BatchOptions& options = {}) {
    std::optional<BatchResult> result;
    core_->Batch("orders", operations, options, [&](BatchResult r) { result = std::move(r); });
    EXPECT_TRUE(time_.RunUntil([&] { return result.has_value(); }));
    EXPECT_EQ(result->operations.size(), operations.all().size());
    return *std::move(result);
  }

  VirtualTime time_;
  TestTransport transport_{&time_};
  OneAnswer one_;
  std::unique_ptr<ClientCore> core_;
};

TEST_F(BatchCallTest, OneRequestToEachLeaderAndResultsInOrder) {
  const BatchResult result = Run(BatchOperations()
                                     .Put(Key(0), "a")
                                     .Get(Key(1))
                                     .Delete(Key(0, 1))
                                     .Put(Key(1, 1), "b", Condition::IfAbsent()));
  EXPECT_TRUE(result.ok()) << result.status;
  ASSERT_EQ(transport_.batches.size(), 2u);
  EXPECT_EQ(transport_.batches[0].address, "n1");
  EXPECT_EQ(transport_.batches[1].address, "n2");
  const auto& second = transport_.batches[1].request;
  EXPECT_TRUE(second.operations(1).put().condition().if_absent());
  EXPECT_EQ(second.header().placement_epoch(), 7u);
  EXPECT_EQ(result.operations[1].value, "value of " + Key(1));
  EXPECT_EQ(result.operations[1].receipt.node_id, 2u);
  // Every write has an id of its own, told so that it can be repeated.
  EXPECT_FALSE(result.operations[1].request_id.has_value());
  EXPECT_EQ(second.operations(1).sequence(), result.operations[3].request_id->sequence);
  EXPECT_NE(result.operations[0].request_id->sequence, result.operations[3].request_id->sequence);
  EXPECT_EQ(result.operations[0].attempts, 1);
}

TEST_F(BatchCallTest, PartitionsLedByOneNodeShareARequest) {
  AnswerEach([](const std::string& address, const std::string&) {
    return address == "n2" ? std::nullopt : std::optional(Refusal(kv::v1::REASON_NOT_LEADER));
  });
  BatchOperations operations;
  operations.Put(Key(0), "a").Put(Key(1), "b");
  EXPECT_TRUE(Run(operations).ok());
  EXPECT_EQ(transport_.batches.size(), 3u);
  EXPECT_TRUE(Run(operations).ok());
  ASSERT_EQ(transport_.batches.size(), 4u) << "the leader is known now";
  EXPECT_EQ(transport_.batches[3].request.operations_size(), 2);
}

TEST_F(BatchCallTest, OnlyWhatIsLeftIsRepeatedInOrderUnderTheSameIds) {
  std::set<std::string> refused = {Key(0, 1), Key(0, 2)};
  AnswerEach([&](const std::string&, const std::string& key) {
    return refused.erase(key) > 0
               ? std::optional(Refusal(kv::v1::REASON_LEADER_LOST, kv::v1::OUTCOME_UNKNOWN))
               : std::nullopt;
  });
  const BatchResult result =
      Run(BatchOperations().Put(Key(0), "a").Put(Key(0, 1), "b").Put(Key(0, 2), "c"));
  EXPECT_TRUE(result.ok());
  ASSERT_EQ(transport_.batches.size(), 2u);
  const auto& first = transport_.batches[0].request;
  const auto& second = transport_.batches[1].request;
  ASSERT_EQ(second.operations_size(), 2);
  EXPECT_EQ(second.operations(0).put().key(), Key(0, 1));
  EXPECT_EQ(second.operations(0).sequence(), first.operations(1).sequence());
  EXPECT_EQ(second.operations(1).sequence(), first.operations(2).sequence());
  EXPECT_EQ(second.header().request_id().cluster_time_us(),
            first.header().request_id().cluster_time_us());
  EXPECT_EQ(result.operations[0].attempts, 1);
  EXPECT_EQ(result.operations[1].attempts, 2);
}

TEST_F(BatchCallTest, OutcomesAreTheOperationsOwn) {
  AnswerEach([&](const std::string&, const std::string& key) -> std::optional<kv::v1::BatchResult> {
    if (key == Key(0)) return Refusal(kv::v1::REASON_CONDITION_FALSE);
    if (key == Key(0, 1)) return Refusal(kv::v1::REASON_LEADER_LOST, kv::v1::OUTCOME_UNKNOWN);
    if (key == Key(0, 2)) return Refusal(kv::v1::REASON_LEADER_LOST);
    if (key == Key(1)) return Refusal(kv::v1::REASON_KEY_NOT_FOUND);
    return std::nullopt;
  });
  const BatchResult result = Run(BatchOperations()
                                     .Put(Key(0), "a")
                                     .Put(Key(0, 1), "b")
                                     .Put(Key(0, 2), "c")
                                     .Get(Key(1))
                                     .Put(Key(1, 1), "d"),
                                 {.timeout = milliseconds(300)});
  EXPECT_EQ(result.outcome, Outcome::kUnknown) << "the worst";
  EXPECT_EQ(result.operations[0].reason, Reason::kConditionFalse);
  EXPECT_EQ(result.operations[0].outcome, Outcome::kNotDone);
  EXPECT_EQ(result.operations[1].outcome, Outcome::kUnknown);
  EXPECT_EQ(result.operations[2].outcome, Outcome::kNotDone) << "every attempt said so";
  EXPECT_EQ(result.operations[3].reason, Reason::kKeyNotFound);
  EXPECT_TRUE(result.operations[4].ok());
}

TEST_F(BatchCallTest, AnUnansweredRequestLeavesItsWritesUnknownAndItsGetsNotDone) {
  transport_.batch = [](const std::string&, const kv::v1::BatchRequest&) {
    return BatchAnswer{.silent = true};
  };
  const BatchResult result =
      Run(BatchOperations().Put(Key(0), "a").Get(Key(0, 1)), {.timeout = milliseconds(300)});
  EXPECT_EQ(result.operations[0].outcome, Outcome::kUnknown);
  EXPECT_EQ(result.operations[1].outcome, Outcome::kNotDone);
}

TEST_F(BatchCallTest, RefusalOfARepeatLeavesAnUnknownOutcomeUnknown) {
  int requests = 0;
  transport_.batch = [&](const std::string& address, const kv::v1::BatchRequest& request) {
    one_ = [](const auto&, const auto&) {
      return Refusal(kv::v1::REASON_REQUEST_ID_EXPIRED, kv::v1::OUTCOME_UNKNOWN);
    };
    return ++requests == 1 ? BatchAnswer{.silent = true}
                           : BatchAnswer{.answer = ResponseTo(address, request)};
  };
  const BatchResult result = Run(BatchOperations().Put(Key(0), "a"));
  EXPECT_EQ(result.outcome, Outcome::kUnknown);
  EXPECT_EQ(result.reason, Reason::kRequestIdExpired);
}

TEST_F(BatchCallTest, AnIdThatWasNeverUsedIsRenewedWhenExpired) {
  int requests = 0;
  transport_.batch = [&](const std::string& address, const kv::v1::BatchRequest& request) {
    const bool expired = ++requests == 1;
    one_ = [expired](const auto&, const auto&) {
      return expired ? std::optional(
                           Refusal(kv::v1::REASON_REQUEST_ID_EXPIRED, kv::v1::OUTCOME_UNKNOWN))
                     : std::nullopt;
    };
    return BatchAnswer{.answer = ResponseTo(address, request)};
  };
  EXPECT_TRUE(Run(BatchOperations().Put(Key(0), "a").Put(Key(0, 1), "b")).ok());
  ASSERT_EQ(transport_.batches.size(), 2u);
  std::set<uint64_t> sequences;
  for (const auto& sent : transport_.batches) {
    for (const auto& operation : sent.request.operations()) sequences.insert(operation.sequence());
  }
  EXPECT_EQ(sequences.size(), 4u);
}

TEST_F(BatchCallTest, ValuesThatDidNotFitAreAskedForAtOnce) {
  transport_.batch = [&](const std::string& address, const kv::v1::BatchRequest& request) {
    one_ = [&](const auto&, const std::string& key) {
      return key == KeyOf(request.operations(0))
                 ? std::nullopt
                 : std::optional(Refusal(kv::v1::REASON_ANSWER_TOO_LARGE));
    };
    return BatchAnswer{.answer = ResponseTo(address, request)};
  };
  const MonotonicTime began = time_.Now();
  BatchOperations operations;
  for (int i = 0; i < 5; ++i) operations.Get(Key(0, i));
  const BatchResult result = Run(operations);
  EXPECT_TRUE(result.ok()) << result.status;
  EXPECT_EQ(transport_.batches.size(), 5u);
  EXPECT_LE(time_.Now() - began, milliseconds(7)) << "no pauses";
}

TEST_F(BatchCallTest, AtomicIsOneRequestUnderOneId) {
  int requests = 0;
  transport_.batch = [&](const std::string& address, const kv::v1::BatchRequest& request) {
    return ++requests == 1 ? BatchAnswer{.answer = MakeError(kv::v1::REASON_LEADER_LOST,
                                                             kv::v1::OUTCOME_UNKNOWN, "lost")}
                           : BatchAnswer{.answer = ResponseTo(address, request)};
  };
  const BatchResult result = Run(BatchOperations().Put("a{t}", "1").Get("b{t}"), {.atomic = true});
  EXPECT_TRUE(result.ok()) << result.status;
  ASSERT_EQ(transport_.batches.size(), 2u);
  EXPECT_TRUE(transport_.batches[0].request.atomic());
  EXPECT_EQ(transport_.batches[0].request.header().request_id().SerializeAsString(),
            transport_.batches[1].request.header().request_id().SerializeAsString());
  EXPECT_EQ(transport_.batches[0].request.operations(0).sequence(), 0u);
  EXPECT_EQ(result.request_id->sequence,
            transport_.batches[0].request.header().request_id().sequence());
  EXPECT_EQ(result.operations[1].value, "value of b{t}");
}

TEST_F(BatchCallTest, AtomicWithAFalseConditionIsNotDone) {
  AnswerEach([](const std::string&, const std::string& key) {
    return Refusal(key == "b{t}" ? kv::v1::REASON_CONDITION_FALSE
                                 : kv::v1::REASON_BATCH_NOT_APPLIED);
  });
  const BatchResult result = Run(
      BatchOperations().Put("a{t}", "1").Put("b{t}", "1", Condition::IfAbsent()), {.atomic = true});
  EXPECT_EQ(result.outcome, Outcome::kNotDone);
  EXPECT_EQ(result.reason, Reason::kConditionFalse);
  EXPECT_EQ(ReasonOf(result.status), kv::v1::REASON_CONDITION_FALSE);
  EXPECT_EQ(result.operations[0].outcome, Outcome::kNotDone);
}

TEST_F(BatchCallTest, IncrementsAreNamedWritesThatAnswerTheSum) {
  const std::string key = Key(0);
  const BatchResult done = Run(BatchOperations().Increment(key, -7).Increment(key));
  EXPECT_TRUE(done.ok()) << done.status;
  EXPECT_EQ(done.operations[0].number, -14);
  EXPECT_EQ(done.operations[1].number, 2) << "one more when not said otherwise";
  EXPECT_EQ(done.operations[1].request_id->sequence, done.operations[0].request_id->sequence + 1);
  AnswerEach([](const std::string&, const std::string& of) {
    return Refusal(of == "b{t}" ? kv::v1::REASON_NOT_A_NUMBER : kv::v1::REASON_BATCH_NOT_APPLIED);
  });
  const BatchResult refused =
      Run(BatchOperations().Put("a{t}", "1").Increment("b{t}", 1), {.atomic = true});
  EXPECT_EQ(refused.outcome, Outcome::kNotDone);
  EXPECT_EQ(refused.reason, Reason::kNotANumber);
}

TEST_F(BatchCallTest, AtomicUnknownIsUnknownForEveryOperation) {
  transport_.batch = [](const std::string&, const kv::v1::BatchRequest&) {
    return BatchAnswer{.silent = true};
  };
  const BatchResult result = Run(BatchOperations().Put("a{t}", "1").Put("b{t}", "2"),
                                 {.timeout = milliseconds(300), .atomic = true});
  EXPECT_EQ(result.outcome, Outcome::kUnknown);
  EXPECT_EQ(result.operations[1].outcome, Outcome::kUnknown);
  EXPECT_TRUE(result.request_id.has_value());
}

TEST_F(BatchCallTest, WhatCannotFitIsRefusedWithoutARequest) {
  EXPECT_EQ(Run(BatchOperations()).reason, Reason::kInvalidArgument);
  EXPECT_EQ(Run(BatchOperations().Put("k", std::string(kBatchBytesMax, 'x'))).reason,
            Reason::kInvalidArgument);
  EXPECT_EQ(Run(BatchOperations().Get("")).operations[0].reason, Reason::kInvalidArgument);
  EXPECT_TRUE(transport_.batches.empty());
}

}  // namespace
}  // namespace quorate::client
