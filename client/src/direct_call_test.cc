#include "client/src/direct_call.h"

#include <optional>

#include "client/src/client_core.h"
#include "client/src/test_transport.h"
#include "gtest/gtest.h"

namespace quorate::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

using InitAnswer = Behaviour<kv::v1::InitResponse>;

class DirectCallTest : public testing::Test {
 protected:
  DirectCallTest() {
    ClientCoreOptions options;
    options.endpoints = {"n1"};
    options.transport = &transport_;
    options.clock = &time_;
    options.executor = &time_;
    core_.emplace(options);
  }

  // Connections that fail after `each`, `failures` times; then the node answers.
  void FailToConnect(int failures, Duration each) {
    transport_.init = [=, this](const std::string&, const kv::v1::InitRequest&) {
      InitAnswer behaviour;
      if (++inits_ <= failures) {
        behaviour.answer = NeverSent("cannot connect");
        behaviour.after = each;
      } else {
        behaviour.answer->set_node_id(7);
      }
      return behaviour;
    };
  }

  InitResult Init(Duration timeout = seconds(10)) {
    const MonotonicTime began = time_.Now();
    std::optional<InitResult> result;
    core_->Init("n1", false, {.timeout = timeout}, [&](InitResult r) { result = std::move(r); });
    EXPECT_TRUE(time_.RunUntil([&] { return result.has_value(); }));
    took_ = time_.Now() - began;
    return *result;
  }

  VirtualTime time_;
  TestTransport transport_{&time_};
  std::optional<ClientCore> core_;
  int inits_ = 0;
  Duration took_{};
};

TEST_F(DirectCallTest, ConnectsAgainWhenTheFirstConnectionsTookTooLong) {
  FailToConnect(4, milliseconds(500));
  const InitResult result = Init();
  EXPECT_TRUE(result.ok()) << result.status;
  EXPECT_EQ(result.node_id, 7u);
  EXPECT_EQ(result.attempts, 5);
}

// A channel that failed once fails at once until it is connected.
TEST_F(DirectCallTest, LaterFailuresMayBeQuick) {
  transport_.init = [this](const std::string&, const kv::v1::InitRequest&) {
    InitAnswer behaviour;
    behaviour.after = milliseconds(++inits_ == 1 ? 500 : 1);
    if (inits_ <= 5) {
      behaviour.answer = NeverSent("cannot connect");
    }
    return behaviour;
  };
  EXPECT_TRUE(Init().ok());
  EXPECT_EQ(inits_, 6);
}

TEST_F(DirectCallTest, ARefusedConnectionEndsAtOnce) {
  FailToConnect(1, milliseconds(2));
  const InitResult result = Init();
  EXPECT_EQ(result.outcome, Outcome::kNotDone);
  EXPECT_EQ(result.reason, Reason::kUnreachable);
  EXPECT_EQ(took_, milliseconds(2));
}

TEST_F(DirectCallTest, GivesUpConnectingInHalfOfTheTime) {
  FailToConnect(1000, milliseconds(500));
  const InitResult result = Init(seconds(10));
  EXPECT_EQ(result.outcome, Outcome::kNotDone);
  EXPECT_EQ(result.reason, Reason::kUnreachable);
  EXPECT_GE(took_, seconds(5));
  EXPECT_LE(took_, milliseconds(5700));
}

TEST_F(DirectCallTest, WhatMayHaveBeenSentIsNotSentAgain) {
  transport_.init = [this](const std::string&, const kv::v1::InitRequest&) {
    ++inits_;
    return InitAnswer{.answer = absl::UnavailableError("connection reset"),
                      .after = milliseconds(500)};
  };
  EXPECT_EQ(Init().outcome, Outcome::kUnknown);
  EXPECT_EQ(inits_, 1);
}

TEST_F(DirectCallTest, NodesAreAskedForTheirStatusAgainToo) {
  int asked = 0;
  transport_.status = [&](const std::string&, const kv::v1::GetNodeStatusRequest&) {
    Behaviour<kv::v1::GetNodeStatusResponse> behaviour;
    if (++asked == 1) {
      behaviour.answer = NeverSent("cannot connect");
      behaviour.after = milliseconds(500);
    }
    return behaviour;
  };
  std::optional<NodeStatusResult> result;
  core_->GetNodeStatus("n1", {.timeout = seconds(2)},
                       [&](NodeStatusResult r) { result = std::move(r); });
  EXPECT_TRUE(time_.RunUntil([&] { return result.has_value(); }));
  EXPECT_TRUE(result->ok()) << result->status;
}

TEST_F(DirectCallTest, ClosingEndsWhatWaitsToConnectAgain) {
  FailToConnect(1000, milliseconds(500));
  std::optional<InitResult> result;
  core_->Init("n1", false, {}, [&](InitResult r) { result = std::move(r); });
  EXPECT_TRUE(time_.RunUntil([&, began = time_.Now()] { return time_.Now() > began; }));
  EXPECT_FALSE(result);
  core_->Close();
  ASSERT_TRUE(result);
  EXPECT_EQ(result->outcome, Outcome::kNotDone);
  EXPECT_FALSE(time_.RunUntil([&] { return inits_ > 1; }));
}

}  // namespace
}  // namespace quorate::client
