#include "tests/sim/cluster/move_workload.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace quorate::sim {
namespace {

using client::ClusterState;
using client::Partition;
using std::chrono::milliseconds;
using std::chrono::seconds;

bool Holds(const Partition& partition, uint64_t node_id) {
  const auto is_there = [node_id](const auto& replica) { return replica.node_id == node_id; };
  return std::any_of(partition.replicas.begin(), partition.replicas.end(), is_there) ||
         std::any_of(partition.coming.begin(), partition.coming.end(), is_there);
}

client::AdminOptions Within(Duration timeout) {
  client::AdminOptions options;
  options.timeout = timeout;
  return options;
}

}  // namespace

MoveWorkload::MoveWorkload(SimScheduler* scheduler, SimNetwork* network, SimCluster* cluster,
                           const MoveWorkloadOptions& options)
    : scheduler_(scheduler),
      options_(options),
      random_(scheduler->ForkRandom()),
      client_(scheduler, network, cluster, "operator", cluster->Addresses(), random_.Next()) {}

void MoveWorkload::Think() {
  const Duration pause = UniformDuration(random_, milliseconds(0), options_.think_max);
  scheduler_->After(pause, "operator thinks", kNoNode, [this] {
    if (!stopped_) Look(true);
  });
}

void MoveWorkload::Look(bool act) {
  ++under_way_;
  client_.core().GetClusterState(
      Within(seconds(2)), [this, act](const client::ClusterStateResult& result) {
        --under_way_;
        if (result.ok()) {
          Note(result.state);
          act ? Act(result.state) : UndoDrains(result.state);
        }
        if (act) {
          Think();
        } else if (!settled_) {
          scheduler_->After(milliseconds(200), "operator waits", kNoNode, [this] { Look(false); });
        }
      });
}

void MoveWorkload::Note(const ClusterState& state) {
  if (state.meta.epoch > meta_epoch_) {
    meta_epoch_ = state.meta.epoch;
    ++counts_.meta_moves;
  }
  settled_ = state.meta.coming.empty();
  for (const client::KeyspaceInfo& keyspace : state.keyspaces) {
    for (const Partition& partition : keyspace.partitions) {
      if (!partition.coming.empty()) {
        open_[partition.group_id];
        settled_ = false;
        continue;
      }
      const auto was_open = open_.find(partition.group_id);
      if (was_open == open_.end()) continue;
      ++counts_.finished;
      counts_.cancelled += was_open->second.cancelled ? 1 : 0;
      counts_.leader_removed +=
          was_open->second.leader_leaves && !was_open->second.cancelled ? 1 : 0;
      open_.erase(was_open);
    }
  }
}

void MoveWorkload::Act(const ClusterState& state) {
  const auto ours = std::find_if(
      state.keyspaces.begin(), state.keyspaces.end(), [this](const client::KeyspaceInfo& keyspace) {
        return keyspace.name == options_.keyspace && !keyspace.partitions.empty();
      });
  if (ours == state.keyspaces.end()) return;
  const Partition& partition = ours->partitions[UniformBelow(random_, ours->partitions.size())];
  if (!options_.moves || UniformBelow(random_, 100) < 30) {
    Transfer(state, partition);
    return;
  }
  const auto drained = std::find_if(state.nodes.begin(), state.nodes.end(),
                                    [](const client::Node& node) { return node.drained; });
  const uint64_t pick = UniformBelow(random_, 100);
  if (drained != state.nodes.end() && pick < 20) {
    Drain(drained->id, true);
    return;
  }
  if (drained == state.nodes.end() && pick < 10 && !state.nodes.empty()) {
    Drain(state.nodes[UniformBelow(random_, state.nodes.size())].id, false);
    return;
  }
  Move(state, partition);
}

void MoveWorkload::Transfer(const ClusterState& state, const Partition& partition) {
  const auto leader = state.leaders.find(partition.group_id);
  if (leader == state.leaders.end() || partition.replicas.empty()) return;
  const auto at =
      std::find_if(state.nodes.begin(), state.nodes.end(),
                   [leader](const client::Node& node) { return node.id == leader->second; });
  const uint64_t to = partition.replicas[UniformBelow(random_, partition.replicas.size())].node_id;
  if (at == state.nodes.end() || to == at->id) return;
  ++under_way_;
  ++counts_.transfers;
  client_.core().TransferLeader(
      at->address, {.keyspace = options_.keyspace, .partition = partition.partition, .to_node = to},
      Within(seconds(3)), [this](const client::TransferLeaderResult& result) {
        --under_way_;
        counts_.transfers_finished += result.ok() ? 1 : 0;
      });
}

void MoveWorkload::Move(const ClusterState& state, const Partition& partition) {
  const auto end = [this](const client::MovePartitionResult& /*result*/) { --under_way_; };
  if (!partition.coming.empty()) {
    if (UniformBelow(random_, 2) == 0) {
      open_[partition.group_id].cancelled = true;
      ++under_way_;
      client_.core().MovePartition(
          {.keyspace = options_.keyspace, .partition = partition.partition}, true,
          Within(seconds(3)), end);
    }
    return;
  }
  std::vector<uint64_t> others;
  for (const client::Node& node : state.nodes) {
    if (!Holds(partition, node.id) && !node.drained) others.push_back(node.id);
  }
  if (others.empty() || partition.replicas.empty()) return;
  const uint64_t from =
      partition.replicas[UniformBelow(random_, partition.replicas.size())].node_id;
  const auto leader = state.leaders.find(partition.group_id);
  open_[partition.group_id] = {.leader_leaves =
                                   leader != state.leaders.end() && leader->second == from};
  ++under_way_;
  client_.core().MovePartition({.keyspace = options_.keyspace,
                                .partition = partition.partition,
                                .from_node = from,
                                .to_node = others[UniformBelow(random_, others.size())]},
                               false, Within(seconds(3)), end);
}

void MoveWorkload::Drain(uint64_t node_id, bool undo) {
  ++under_way_;
  counts_.drains += undo ? 0 : 1;
  client_.core().DrainNode(node_id, undo, Within(seconds(3)),
                           [this](const client::DrainNodeResult& /*result*/) { --under_way_; });
}

void MoveWorkload::UndoDrains(const ClusterState& state) {
  for (const client::Node& node : state.nodes) {
    if (node.drained) {
      settled_ = false;
      Drain(node.id, true);
    }
  }
}

void MoveWorkload::Settle() {
  settled_ = false;
  Look(false);
}

}  // namespace quorate::sim
