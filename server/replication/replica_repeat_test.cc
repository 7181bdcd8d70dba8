// A repeated write gets its first answer and changes nothing, whatever happened in between.
#include <chrono>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "proto/error_detail.h"
#include "server/replication/testing/test_cluster.h"

namespace quorate {
namespace {

using internal::v1::AppliedResult;
using internal::v1::Command;
using testing::MakeRequestId;
using testing::TestCluster;

// Method: one named write of each kind, done and refused, then others on the same keys, so that a
// repeat which is applied again shows. After the event each is repeated. Oracle: the first answer
// byte for byte, said to be a repeat, and the values that were there.
class ReplicaRepeatTest : public ::testing::Test {
 protected:
  ReplicaRepeatTest() : cluster_(6, ShortLogs()) {
    Place({1, 2, 3}, {}, 1);
    cluster_.AwaitLeader();
  }

  static ReplicaHost::Options ShortLogs() {
    ReplicaHost::Options options;
    options.log_keep_bytes = 16 << 10;
    options.leadership_return_delay = std::chrono::hours(1);
    return options;
  }

  static ReplicaId ReplicaOn(uint64_t node) { return ReplicaId(100 + node); }

  // Tells all nodes: on `owners`; with `coming`, a move to these is under way.
  void Place(const std::set<uint64_t>& owners, const std::set<uint64_t>& coming, uint64_t epoch) {
    std::set<uint64_t> all = owners;
    all.insert(coming.begin(), coming.end());
    for (uint64_t node = 1; node <= cluster_.size(); ++node) {
      if (!all.contains(node)) {
        cluster_.node(node).SetReplicas({});
        continue;
      }
      ReplicaSpec spec = cluster_.SpecOf(node);
      spec.members.clear();
      for (const uint64_t member : all) {
        spec.members.emplace_back(ReplicaOn(member), member);
      }
      spec.founding = epoch == 1;
      spec.moving = !coming.empty();
      for (const uint64_t voter : coming) {
        spec.target_voters.push_back(ReplicaOn(voter));
      }
      spec.placement_epoch = epoch;
      cluster_.node(node).SetReplicas({spec});
    }
  }

  WriteAnswer Write(const Command& command) {
    absl::Status last;
    for (int attempt = 0; attempt < 20; ++attempt) {  // leaders change
      auto answer = cluster_.Await(cluster_.Write(cluster_.AwaitLeader(), command));
      if (answer.ok()) {
        return *std::move(answer);
      }
      last = answer.status();
    }
    ADD_FAILURE() << last;
    return {};
  }
  void Put(const std::string& key, const std::string& value) {
    Command command;
    command.mutable_put()->set_key(key);
    command.mutable_put()->set_value(value);
    Write(command);
  }
  std::string ValueOf(const std::string& key) {
    for (int attempt = 0; attempt < 20; ++attempt) {
      const auto read = cluster_.Await(cluster_.Get(cluster_.AwaitLeader(), key));
      if (read.ok()) {
        return read->found ? read->value : "(absent)";
      }
    }
    return "(no answer)";
  }

  Command NewNamed() {
    Command command;
    *command.mutable_request_id() = MakeRequestId(
        'c', next_sequence_, cluster_.node(cluster_.AwaitLeader()).host->ClusterTimeMicros());
    next_sequence_ += 10;  // steps have their own
    return command;
  }
  Command Cas(const std::string& key, const std::string& value) {
    Command command = NewNamed();
    command.mutable_put()->set_key(key);
    command.mutable_put()->set_value(value);
    command.mutable_put()->mutable_condition()->set_if_absent(true);
    return command;
  }
  Command Increment(const std::string& key) {
    Command command = NewNamed();
    command.mutable_increment()->set_key(key);
    command.mutable_increment()->set_delta(3);
    return command;
  }
  Command Batch(bool atomic, const std::string& prefix) {
    Command command = NewNamed();
    command.mutable_batch()->set_atomic(atomic);
    const auto next = [&] {
      auto* const step = command.mutable_batch()->add_steps();
      step->set_sequence(command.request_id().sequence() +
                         static_cast<uint64_t>(command.batch().steps_size()));
      return step;
    };
    auto* const put = next()->mutable_put();
    put->set_key(prefix + "put");
    put->set_value("first");
    next()->mutable_delete_()->set_key(prefix + "deleted");
    auto* const increment = next()->mutable_increment();
    increment->set_key(prefix + "n");
    increment->set_delta(5);
    if (atomic) {
      next()->set_get(prefix + "deleted");
    }
    return command;
  }

  void WriteNamed(Command command) {
    WriteAnswer first = Write(command);
    EXPECT_FALSE(first.repeated);
    named_.emplace_back(std::move(command), std::move(first.result));
  }
  void WriteAll() {
    for (const std::string key : {"plain.deleted", "atomic.deleted", "taken"}) {
      Put(key, "old");
    }
    Put("text", "x");
    WriteNamed(Cas("cas", "first"));
    WriteNamed(Cas("taken", "never"));
    WriteNamed(Increment("n"));
    WriteNamed(Increment("text"));
    WriteNamed(Batch(false, "plain."));
    WriteNamed(Batch(true, "atomic."));
    ASSERT_TRUE(named_[1].second.condition_false() && named_[3].second.not_a_number());
    ASSERT_EQ(named_[5].second.steps(2).number(), 5);
    for (const std::string prefix : {"plain.", "atomic."}) {
      Put(prefix + "put", "second");
      Put(prefix + "deleted", "second");
      Put(prefix + "n", "100");
    }
    Put("cas", "second");
    Put("n", "50");
    Put("text", "60");
    Command remove;
    remove.mutable_delete_()->set_key("taken");
    Write(remove);
  }

