#include "client/src/client_core.h"

#include <optional>

#include "client/src/test_transport.h"
#include "gtest/gtest.h"

namespace quorate::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kNotDone = kv::v1::OUTCOME_NOT_DONE;
constexpr uint64_t kGroup = 11;

kv::v1::GetClusterStateResponse State() {
  kv::v1::GetClusterStateResponse state;
  state.set_cluster_id("c1");
  state.set_epoch(3);
  state.set_cluster_time_us(1'000'000);
  for (uint64_t id = 1; id <= 3; ++id) {
    auto* node = state.add_nodes();
    node->set_node_id(id);
    node->set_address("n" + std::to_string(id));
  }
  auto* keyspace = state.add_keyspaces();
  keyspace->set_name("orders");
  auto* partition = keyspace->add_partitions();
  partition->set_group_id(kGroup);
  partition->set_epoch(7);
  for (uint64_t id = 1; id <= 3; ++id) {
    partition->add_replicas()->set_node_id(id);
  }
  return state;
}

absl::Status NotLeader(uint64_t leader) {
  kv::v1::ErrorDetail detail;
  detail.set_reason(kv::v1::REASON_NOT_LEADER);
  detail.set_outcome(kNotDone);
  detail.mutable_leader()->set_node_id(leader);
  return MakeError(detail, "not the leader");
}

using PutAnswer = Behaviour<kv::v1::PutResponse>;

PutAnswer Refuse(kv::v1::Reason reason, kv::v1::Outcome outcome = kNotDone) {
  return {.answer = MakeError(reason, outcome, "refused")};
}

class ClientCoreTest : public testing::Test {
 protected:
  ClientCoreTest() {
    transport_.state = [](const std::string&, const kv::v1::GetClusterStateRequest&) {
      return Behaviour<kv::v1::GetClusterStateResponse>{.answer = State()};
    };
    ClientCoreOptions options;
    options.endpoints = {"n1", "n2", "n3"};
    options.transport = &transport_;
    options.clock = &time_;
    options.executor = &time_;
    options.seed = 1;
    options.inflight_max = 2;
    options.inflight_bytes_max = 1000;
    core_ = std::make_unique<ClientCore>(options);
  }

  // Starts a put and runs until it has ended.
  WriteResult Put(const WriteOptions& options = {}) {
    std::optional<WriteResult> result;
    const MonotonicTime began = time_.Now();
    core_->Put("orders", "k", "v", options, [&](WriteResult r) { result = std::move(r); });
    EXPECT_TRUE(time_.RunUntil([&] { return result.has_value(); }));
    took_ = time_.Now() - began;
    return *std::move(result);
  }

  IncrementResult Increment(int64_t delta) {
    std::optional<IncrementResult> result;
    core_->Increment("orders", "k", delta, {}, [&](IncrementResult r) { result = std::move(r); });
    EXPECT_TRUE(time_.RunUntil([&] { return result.has_value(); }));
    return *std::move(result);
  }

  // Node `leader` takes puts, the others name it.
  void LeadBy(uint64_t leader) {
    transport_.put = [leader](const std::string& address, const kv::v1::PutRequest&) {
      return address == "n" + std::to_string(leader) ? PutAnswer{}
                                                     : PutAnswer{.answer = NotLeader(leader)};
    };
  }

  [[nodiscard]] bool AllUnderOneId() const {
    for (const auto& sent : transport_.puts) {
      if (sent.id.SerializeAsString() != transport_.puts[0].id.SerializeAsString()) {
        return false;
      }
    }
    return true;
  }

  VirtualTime time_;
  TestTransport transport_{&time_};
  std::unique_ptr<ClientCore> core_;
  Duration took_{};
};

TEST_F(ClientCoreTest, FollowsTheLeaderHintAndRemembersIt) {
  LeadBy(3);
  EXPECT_EQ(Put().attempts, 2);
  EXPECT_LE(took_, milliseconds(5)) << "no pause between a hint and the next attempt";
  EXPECT_EQ(Put().attempts, 1);
  EXPECT_EQ(transport_.puts.back().address, "n3");
  EXPECT_EQ(transport_.states.size(), 1u) << "the state is cached";
}

