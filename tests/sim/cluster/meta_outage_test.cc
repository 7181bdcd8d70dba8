// What users see while the meta group has no quorum: nothing of the cluster can be changed, and
// every node that is up serves what its partitions' majorities allow, also one that was restarted
// meanwhile and has heard of the cluster from its own disk only.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/cluster/replica_specs.h"
#include "server/placement/routing_key.h"
#include "tests/sim/cluster/whole_nodes.h"

namespace quorate::sim {
namespace {

using std::chrono::seconds;

constexpr char kServedKeyspace[] = "served";
constexpr uint32_t kServedPartitions = 8;
constexpr int kServedKeys = 40;

// Method: of four nodes three vote in the meta group; two of these lose power, its leader among
// them. The two that are left hold a majority of every partition that was on both. Oracle: through
// either of them alone its keys are written and read, before and after both were restarted at the
// same time; all the while no keyspace can be created.
class MetaOutageTest : public testing::TestWithParam<uint64_t>, protected WholeNodes {
 protected:
  MetaOutageTest() : WholeNodes(GetParam(), 4) { Found(kServedKeyspace, kServedPartitions); }

  std::shared_ptr<const ClusterView> ViewOf(uint32_t machine) {
    return cluster_.node(machine)->cluster_view();
  }
  uint64_t IdOf(uint32_t machine) { return cluster_.node(machine)->identity().node_id; }
  template <class Replicas>
  bool Holds(const Replicas& replicas, uint32_t machine) {
    return std::any_of(replicas.begin(), replicas.end(),
                       [id = IdOf(machine)](const auto& each) { return each.node_id() == id; });
  }
  bool MetaGroupHasGrown() {
    for (uint32_t machine = 1; machine <= cluster_.size(); ++machine) {
      const std::shared_ptr<const ClusterView> view = ViewOf(machine);
      if (view->state().meta_replicas_size() != 3 || view->state().meta_coming_size() != 0) {
        return false;
      }
    }
    return true;
  }
  // Two meta voters, its leader first; the others survive.
  void ChooseVictims() {
    ASSERT_TRUE(scheduler_.RunUntilTrue([&] { return MetaGroupHasGrown(); }, seconds(60)));
    for (uint32_t machine = 1; machine <= cluster_.size(); ++machine) {
      (Holds(ViewOf(machine)->state().meta_replicas(), machine) ? victims_ : survivors_)
          .push_back(machine);
    }
    ASSERT_EQ(victims_.size(), 3u);
    for (uint32_t& machine : victims_) {
      if (cluster_.node(machine)->replica_host()->LeaderOf(kMetaGroup) == IdOf(machine)) {
        std::swap(machine, victims_.front());
      }
    }
    survivors_.push_back(victims_.back());
    victims_.pop_back();
    ASSERT_EQ(survivors_.size(), 2u);
  }
  // Of partitions that both survivors hold.
  std::vector<std::string> KeysWithMajority() {
    const std::shared_ptr<const ClusterView> view = ViewOf(survivors_[0]);
    const auto& partitions = view->state().keyspaces(0).partitions();
    std::vector<std::string> keys;
    for (int i = 0; i < kServedKeys; ++i) {
      const uint32_t partition = PartitionOfKey(KeyOf(i), RoutingRule::kTag, kServedPartitions);
      const auto& replicas = partitions.at(static_cast<int>(partition)).replicas();
      if (Holds(replicas, survivors_[0]) && Holds(replicas, survivors_[1])) {
        keys.push_back(KeyOf(i));
      }
    }
    return keys;
  }
  // Through clients that know nobody but this node.
  void ExpectServedThrough(uint32_t machine, const std::vector<std::string>& keys) {
    const uint64_t number = ++clients_;
    SimClient client(&scheduler_, &network_, &cluster_, "survivor_client" + std::to_string(number),
                     {SimCluster::AddressOf(machine)}, number);
    for (const std::string& key : keys) {
      const std::string value = "written by " + std::to_string(number);
      const auto written = Await<client::WriteResult>([&](auto done) {
        client.core().Put(kServedKeyspace, key, value, {.timeout = kTimeout}, done);
      });
      ASSERT_TRUE(written.ok()) << machine << ", " << key << ": " << written.status;
      const auto read = Await<client::GetResult>(
          [&](auto done) { client.core().Get(kServedKeyspace, key, {.timeout = kTimeout}, done); });
      ASSERT_TRUE(read.ok()) << machine << ", " << key << ": " << read.status;
      EXPECT_EQ(read.value, value) << machine << ", " << key;
    }
  }
  void ExpectNothingCanBeCreated() {
    const auto created = Await<client::CreateKeyspaceResult>([&](auto done) {
      client_.core().CreateKeyspace("refused", {}, {.timeout = seconds(5)}, done);
    });
    EXPECT_FALSE(created.ok());
  }

  std::vector<uint32_t> victims_;
  std::vector<uint32_t> survivors_;
  // Each has a seed of its own: clients of one seed name their writes alike.
  uint64_t clients_ = 1000;
};

TEST_P(MetaOutageTest, AnyNodeServesAlsoAfterItsRestart) {
  WriteKeys(kServedKeyspace, kServedKeys, "before");
  ASSERT_NO_FATAL_FAILURE(ChooseVictims());
  for (const uint32_t machine : victims_) cluster_.Crash(machine, CrashKind::kPowerLoss);
  const std::vector<std::string> keys = KeysWithMajority();
  ASSERT_GE(keys.size(), 5u) << "too few to show anything";
  for (const uint32_t machine : survivors_) ExpectServedThrough(machine, keys);
  ExpectNothingCanBeCreated();
  for (const uint32_t machine : survivors_) cluster_.Crash(machine, CrashKind::kPowerLossWorst);
  for (const uint32_t machine : survivors_) ASSERT_TRUE(cluster_.Start(machine).ok());
  for (const uint32_t machine : survivors_) ExpectServedThrough(machine, keys);
  ExpectNothingCanBeCreated();
}

INSTANTIATE_TEST_SUITE_P(Seeds, MetaOutageTest, testing::Values(1, 2, 3));

}  // namespace
}  // namespace quorate::sim
