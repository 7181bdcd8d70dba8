// Replicas that come and go while the group serves.
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/error_detail.h"
#include "raft/raft_node.h"
#include "server/replication/testing/test_cluster.h"

namespace quorate {
namespace {

using std::chrono::seconds;
using testing::TestCluster;

ReplicaId ReplicaOn(uint64_t node) { return ReplicaId(100 + node); }

std::vector<ReplicaId> ReplicasOn(const std::set<uint64_t>& nodes) {
  std::vector<ReplicaId> replicas;
  for (const uint64_t node : nodes) {
    replicas.push_back(ReplicaOn(node));
  }
  return replicas;
}

// Nodes 1 to 3 found the group; more wait for a replica. Placements are given to the nodes by hand,
// as the cluster layer does.
class MembershipTest : public ::testing::Test {
 protected:
  explicit MembershipTest(size_t nodes = 4) : cluster_(nodes) {
    for (const uint64_t node : {1, 2, 3}) {
      cluster_.node(node).SetReplicas({SpecOf(node, {1, 2, 3}, {}, 1)});
    }
    cluster_.AwaitLeader();
  }

  // On `owners`; with `coming` a move to these is under way.
  [[nodiscard]] ReplicaSpec SpecOf(uint64_t node, const std::set<uint64_t>& owners,
                                   const std::set<uint64_t>& coming, uint64_t epoch) const {
    ReplicaSpec spec = cluster_.SpecOf(node);
    spec.members.clear();
    for (const uint64_t owner : owners) {
      spec.members.emplace_back(ReplicaOn(owner), owner);
    }
    for (const uint64_t newcomer : coming) {
      if (!owners.contains(newcomer)) {
        spec.members.emplace_back(ReplicaOn(newcomer), newcomer);
      }
    }
    spec.founding = epoch == 1;
    spec.moving = !coming.empty();
    spec.target_voters = ReplicasOn(coming);
    spec.placement_epoch = epoch;
    return spec;
  }

  // Tells all nodes that are up.
  void Place(const std::set<uint64_t>& owners, const std::set<uint64_t>& coming, uint64_t epoch) {
    for (uint64_t node = 1; node <= cluster_.size(); ++node) {
      if (!cluster_.node(node).up()) {
        continue;
      }
      const bool owns = owners.contains(node) || coming.contains(node);
      cluster_.node(node).SetReplicas(owns ? std::vector{SpecOf(node, owners, coming, epoch)}
                                           : std::vector<ReplicaSpec>());
    }
  }

  // Runs until some node tells that the voters are these.
  bool AwaitSettled(const std::set<uint64_t>& owners, uint64_t epoch) {
    return cluster_.scheduler.RunUntil([&] {
      for (uint64_t node = 1; node <= cluster_.size(); ++node) {
        if (cluster_.node(node).settled_epoch == epoch &&
            cluster_.node(node).settled_voters == ReplicasOn(owners)) {
          return true;
        }
      }
      return false;
    });
  }

  void Put(const std::string& key, const std::string& value) {
    absl::Status last;
    for (int attempt = 0; attempt < 50; ++attempt) {
      const uint64_t leader = cluster_.AwaitLeader();
      last = cluster_.Await(cluster_.Put(leader, {.key = key, .value = value})).status();
      if (last.ok()) {
        return;
      }
    }
    FAIL() << last;
  }

  std::string Read(const std::string& key) {
    for (int attempt = 0; attempt < 50; ++attempt) {
      if (const auto read = cluster_.Await(cluster_.Get(cluster_.AwaitLeader(), key)); read.ok()) {
        return read->value;
      }
    }
    return "(no answer)";
  }

  // The leader's own view of its voters.
  std::set<uint64_t> Voters() {
    std::set<uint64_t> nodes;
    cluster_.node(cluster_.AwaitLeader())
        .host->Inspect([&](const ReplicaSpec&, const raft::RaftNode& node, const auto&) {
          for (const ReplicaId voter : node.Status().configuration.voters) {
            nodes.insert(voter.value() - 100);
          }
        });
    return nodes;
  }