TEST_F(ClientCoreTest, EachWriteHasItsOwnIdWithTheClustersTime) {
  LeadBy(1);
  Put();
  Put();
  const auto& first = transport_.puts[0].id;
  const auto& second = transport_.puts[1].id;
  EXPECT_EQ(first.client_id().size(), 16u);
  EXPECT_EQ(first.client_id(), second.client_id());
  EXPECT_EQ(first.sequence() + 1, second.sequence());
  EXPECT_GE(first.cluster_time_us(), 1'000'000u);
  EXPECT_GE(second.cluster_time_us(), first.cluster_time_us());
}

TEST_F(ClientCoreTest, RepeatsAnUnansweredPutUnderItsId) {
  bool alive = false;
  transport_.put = [&](const std::string& address, const kv::v1::PutRequest&) {
    return address == "n1" ? PutAnswer{.silent = true}
           : alive         ? PutAnswer{}
                           : Refuse(kv::v1::REASON_NO_LEADER);
  };
  time_.PostAt(time_.Now() + milliseconds(1500), [&] { alive = true; });
  const WriteResult result = Put();
  EXPECT_EQ(result.outcome, Outcome::kDone);
  EXPECT_GT(result.attempts, 2);
  EXPECT_TRUE(AllUnderOneId());
  EXPECT_LT(took_, milliseconds(2200)) << "the silent node costs one attempt, not one each round";
}

TEST_F(ClientCoreTest, RefusalOfARepeatLeavesAnUnknownOutcomeUnknown) {
  int puts = 0;
  transport_.put = [&](const std::string&, const kv::v1::PutRequest&) {
    return ++puts == 1 ? PutAnswer{.silent = true} : Refuse(kv::v1::REASON_NO_LEADER);
  };
  const WriteResult result = Put({.timeout = seconds(3)});
  EXPECT_EQ(result.outcome, Outcome::kUnknown);
  EXPECT_EQ(result.reason, Reason::kCannotServe);
  ASSERT_TRUE(result.request_id);
  EXPECT_EQ(result.request_id->sequence, transport_.puts[0].id.sequence());
  EXPECT_EQ(took_, seconds(3));
}

TEST_F(ClientCoreTest, RefusedByAllUntilTheDeadlineIsNotDone) {
  transport_.put = [](const std::string&, const kv::v1::PutRequest&) {
    return Refuse(kv::v1::REASON_NO_LEADER);
  };
  const WriteResult result = Put({.timeout = seconds(2)});
  EXPECT_EQ(result.outcome, Outcome::kNotDone);
  EXPECT_EQ(result.reason, Reason::kCannotServe);
  EXPECT_EQ(took_, seconds(2));
  EXPECT_LT(result.attempts, 60) << "backed off";
}

TEST_F(ClientCoreTest, NeverSentIsNotDone) {
  transport_.put = [](const std::string&, const kv::v1::PutRequest&) {
    return PutAnswer{.answer = NeverSent("cannot connect")};
  };
  const WriteResult result = Put({.timeout = seconds(2)});
  EXPECT_EQ(result.outcome, Outcome::kNotDone);
  EXPECT_EQ(result.reason, Reason::kUnreachable);
  EXPECT_EQ(took_, seconds(2));
}

TEST_F(ClientCoreTest, SilenceOfAllIsUnknownExactlyAtTheDeadline) {
  transport_.put = [](const std::string&, const kv::v1::PutRequest&) {
    return PutAnswer{.silent = true};
  };
  const WriteResult result = Put({.timeout = seconds(5)});
  EXPECT_EQ(result.outcome, Outcome::kUnknown);
  EXPECT_EQ(took_, seconds(5));
  EXPECT_TRUE(AllUnderOneId());
}

TEST_F(ClientCoreTest, NothingAnsweringAtAllIsNotDoneAtTheDeadline) {
  transport_.state = [](const std::string&, const kv::v1::GetClusterStateRequest&) {
    return Behaviour<kv::v1::GetClusterStateResponse>{.silent = true};
  };
  const WriteResult result = Put({.timeout = milliseconds(1500)});
  EXPECT_EQ(result.outcome, Outcome::kNotDone);
  EXPECT_EQ(result.reason, Reason::kUnreachable);
  EXPECT_EQ(took_, milliseconds(1500));
  EXPECT_FALSE(result.request_id) << "nothing was sent that could be repeated";
}

TEST_F(ClientCoreTest, ConditionFalseOnARepeatIsDefinite) {
  int puts = 0;
  transport_.put = [&](const std::string&, const kv::v1::PutRequest&) {
    return ++puts == 1 ? PutAnswer{.silent = true} : Refuse(kv::v1::REASON_CONDITION_FALSE);
  };
  const WriteResult result = Put({.condition = Condition::IfAbsent()});
  EXPECT_EQ(result.outcome, Outcome::kNotDone);
  EXPECT_EQ(result.reason, Reason::kConditionFalse);
}

