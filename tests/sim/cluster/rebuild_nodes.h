// Three whole nodes with acknowledged writes, of which replicas are built anew.
#ifndef TESTS_SIM_CLUSTER_REBUILD_NODES_H_
#define TESTS_SIM_CLUSTER_REBUILD_NODES_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "server/cluster/cluster_view.h"
#include "tests/sim/cluster/whole_nodes.h"

namespace quorate::sim {

inline constexpr char kRebuiltKeyspace[] = "rebuilt";
inline constexpr uint32_t kRebuiltPartitions = 2;
inline constexpr int kRebuiltKeys = 40;

// A second base of fixtures, beside gtest's. Founded, and with a value in every key.
class RebuildNodes : protected WholeNodes {
 protected:
  explicit RebuildNodes(uint64_t seed) : WholeNodes(seed, 3) {
    Found(kRebuiltKeyspace, kRebuiltPartitions);
    WriteAll("first");
    // The meta group has its three voters.
    EXPECT_TRUE(scheduler_.RunUntilTrue(
        [&] { return State().meta_replicas_size() == 3 && State().meta_coming_size() == 0; },
        std::chrono::seconds(60)));
    // Nodes are numbered as they join.
    for (uint32_t machine = 1; machine <= 3; ++machine) {
      node_ids_[machine] = cluster_.node(machine)->identity().node_id;
    }
  }

  [[nodiscard]] const internal::v1::ClusterState& State() {
    view_ = cluster_.node(1)->cluster_view();
    return view_->state();
  }
  [[nodiscard]] kv::v1::PartitionPlacement Placement(uint32_t partition) {
    return State().keyspaces(0).partitions(static_cast<int>(partition));
  }
  [[nodiscard]] ReplicaId ReplicaOf(uint32_t partition, uint32_t machine) {
    const kv::v1::PartitionPlacement placement = Placement(partition);
    for (const auto& replica : placement.replicas()) {
      if (replica.node_id() == node_ids_.at(machine)) return ReplicaId(replica.incarnation());
    }
    return {};
  }

  void WriteAll(const std::string& value) { WriteKeys(kRebuiltKeyspace, kRebuiltKeys, value); }
  void ExpectAll(const std::string& value) { ExpectKeys(kRebuiltKeyspace, kRebuiltKeys, value); }

  // Asks all nodes; by node, the statuses of all replicas.
  std::map<uint32_t, std::vector<kv::v1::ReplicaStatus>> Statuses() {
    std::map<uint32_t, std::vector<kv::v1::ReplicaStatus>> all;
    for (uint32_t node = 1; node <= 3; ++node) {
      if (!cluster_.IsRunning(node)) continue;
      bool done = false;
      cluster_.node(node)->replica_host()->ListReplicas(
          true, [&](absl::StatusOr<std::vector<kv::v1::ReplicaStatus>> answer) {
            done = true;
            if (answer.ok()) all[node] = *std::move(answer);
          });
      scheduler_.RunUntilTrue([&] { return done; }, std::chrono::seconds(5));
    }
    return all;
  }
  bool AllAgree() {
    std::map<uint64_t, std::set<uint64_t>> sums;
    std::map<uint64_t, int> replicas;
    for (const auto& [node, statuses] : Statuses()) {
      for (const auto& status : statuses) {
        if (!status.fault().empty() || status.applied_index() != status.last_index()) return false;
        sums[status.group_id()].insert(status.checksum() ^ status.applied_hash());
        ++replicas[status.group_id()];
      }
    }
    for (const auto& [group, different] : sums) {
      if (different.size() != 1 || replicas[group] != 3) return false;
    }
    return sums.size() == kRebuiltPartitions + 1;
  }
  // Until no move is open and machine 3's replica of the partition is another one than `old`.
  bool AwaitRebuilt(uint32_t partition, ReplicaId old) {
    return scheduler_.RunUntilTrue(
        [&] { return Placement(partition).coming_size() == 0 && ReplicaOf(partition, 3) != old; },
        std::chrono::seconds(60));
  }
  bool AwaitAgreement() {
    for (int i = 0; i < 20; ++i) {
      scheduler_.RunFor(std::chrono::seconds(1));
      if (AllAgree()) return true;
    }
    return false;
  }

  std::shared_ptr<const ClusterView> view_;
  std::map<uint32_t, uint64_t> node_ids_;  // by machine
};

}  // namespace quorate::sim

#endif  // TESTS_SIM_CLUSTER_REBUILD_NODES_H_
