// What users see when nodes stand still, with the bounds that are promised, exact in virtual time:
// with one node of three stopped writes go on within 2 s, whether the groups were busy or quiet;
// with two stopped every request ends by its deadline with the right outcome; 5 s after their
// return everything works.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "raft/raft_node.h"
#include "server/replication/replica_host.h"
#include "tests/sim/cluster/whole_nodes.h"

namespace quorate::sim {
namespace {

using client::Outcome;
using client::Reason;
using client::WriteResult;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr char kKeyspace[] = "outage";
constexpr uint32_t kPartitions = 8;
constexpr int kKeys = 24;
// Tasks take virtual time: what 24 calls that end at one instant may need for it.
constexpr Duration kSlack = milliseconds(10);

class OutageTest : public testing::TestWithParam<uint64_t>, protected WholeNodes {
 protected:
  OutageTest() : WholeNodes(GetParam(), 3) {
    Found(kKeyspace, kPartitions);
    // Each partition has its leader, and the client knows them.
    EXPECT_LE(TimeUntilAllWritten(seconds(10)), seconds(10));
  }

  struct Ended {
    WriteResult result;
    Duration after{};
  };

  // Writes every key once, all at the same time, and waits for all ends.
  std::vector<Ended> WriteAll(Duration timeout) {
    std::vector<Ended> ended;
    const MonotonicTime begin = scheduler_.Now();
    for (int key = 0; key < kKeys; ++key) {
      client::WriteOptions options;
      options.timeout = timeout;
      client_.core().Put(kKeyspace, KeyOf(key), ValueOf("v", ++values_), options,
                         [this, begin, &ended](const WriteResult& result) {
                           ended.push_back({result, scheduler_.Now() - begin});
                         });
    }
    EXPECT_TRUE(
        scheduler_.RunUntilTrue([&] { return ended.size() == kKeys; }, timeout + seconds(1)));
    return ended;
  }

  Duration TimeUntilAllWritten(Duration timeout) {
    Duration slowest{};
    for (const Ended& end : WriteAll(timeout)) {
      EXPECT_TRUE(end.result.ok()) << end.result.status;
      slowest = std::max(slowest, end.after);
    }
    return slowest;
  }

  // The node that leads the most groups.
  uint32_t BusiestNode() {
    std::map<uint64_t, int> count;
    for (const auto& [group, node] : cluster_.node(1)->replica_host()->Leaders()) ++count[node];
    uint32_t best = 1;
    for (const auto& [node, groups] : count) {
      if (groups > count[best]) best = static_cast<uint32_t>(node);
    }
    return best;
  }

  // In the logs of all groups.
  uint64_t EntriesOn(uint32_t node) {
    uint64_t entries = 0;
    cluster_.node(node)->replica_host()->Inspect(
        [&entries](const ReplicaSpec&, const raft::RaftNode& raft, const raft::LogStorage&) {
          entries += raft.Status().last_index.value();
        });
    return entries;
  }

  int values_ = 0;
};

TEST_P(OutageTest, WritesGoOnWithOneNodeOfThreeStopped) {
  const uint32_t victim = BusiestNode();
  cluster_.machine(victim).Pause();
  EXPECT_LE(TimeUntilAllWritten(seconds(5)), seconds(2));
  cluster_.machine(victim).Resume();
  EXPECT_LE(TimeUntilAllWritten(seconds(5)), seconds(5));
}

TEST_P(OutageTest, WritesGoOnWithOneNodeOfThreeCrashed) {
  cluster_.Crash(BusiestNode(), CrashKind::kPowerLoss);
  EXPECT_LE(TimeUntilAllWritten(seconds(5)), seconds(2));
}

TEST_P(OutageTest, RequestsEndByTheirDeadlineWithTwoNodesStopped) {
  const uint32_t survivor = BusiestNode();
  for (uint32_t node = 1; node <= 3; ++node) {
    if (node != survivor) cluster_.machine(node).Pause();
  }
  const Duration timeout = milliseconds(900);
  int unknown = 0;
  for (const Ended& end : WriteAll(timeout)) {
    EXPECT_LE(end.after, timeout + kSlack);
    EXPECT_FALSE(end.result.ok());
    unknown += end.result.outcome == Outcome::kUnknown ? 1 : 0;
  }
  // The survivor led some partitions, and proposed before it noticed that it is alone.
  EXPECT_GT(unknown, 0);

  // A write that was sent to a node which stands still may yet be read there: nobody knows.
  scheduler_.RunFor(seconds(3));
  for (const Ended& end : WriteAll(timeout)) {
    EXPECT_LE(end.after, timeout + kSlack);
    EXPECT_FALSE(end.result.ok());
  }

  for (uint32_t node = 1; node <= 3; ++node) {
    if (node != survivor) cluster_.machine(node).Resume();
  }
  EXPECT_LE(TimeUntilAllWritten(seconds(5)), seconds(5));
}

TEST_P(OutageTest, NothingIsProposedWithoutLeader) {
  const uint32_t survivor = BusiestNode();
  CrashAll(CrashKind::kPowerLoss, survivor);
  // By then the survivor has noticed that it is alone, and leads nothing any more.
  scheduler_.RunFor(seconds(3));
  const uint64_t entries = EntriesOn(survivor);
  const Duration timeout = milliseconds(900);
  int unknown = 0;
  for (const Ended& end : WriteAll(timeout)) {
    EXPECT_LE(end.after, timeout + kSlack);
    EXPECT_FALSE(end.result.ok());
    if (end.result.outcome == Outcome::kNotDone) {
      EXPECT_EQ(end.result.reason, Reason::kCannotServe) << client::ReasonName(end.result.reason);
    } else {
      ++unknown;
    }
  }
  // Only of one whose last attempt the deadline cut short can the client not know.
  EXPECT_LE(unknown, 2);
  EXPECT_EQ(EntriesOn(survivor), entries);
  StartAll();
  EXPECT_LE(TimeUntilAllWritten(seconds(5)), seconds(5));
}

INSTANTIATE_TEST_SUITE_P(Seeds, OutageTest, testing::Range<uint64_t>(1, 11));

// The same, and more, when nobody has asked for anything until every group was quiet.
class QuietOutageTest : public OutageTest {
 protected:
  QuietOutageTest() { Rest(); }