TEST_F(ClientCoreTest, no_blind_retry_after_conflict) {
  transport_.put = [](const std::string&, const kv::v1::PutRequest&) {
    return Refuse(kv::v1::REASON_CONDITION_FALSE);
  };
  const WriteResult result = Put({.condition = Condition::IfVersion(Version())});
  EXPECT_EQ(result.outcome, Outcome::kNotDone);
  EXPECT_EQ(result.reason, Reason::kConditionFalse);
  EXPECT_EQ(transport_.puts.size(), 1u) << "the user has to read again, and decide";
}

TEST_F(ClientCoreTest, AnIncrementWithoutAnswerIsRepeatedUnderItsId) {
  int sent = 0;
  transport_.increment = [&](const std::string&, const kv::v1::IncrementRequest&) {
    Behaviour<kv::v1::IncrementResponse> answer{.silent = ++sent == 1};
    answer.answer->set_value(7);
    return answer;
  };
  const IncrementResult result = Increment(-3);
  EXPECT_EQ(result.outcome, Outcome::kDone) << result.status;
  EXPECT_EQ(result.value, 7);
  ASSERT_EQ(transport_.increments.size(), 2u);
  EXPECT_EQ(transport_.increments[1].delta(), -3);
  EXPECT_EQ(transport_.increments[0].header().request_id().SerializeAsString(),
            transport_.increments[1].header().request_id().SerializeAsString());
}

TEST_F(ClientCoreTest, AnIncrementThatIsRefusedOnARepeatIsDefinite) {
  int sent = 0;
  transport_.increment = [&](const std::string&, const kv::v1::IncrementRequest&) {
    Behaviour<kv::v1::IncrementResponse> answer{.silent = ++sent == 1};
    answer.answer = MakeError(kv::v1::REASON_NOT_A_NUMBER, kv::v1::OUTCOME_NOT_DONE, "it is");
    return answer;
  };
  const IncrementResult result = Increment(1);
  EXPECT_EQ(result.outcome, Outcome::kNotDone);
  EXPECT_EQ(result.reason, Reason::kNotANumber);
}

TEST_F(ClientCoreTest, IdExpiredAtFirstIsSentAgainUnderAnother) {
  transport_.put = [&](const std::string&, const kv::v1::PutRequest& request) {
    return request.header().request_id().sequence() == 1
               ? Refuse(kv::v1::REASON_REQUEST_ID_EXPIRED, kv::v1::OUTCOME_UNKNOWN)
               : PutAnswer{};
  };
  EXPECT_EQ(Put().outcome, Outcome::kDone);
  EXPECT_EQ(transport_.puts.size(), 2u);
  EXPECT_EQ(transport_.states.size(), 2u) << "the cluster's time is asked for again";
}

TEST_F(ClientCoreTest, IdExpiredOnARepeatIsUnknownAndNotReapplied) {
  int puts = 0;
  transport_.put = [&](const std::string&, const kv::v1::PutRequest&) {
    return ++puts == 1 ? PutAnswer{.silent = true}
                       : Refuse(kv::v1::REASON_REQUEST_ID_EXPIRED, kv::v1::OUTCOME_UNKNOWN);
  };
  const WriteResult result = Put();
  EXPECT_EQ(result.outcome, Outcome::kUnknown);
  EXPECT_EQ(result.reason, Reason::kRequestIdExpired);
  EXPECT_EQ(puts, 2);
}

TEST_F(ClientCoreTest, TheUsersRepeatKeepsItsIdAndItsDoubt) {
  WriteOptions options;
  options.timeout = seconds(1);
  options.request_id = RequestId{.client_id = {}, .sequence = 77, .cluster_time_us = 5};
  LeadBy(1);
  EXPECT_EQ(Put(options).outcome, Outcome::kDone);
  EXPECT_EQ(transport_.puts[0].id.sequence(), 77u);
  transport_.put = [](const std::string&, const kv::v1::PutRequest&) {
    return Refuse(kv::v1::REASON_NO_LEADER);
  };
  EXPECT_EQ(Put(options).outcome, Outcome::kUnknown);
}