  void ExpectFirstAnswers() {
    for (const auto& [command, first] : named_) {
      AppliedResult again;
      if (command.has_batch() && !command.batch().atomic()) {
        again = Write(command).result;
        for (AppliedResult& step : *again.mutable_steps()) {
          EXPECT_TRUE(step.repeated_step());
          step.clear_repeated_step();
        }
      } else {
        WriteAnswer answer = Write(command);
        EXPECT_TRUE(answer.repeated) << command.ShortDebugString();
        again = std::move(answer.result);
      }
      EXPECT_EQ(again.SerializeAsString(), first.SerializeAsString())
          << command.ShortDebugString() << "\n"
          << again.ShortDebugString() << "\n"
          << first.ShortDebugString();
    }
    for (const std::string prefix : {"plain.", "atomic."}) {
      EXPECT_EQ(ValueOf(prefix + "put"), "second");
      EXPECT_EQ(ValueOf(prefix + "deleted"), "second");
      EXPECT_EQ(ValueOf(prefix + "n"), "100");
    }
    EXPECT_EQ(ValueOf("cas"), "second");
    EXPECT_EQ(ValueOf("n"), "50");
    EXPECT_EQ(ValueOf("text"), "60");
    EXPECT_EQ(ValueOf("taken"), "(absent)");
  }

  // Until no log holds the named writes.
  void WriteMoreThanLogsKeep(const std::set<uint64_t>& nodes) {
    for (int i = 0; i < 300; ++i) {
      Put("filler" + std::to_string(i % 50), std::string(1000, 'x'));
    }
    ASSERT_TRUE(cluster_.scheduler.RunUntil([&] {
      for (const uint64_t node : nodes) {
        if (cluster_.Status(node, false).at(0).log_bytes() > 2 * ShortLogs().log_keep_bytes) {
          return false;
        }
      }
      return true;
    }));
  }
  [[nodiscard]] double Installed(uint64_t node) {
    return cluster_.node(node).metrics->Sum("quorate_snapshots_installed_total");
  }
  bool AwaitSettled(uint64_t epoch) {
    return cluster_.scheduler.RunUntil([&] {
      for (uint64_t node = 1; node <= cluster_.size(); ++node) {
        if (cluster_.node(node).settled_epoch == epoch) {
          return true;
        }
      }
      return false;
    });
  }

  TestCluster cluster_;
  uint64_t next_sequence_ = 1;
  std::vector<std::pair<Command, AppliedResult>> named_;
};

TEST_F(ReplicaRepeatTest, AtOnce) {
  WriteAll();
  ExpectFirstAnswers();
}

TEST_F(ReplicaRepeatTest, AfterARestartOfAll) {
  WriteAll();
  for (const uint64_t node : {1, 2, 3}) {
    cluster_.node(node).Stop();
  }
  for (const uint64_t node : {1, 2, 3}) {
    cluster_.node(node).Start();
  }
  ExpectFirstAnswers();
  // Once more, all from the log.
  for (const uint64_t node : {1, 2, 3}) {
    cluster_.node(node).Stop();
    cluster_.node(node).LoseData();
  }
  for (const uint64_t node : {1, 2, 3}) {
    cluster_.node(node).Start();
  }
  ExpectFirstAnswers();
}

TEST_F(ReplicaRepeatTest, AfterALeaderChange) {
  WriteAll();
  const uint64_t before = cluster_.AwaitLeader();
  cluster_.node(before).Stop();
  ASSERT_NE(cluster_.AwaitLeader(before), before);
  ExpectFirstAnswers();
}

TEST_F(ReplicaRepeatTest, ByALeaderThatHasThemFromASnapshot) {
  cluster_.Isolate(3);
  WriteAll();
  WriteMoreThanLogsKeep({1, 2});
  cluster_.Heal(3);
  ASSERT_TRUE(cluster_.scheduler.RunUntil([&] {
    return Installed(3) > 0 && cluster_.Status(3, false).at(0).applied_index() ==
                                   cluster_.Status(1, false).at(0).applied_index();
  }));
  cluster_.node(cluster_.Leader())
      .host->TransferLeadership(GroupId(TestCluster::kGroup), 3,
                                {.deadline = cluster_.scheduler.Now() + std::chrono::seconds(5)},
                                [](const absl::Status&) {});
  ASSERT_TRUE(cluster_.scheduler.RunUntil([&] { return cluster_.Leader() == 3; }));
  ExpectFirstAnswers();
  EXPECT_EQ(cluster_.Leader(), 3u);
}

TEST_F(ReplicaRepeatTest, AfterAMoveToNodesThatHadNothing) {
  WriteAll();
  WriteMoreThanLogsKeep({1, 2, 3});
  Place({1, 2, 3}, {4, 5, 6}, 2);
  ASSERT_TRUE(AwaitSettled(2));
  Place({4, 5, 6}, {}, 3);
  cluster_.scheduler.RunFor(std::chrono::seconds(2));
  for (const uint64_t node : {1, 2, 3}) {
    EXPECT_TRUE(cluster_.Status(node, false).empty()) << node;
  }
  for (const uint64_t node : {4, 5, 6}) {
    EXPECT_GT(Installed(node), 0) << node;
  }
  ExpectFirstAnswers();
}

}  // namespace
}  // namespace quorate