  bool AllQuiet() {
    for (uint32_t node = 1; node <= 3; ++node) {
      for (const ReplicaFigures& replica :
           cluster_.node(node)->replica_host()->Figures().replicas) {
        if (!replica.quiet) return false;
      }
    }
    return true;
  }
  // Leaders may first have to go back where they are wanted.
  void Rest() {
    EXPECT_TRUE(scheduler_.RunUntilTrue([&] { return AllQuiet(); }, seconds(60)));
  }
  // As `node` knows them.
  std::map<GroupId, uint64_t> Leaders(uint32_t node) {
    return cluster_.node(node)->replica_host()->Leaders();
  }
  // The replicas on `node` that show a lease now.
  int Leases(uint32_t node) {
    int leases = 0;
    for (const auto& [group, leader] : Leaders(node)) {
      leases += cluster_.node(node)->replica_host()->TryLeaseGet(group, "k1").has_value() ? 1 : 0;
    }
    return leases;
  }
};

TEST_P(QuietOutageTest, WritesGoOnWithOneNodeOfThreeStopped) {
  const uint32_t victim = BusiestNode();
  cluster_.machine(victim).Pause();
  EXPECT_LE(TimeUntilAllWritten(seconds(5)), seconds(2));
  // Before it has heard of its successors it must not answer from what it has.
  cluster_.machine(victim).Resume();
  EXPECT_EQ(Leases(victim), 0);
  EXPECT_LE(TimeUntilAllWritten(seconds(5)), seconds(5));
  Rest();
}

TEST_P(QuietOutageTest, WritesGoOnWithOneNodeOfThreeCrashed) {
  const uint32_t victim = BusiestNode();
  cluster_.Crash(victim, CrashKind::kPowerLoss);
  EXPECT_LE(TimeUntilAllWritten(seconds(5)), seconds(2));
  EXPECT_TRUE(cluster_.Start(victim).ok());
  Rest();
}

TEST_P(QuietOutageTest, DeadLeadersAreReplacedWithoutAnyRequest) {
  const uint32_t victim = BusiestNode();
  const uint32_t other = victim % 3 + 1;
  const size_t groups = Leaders(other).size();
  cluster_.Crash(victim, CrashKind::kPowerLoss);
  const auto replaced = [&] {
    const auto leaders = Leaders(other);
    return leaders.size() == groups &&
           std::none_of(leaders.begin(), leaders.end(),
                        [&](const auto& leader) { return leader.second == victim; });
  };
  EXPECT_TRUE(scheduler_.RunUntilTrue(replaced, seconds(2)));
}

// A node hears neither the leaders on another one nor that node itself, nor its followers there.
// All else is heard.
TEST_P(QuietOutageTest, LinkCutInOneDirectionDeposesNobody) {
  const uint32_t leader = BusiestNode();
  const uint32_t deaf = leader % 3 + 1;
  const uint32_t third = deaf % 3 + 1;
  const auto before = Leaders(third);
  network_.Cut(SimCluster::AddressOf(leader), SimCluster::AddressOf(deaf));
  scheduler_.RunFor(seconds(20));
  EXPECT_EQ(Leaders(third), before);
  EXPECT_LE(TimeUntilAllWritten(seconds(5)), seconds(2));
  network_.Heal(SimCluster::AddressOf(leader), SimCluster::AddressOf(deaf));
  Rest();
  EXPECT_EQ(Leaders(deaf), before);
}

INSTANTIATE_TEST_SUITE_P(Seeds, QuietOutageTest, testing::Range<uint64_t>(1, 6));

}  // namespace
}  // namespace quorate::sim