TEST_F(ClientCoreTest, WaitsAsLongAsAFullQueueAsks) {
  int puts = 0;
  transport_.put = [&](const std::string&, const kv::v1::PutRequest&) {
    kv::v1::ErrorDetail detail;
    detail.set_reason(kv::v1::REASON_QUEUE_FULL);
    detail.set_outcome(kNotDone);
    detail.set_retry_delay_ms(700);
    return ++puts == 1 ? PutAnswer{.answer = MakeError(detail, "full")} : PutAnswer{};
  };
  EXPECT_EQ(Put().outcome, Outcome::kDone);
  EXPECT_GE(took_, milliseconds(700));
}

TEST_F(ClientCoreTest, BeginsNoMoreOperationsThanItsBound) {
  LeadBy(1);
  int ended = 0;
  const auto put = [&](size_t bytes, Handler<WriteResult> handler) {
    core_->Put("orders", "k", std::string(bytes, 'x'), {}, std::move(handler));
  };
  const auto count = [&](const WriteResult& result) { ended += result.ok() ? 1 : 0; };
  std::optional<WriteResult> refused;
  put(600, count);
  put(600, [&](WriteResult result) { refused = std::move(result); });
  ASSERT_TRUE(refused.has_value()) << "at once";
  EXPECT_EQ(refused->reason, Reason::kOverloaded);
  EXPECT_EQ(refused->outcome, Outcome::kNotDone);
  EXPECT_EQ(refused->attempts, 0);
  refused.reset();
  put(1, count);
  put(1, [&](WriteResult result) { refused = std::move(result); });
  ASSERT_TRUE(refused.has_value()) << "a third operation";
  EXPECT_TRUE(time_.RunUntil([&] { return ended == 2; }));
  EXPECT_TRUE(Put().ok());
  EXPECT_EQ(transport_.puts.size(), 3u);
}

TEST_F(ClientCoreTest, ALaggingNodeDoesNotHideAKeyspace) {
  transport_.state = [](const std::string& address, const kv::v1::GetClusterStateRequest&) {
    auto state = State();
    if (address != "n2") {
      state.set_epoch(2);
      state.clear_keyspaces();
    }
    return Behaviour<kv::v1::GetClusterStateResponse>{.answer = state};
  };
  LeadBy(1);
  EXPECT_EQ(Put().outcome, Outcome::kDone);
}

TEST_F(ClientCoreTest, AnAbsentKeyspaceIsToldAtOnce) {
  std::optional<Result> result;
  core_->FindKeyspace("others", {}, [&](Result r) { result = std::move(r); });
  EXPECT_TRUE(time_.RunUntil([&] { return result.has_value(); }));
  EXPECT_EQ(result->reason, Reason::kKeyspaceNotFound);
}

TEST_F(ClientCoreTest, AnUninitialisedClusterIsToldAtOnce) {
  transport_.state = [](const std::string&, const kv::v1::GetClusterStateRequest&) {
    return Behaviour<kv::v1::GetClusterStateResponse>{
        .answer = MakeError(kv::v1::REASON_NOT_INITIALISED, kNotDone, "no cluster yet")};
  };
  const WriteResult result = Put();
  EXPECT_EQ(result.reason, Reason::kNotInitialised);
  EXPECT_LT(took_, milliseconds(10));
  std::optional<ClusterStateResult> state;
  core_->GetClusterState({}, [&](ClusterStateResult r) { state = std::move(r); });
  EXPECT_TRUE(time_.RunUntil([&] { return state.has_value(); }));
  EXPECT_EQ(state->reason, Reason::kNotInitialised);
}

TEST_F(ClientCoreTest, AReadOutlivesALostLeader) {
  int gets = 0;
  transport_.get = [&](const std::string&, const kv::v1::GetRequest&) {
    Behaviour<kv::v1::GetResponse> behaviour;
    if (++gets == 1) {
      behaviour.answer =
          MakeError(kv::v1::REASON_LEADER_LOST, kv::v1::OUTCOME_UNKNOWN, "leader lost");
    } else {
      behaviour.answer->set_value("v");
    }
    return behaviour;
  };
  std::optional<GetResult> result;
  core_->Get("orders", "k", {}, [&](GetResult r) { result = std::move(r); });
  EXPECT_TRUE(time_.RunUntil([&] { return result.has_value(); }));
  EXPECT_EQ(result->value, "v");
  EXPECT_EQ(result->attempts, 2);
}

