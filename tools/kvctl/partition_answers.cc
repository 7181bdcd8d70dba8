#include "tools/kvctl/partition_answers.h"

#include <algorithm>
#include <utility>

#include "nlohmann/json.hpp"
#include "tools/kvctl/ask_all.h"

namespace quorate::kvctl {

ReplicaAnswers AskReplicas(Context& context, client::Client* client,
                           const std::vector<client::Node>& nodes, const std::string& keyspace,
                           bool checksum) {
  auto answered = AskAll<client::ListReplicasResult>(nodes.size(), [&](size_t i, auto handler) {
    client->ListReplicasAsync(nodes[i].address, keyspace, checksum, context.admin_options(),
                              std::move(handler));
  });
  ReplicaAnswers answers;
  for (size_t i = 0; i < nodes.size(); ++i) {
    answers[nodes[i].id] = std::move(answered[i]);
  }
  return answers;
}

const client::ReplicaStatus* StatusOf(const ReplicaAnswers& answers, uint64_t node_id,
                                      uint64_t group_id) {
  const auto found = answers.find(node_id);
  if (found == answers.end() || !found->second.ok()) {
    return nullptr;
  }
  for (const auto& replica : found->second.replicas) {
    if (replica.group_id == group_id && !replica.keyspace.empty()) {
      return &replica;
    }
  }
  return nullptr;
}

const client::Partition* FindPartition(const client::ClusterState& state,
                                       const std::string& keyspace, uint32_t partition) {
  for (const auto& each : state.keyspaces) {
    if (each.name == keyspace && partition < each.partitions.size()) {
      return &each.partitions[partition];
    }
  }
  return nullptr;
}

bool HasReplica(const std::vector<client::ReplicaRef>& replicas, const client::ReplicaRef& wanted) {
  return std::any_of(replicas.begin(), replicas.end(), [&wanted](const auto& replica) {
    return replica.incarnation == wanted.incarnation;
  });
}

std::vector<client::ReplicaRef> AllReplicas(const client::Partition& partition) {
  std::vector<client::ReplicaRef> all = partition.replicas;
  for (const auto& replica : partition.coming) {
    if (!HasReplica(partition.replicas, replica)) {
      all.push_back(replica);
    }
  }
  return all;
}

nlohmann::ordered_json NodesOf(const std::vector<client::ReplicaRef>& replicas) {
  nlohmann::ordered_json nodes = nlohmann::ordered_json::array();
  for (const auto& replica : replicas) {
    nodes.push_back(replica.node_id);
  }
  return nodes;
}

}  // namespace quorate::kvctl
