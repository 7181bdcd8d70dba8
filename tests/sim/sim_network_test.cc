#include "tests/sim/sim_network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <memory>
#include <string>
#include <vector>

namespace quorate::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;

class SimNetworkTest : public ::testing::Test {
 protected:
  SimNetworkTest() {
    network_.Start("a", 0);
    network_.Start("b", 1);
    a_ = std::make_unique<SimNetwork::Port>(&network_, "a");
    StartB();
  }

  void StartB() {
    b_ = std::make_unique<SimNetwork::Port>(&network_, "b");
    b_->SetReceiver([this](std::string bytes) { received_.push_back(std::move(bytes)); });
  }
  void SendNumbers(int count) {
    for (int i = 0; i < count; ++i) a_->Send("b", std::to_string(i));
  }

  SimScheduler scheduler_{1};
  SimNetwork network_{&scheduler_};
  std::unique_ptr<SimNetwork::Port> a_;
  std::unique_ptr<SimNetwork::Port> b_;
  std::vector<std::string> received_;
};

TEST_F(SimNetworkTest, DeliversInOrderAfterTheDelay) {
  SendNumbers(3);
  EXPECT_TRUE(received_.empty());
  scheduler_.RunFor(milliseconds(1));
  EXPECT_THAT(received_, ElementsAre("0", "1", "2"));
}

TEST_F(SimNetworkTest, ReordersWhenAsked) {
  network_.SetRule("a", "b", {.reorder = 1.0});
  SendNumbers(20);
  scheduler_.RunFor(seconds(1));
  EXPECT_EQ(received_.size(), 20u);
  EXPECT_FALSE(std::is_sorted(
      received_.begin(), received_.end(),
      [](const std::string& x, const std::string& y) { return std::stoi(x) < std::stoi(y); }));
}

TEST_F(SimNetworkTest, LosesAndDuplicatesByProbability) {
  network_.SetRule("a", "b", {.loss = 0.5});
  SendNumbers(1000);
  scheduler_.RunFor(seconds(1));
  EXPECT_GT(received_.size(), 400u);
  EXPECT_LT(received_.size(), 600u);
  received_.clear();
  network_.SetRule("a", "b", {.duplicate = 1.0});
  SendNumbers(10);
  scheduler_.RunFor(seconds(1));
  EXPECT_EQ(received_.size(), 20u);
}

TEST_F(SimNetworkTest, FlipsOneBitByProbability) {
  network_.SetRule("a", "b", {.flip = 0.5});
  const std::string sent(20, 'x');
  for (int i = 0; i < 1000; ++i) a_->Send("b", sent);
  scheduler_.RunFor(seconds(1));
  ASSERT_EQ(received_.size(), 1000u);
  int damaged = 0;
  for (const std::string& bytes : received_) {
    int bits = 0;
    for (size_t i = 0; i < sent.size(); ++i) {
      bits += std::popcount(static_cast<unsigned char>(bytes.at(i) ^ sent[i]));
    }
    EXPECT_LE(bits, 1);
    damaged += bits;
  }
  EXPECT_EQ(network_.counts().flipped, static_cast<uint64_t>(damaged));
  EXPECT_GT(damaged, 400);
  EXPECT_LT(damaged, 600);
}

TEST_F(SimNetworkTest, CutIsOneWayAndTakesWhatIsUnderWay) {
  bool answered = false;
  a_->SetReceiver([&](const std::string& /*bytes*/) { answered = true; });
  SendNumbers(1);
  network_.Cut("a", "b");
  SendNumbers(1);
  b_->Send("a", "x");
  scheduler_.RunFor(seconds(1));
  EXPECT_TRUE(received_.empty());
  EXPECT_TRUE(answered);
  network_.Heal("a", "b");
  SendNumbers(1);
  scheduler_.RunFor(seconds(1));
  EXPECT_THAT(received_, ElementsAre("0"));
}

TEST_F(SimNetworkTest, IsolationCutsClientsOffToo) {
  network_.Isolate("b");
  bool arrived = false;
  SendNumbers(1);
  network_.Deliver("client", "b", [&] { arrived = true; });
  scheduler_.RunFor(seconds(1));
  EXPECT_TRUE(received_.empty());
  EXPECT_FALSE(arrived);
  network_.HealAll();
  network_.Deliver("client", "b", [&] { arrived = true; });
  scheduler_.RunFor(seconds(1));
  EXPECT_TRUE(arrived);
}

TEST_F(SimNetworkTest, CrashLosesWhatIsUnderWayToTheDead) {
  SendNumbers(1);
  network_.Stop("b");
  EXPECT_FALSE(network_.IsUp("b"));
  network_.Start("b", 1);
  StartB();
  scheduler_.RunFor(seconds(1));
  EXPECT_TRUE(received_.empty());
  SendNumbers(1);
  scheduler_.RunFor(seconds(1));
  EXPECT_THAT(received_, ElementsAre("0"));
}

TEST_F(SimNetworkTest, PortOfAnEarlierLifeIsMute) {
  const std::unique_ptr<SimNetwork::Port> ghost = std::move(a_);
  network_.Stop("a");
  ghost->Send("b", "from the dead");
  network_.Start("a", 0);
  a_ = std::make_unique<SimNetwork::Port>(&network_, "a");
  ghost->Send("b", "from the grave");
  a_->Send("b", "alive");
  scheduler_.RunFor(seconds(1));
  EXPECT_THAT(received_, ElementsAre("alive"));
}

TEST_F(SimNetworkTest, PausedProcessReceivesLater) {
  network_.Pause("b");
  SendNumbers(3);
  scheduler_.RunFor(seconds(1));
  EXPECT_TRUE(received_.empty());
  network_.Resume("b");
  scheduler_.RunFor(milliseconds(1));
  EXPECT_THAT(received_, ElementsAre("0", "1", "2"));
}

TEST_F(SimNetworkTest, BandwidthMakesMessagesQueueUp) {
  network_.SetRule("a", "b", {.bytes_per_second = 1000});
  a_->Send("b", std::string(1000, 'x'));
  a_->Send("b", "y");
  scheduler_.RunFor(milliseconds(900));
  EXPECT_TRUE(received_.empty());
  scheduler_.RunFor(milliseconds(200));
  EXPECT_EQ(received_.size(), 2u);
}

TEST_F(SimNetworkTest, ReceiverMayRemoveItself) {
  b_->SetReceiver([this](std::string bytes) {
    received_.push_back(std::move(bytes));
    b_->SetReceiver(nullptr);
  });
  SendNumbers(2);
  scheduler_.RunFor(seconds(1));
  EXPECT_THAT(received_, ElementsAre("0"));
}

}  // namespace
}  // namespace quorate::sim