  TestCluster cluster_;
};

TEST_F(MembershipTest, AReplicaMovesWhileTheGroupServes) {
  Put("before", "1");
  Place({1, 2, 3}, {1, 2, 4}, 2);
  Put("during", "2");
  ASSERT_TRUE(AwaitSettled({1, 2, 4}, 2));
  Place({1, 2, 4}, {}, 3);
  Put("after", "3");
  // The new replica carries its weight: with 2 away it makes the majority.
  cluster_.Isolate(2);
  Put("without-2", "4");
  EXPECT_EQ(Voters(), (std::set<uint64_t>{1, 2, 4}));
  for (const auto& [key, value] :
       {std::pair("before", "1"), {"during", "2"}, {"after", "3"}, {"without-2", "4"}}) {
    EXPECT_EQ(Read(key), value);
  }
  EXPECT_TRUE(cluster_.Status(3, false).empty()) << "the replica that left is still there";
}

TEST_F(MembershipTest, TheLeaderItselfLeaves) {
  ASSERT_EQ(cluster_.Leader(), 1u);
  Put("k", "v");
  Place({1, 2, 3}, {2, 3, 4}, 2);
  ASSERT_TRUE(AwaitSettled({2, 3, 4}, 2));
  EXPECT_NE(cluster_.AwaitLeader(1), 1u);
  Place({2, 3, 4}, {}, 3);
  EXPECT_EQ(Read("k"), "v");
}

// Method: looks at what readers see of the leader's lease at the moment in which an entry that
// changes the membership leaves for the first time.
TEST_F(MembershipTest, NoLeaseIsShownWhenAConfigurationLeaves) {
  const auto shows_lease = [&] {
    return cluster_.node(1).host->TryLeaseGet(GroupId(TestCluster::kGroup), "k").has_value();
  };
  std::set<uint64_t> changes;
  cluster_.on_message = [&](const internal::v1::RaftMessage& message) {
    for (const auto& entry : message.append_request().entries()) {
      if (entry.kind() == static_cast<uint32_t>(raft::EntryKind::kConfig) &&
          changes.insert(entry.index()).second) {
        EXPECT_FALSE(shows_lease()) << "entry " << entry.index();
      }
    }
  };
  ASSERT_TRUE(shows_lease());
  Place({1, 2, 3}, {1, 2, 4}, 2);
  ASSERT_TRUE(AwaitSettled({1, 2, 4}, 2));
  EXPECT_EQ(changes.size(), 3u) << "a learner, the joint configuration, what follows it";
  EXPECT_TRUE(cluster_.scheduler.RunUntil(shows_lease, seconds(1)));
}

TEST_F(MembershipTest, ANewcomerThatIsAwayStopsNothingAndIsWaitedFor) {
  cluster_.Isolate(4);
  Place({1, 2, 3}, {1, 2, 4}, 2);
  cluster_.scheduler.RunFor(seconds(10));
  Put("k", "v");
  EXPECT_EQ(Voters(), (std::set<uint64_t>{1, 2, 3}));
  cluster_.Heal(4);
  EXPECT_TRUE(AwaitSettled({1, 2, 4}, 2));
}

TEST_F(MembershipTest, ACancelledMoveLeavesTheOldReplicas) {
  cluster_.Isolate(4);
  Place({1, 2, 3}, {1, 2, 4}, 2);
  cluster_.scheduler.RunFor(seconds(5));
  Place({1, 2, 4}, {1, 2, 3}, 3);  // the other way round
  ASSERT_TRUE(AwaitSettled({1, 2, 3}, 3));
  Place({1, 2, 3}, {}, 4);
  cluster_.Heal(4);
  Put("k", "v");
  EXPECT_EQ(Voters(), (std::set<uint64_t>{1, 2, 3}));
}

TEST_F(MembershipTest, AFinishedMoveCanBeTurnedBack) {
  Place({1, 2, 3}, {1, 2, 4}, 2);
  ASSERT_TRUE(AwaitSettled({1, 2, 4}, 2));
  Place({1, 2, 4}, {1, 2, 3}, 3);
  ASSERT_TRUE(AwaitSettled({1, 2, 3}, 3));
  EXPECT_EQ(Voters(), (std::set<uint64_t>{1, 2, 3}));
}

TEST_F(MembershipTest, ALeaderWithAnOldWishDoesNotUndoANewerOne) {
  // All but node 2 hear of a move and that it was turned back; then 2 leads with the first wish.
  cluster_.node(2).SetReplicas({SpecOf(2, {1, 2, 3}, {1, 2, 4}, 2)});
  for (const uint64_t node : {1, 3}) {
    cluster_.node(node).SetReplicas({SpecOf(node, {1, 2, 4}, {1, 2, 3}, 3)});
  }
  ASSERT_TRUE(AwaitSettled({1, 2, 3}, 3));
  auto moved = std::make_shared<std::optional<absl::Status>>();
  cluster_.node(1).host->TransferLeadership(
      GroupId(TestCluster::kGroup), 2, {.deadline = cluster_.scheduler.Now() + seconds(5)},
      [moved](absl::Status status) { *moved = std::move(status); });
  ASSERT_TRUE(cluster_.scheduler.RunUntil([&] { return moved->has_value(); }));
  ASSERT_TRUE((*moved)->ok()) << **moved;
  EXPECT_EQ(cluster_.AwaitLeader(1), 2u);
  cluster_.node(4).SetReplicas({SpecOf(4, {1, 2, 3}, {1, 2, 4}, 2)});
  cluster_.scheduler.RunFor(seconds(5));
  EXPECT_EQ(Voters(), (std::set<uint64_t>{1, 2, 3}));
  EXPECT_NE(cluster_.node(2).settled_epoch, 2u);
}

TEST_F(MembershipTest, GoesOnAfterEveryoneWasRestarted) {
  Put("k", "v");
  Place({1, 2, 3}, {1, 2, 4}, 2);
  cluster_.scheduler.RunFor(std::chrono::milliseconds(150));
  for (uint64_t node = 1; node <= 4; ++node) {
    cluster_.node(node).Stop();
  }
  for (uint64_t node = 1; node <= 4; ++node) {
    cluster_.node(node).Start();
  }
  EXPECT_TRUE(AwaitSettled({1, 2, 4}, 2));
  EXPECT_EQ(Read("k"), "v");
}

class TransferTest : public MembershipTest {
 protected:
  absl::Status Transfer(uint64_t from, uint64_t to, Duration timeout = seconds(5)) {
    auto done = std::make_shared<std::optional<absl::Status>>();
    cluster_.node(from).host->TransferLeadership(
        GroupId(TestCluster::kGroup), to, {.deadline = cluster_.scheduler.Now() + timeout},
        [done](absl::Status status) { *done = std::move(status); });
    EXPECT_TRUE(cluster_.scheduler.RunUntil([&] { return done->has_value(); }));
    return **done;
  }
};

TEST_F(TransferTest, HandsOverToTheNodeThatWasNamed) {
  EXPECT_TRUE(Transfer(1, 3).ok());
  EXPECT_EQ(cluster_.AwaitLeader(1), 3u);
  EXPECT_TRUE(Transfer(3, 3).ok()) << "it leads already";
}

TEST_F(TransferTest, SaysWhomToAskAndWhatIsWrong) {
  const absl::Status elsewhere = Transfer(2, 3);
  EXPECT_EQ(ReasonOf(elsewhere), kv::v1::REASON_NOT_LEADER) << elsewhere;
  const absl::Status nobody = Transfer(1, 4);
  EXPECT_EQ(ReasonOf(nobody), kv::v1::REASON_INVALID_FIELD) << nobody;
  EXPECT_THAT(std::string(nobody.message()), ::testing::HasSubstr("node 4 cannot take over"));
}

TEST_F(TransferTest, EndsWhenTheTargetDoesNotAnswer) {
  cluster_.Isolate(3);
  const MonotonicTime begin = cluster_.scheduler.Now();
  const absl::Status late = Transfer(1, 3);
  EXPECT_EQ(ReasonOf(late), kv::v1::REASON_DEADLINE) << late;
  EXPECT_LE(cluster_.scheduler.Now() - begin, seconds(1));
  EXPECT_TRUE(cluster_.Await(cluster_.Put(1, {.key = "k", .value = "v"})).ok());
}

TEST_F(TransferTest, EndsWhenTheHostStops) {
  cluster_.Isolate(3);
  auto done = std::make_shared<std::optional<absl::Status>>();
  cluster_.node(1).host->TransferLeadership(
      GroupId(TestCluster::kGroup), 3, {.deadline = cluster_.scheduler.Now() + seconds(5)},
      [done](absl::Status status) { *done = std::move(status); });
  cluster_.scheduler.RunFor(std::chrono::milliseconds(50));
  cluster_.node(1).Stop();
  ASSERT_TRUE(done->has_value());
  EXPECT_FALSE((*done)->ok());
}

}  // namespace
}  // namespace quorate