TEST_F(ClientCoreTest, AScanPageIsRetriedWithItsToken) {
  std::vector<std::string> tokens;
  transport_.scan = [&](const std::string&, const kv::v1::ScanRequest& request) {
    tokens.push_back(request.page_token());
    Behaviour<kv::v1::ScanResponse> behaviour;
    if (tokens.size() == 1) {
      behaviour.answer = absl::UnavailableError("connection reset");
    } else {
      behaviour.answer->add_entries()->set_key("a");
      behaviour.answer->set_next_page_token("t2");
    }
    return behaviour;
  };
  std::optional<ScanPage> page;
  core_->Scan("orders", {}, {.page_token = "t1"}, [&](ScanPage p) { page = std::move(p); });
  EXPECT_TRUE(time_.RunUntil([&] { return page.has_value(); }));
  EXPECT_TRUE(page->ok());
  EXPECT_EQ(page->next_page_token, "t2");
  EXPECT_EQ(tokens, (std::vector<std::string>{"t1", "t1"}));
}

TEST_F(ClientCoreTest, ADropIsNotRepeatedAfterAnUnknownOutcome) {
  int drops = 0;
  transport_.drop = [&](const std::string&, const kv::v1::DropKeyspaceRequest&) {
    ++drops;
    return Behaviour<kv::v1::DropKeyspaceResponse>{.silent = true};
  };
  std::optional<DropKeyspaceResult> result;
  core_->DropKeyspace("orders", {}, [&](DropKeyspaceResult r) { result = std::move(r); });
  EXPECT_TRUE(time_.RunUntil([&] { return result.has_value(); }));
  EXPECT_EQ(result->outcome, Outcome::kUnknown);
  EXPECT_EQ(drops, 1);
}

TEST_F(ClientCoreTest, AnInitWithoutAnswerIsNotCarriedElsewhere) {
  int inits = 0;
  transport_.init = [&](const std::string& address, const kv::v1::InitRequest&) {
    EXPECT_EQ(address, "n2");
    ++inits;
    return Behaviour<kv::v1::InitResponse>{.silent = true};
  };
  std::optional<InitResult> result;
  core_->Init("n2", false, {}, [&](InitResult r) { result = std::move(r); });
  EXPECT_TRUE(time_.RunUntil([&] { return result.has_value(); }));
  EXPECT_EQ(result->outcome, Outcome::kUnknown);
  EXPECT_EQ(inits, 1);
}

TEST_F(ClientCoreTest, RefusesBadKeysAndValuesWithoutSending) {
  std::vector<WriteResult> results;
  const auto keep = [&](WriteResult r) { results.push_back(std::move(r)); };
  core_->Put("orders", "", "v", {}, keep);
  core_->Put("orders", std::string(kKeyBytesMax + 1, 'k'), "v", {}, keep);
  core_->Put("orders", "k", std::string(kValueBytesMax + 1, 'v'), {}, keep);
  ASSERT_EQ(results.size(), 3u);
  for (const auto& result : results) {
    EXPECT_EQ(result.reason, Reason::kInvalidArgument);
    EXPECT_EQ(result.outcome, Outcome::kNotDone);
  }
  EXPECT_TRUE(transport_.puts.empty());
}

TEST_F(ClientCoreTest, ClosingEndsWhatWaitsAndSendsNothingMore) {
  transport_.put = [](const std::string&, const kv::v1::PutRequest&) {
    return Refuse(kv::v1::REASON_NO_LEADER);
  };
  std::optional<WriteResult> result;
  core_->Put("orders", "k", "v", {}, [&](WriteResult r) { result = std::move(r); });
  EXPECT_TRUE(time_.RunUntil([&] { return transport_.puts.size() == 3; }));
  EXPECT_TRUE(time_.RunUntil([&, began = time_.Now()] {
    return time_.Now() > began;  // the last refusal is in; it waits for its next round
  }));
  core_->Close();
  ASSERT_TRUE(result);
  EXPECT_EQ(result->reason, Reason::kCancelled);
  EXPECT_EQ(result->outcome, Outcome::kNotDone);
  const size_t sent = transport_.puts.size();
  EXPECT_EQ(Put().reason, Reason::kCancelled);
  EXPECT_EQ(transport_.puts.size(), sent);
}

TEST_F(ClientCoreTest, ServersAreToldHowLongAnAttemptMayTake) {
  LeadBy(1);
  Put({.timeout = milliseconds(300)});
  EXPECT_LE(transport_.puts[0].timeout_ms, 300u);
  EXPECT_GE(transport_.puts[0].timeout_ms, 200u);
}

}  // namespace
}  // namespace quorate::client
