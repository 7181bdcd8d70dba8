// What nodes say of their replicas of one keyspace.
#ifndef TOOLS_KVCTL_PARTITION_ANSWERS_H_
#define TOOLS_KVCTL_PARTITION_ANSWERS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "nlohmann/json_fwd.hpp"
#include "quorate/client.h"
#include "tools/kvctl/context.h"

namespace quorate::kvctl {

// By node id; also of nodes that did not answer, as a failed result.
using ReplicaAnswers = std::map<uint64_t, client::ListReplicasResult>;

// Asks all of them at once. `checksum` reads all data.
ReplicaAnswers AskReplicas(Context& context, client::Client* client,
                           const std::vector<client::Node>& nodes, const std::string& keyspace,
                           bool checksum);

// What the node said of its replica of the group; null: no answer, or it holds none.
const client::ReplicaStatus* StatusOf(const ReplicaAnswers& answers, uint64_t node_id,
                                      uint64_t group_id);

// Null: no such keyspace, or it has fewer partitions.
const client::Partition* FindPartition(const client::ClusterState& state,
                                       const std::string& keyspace, uint32_t partition);

bool HasReplica(const std::vector<client::ReplicaRef>& replicas, const client::ReplicaRef& wanted);
// With those to come by an open move behind the others.
std::vector<client::ReplicaRef> AllReplicas(const client::Partition& partition);
// Their nodes, in order.
nlohmann::ordered_json NodesOf(const std::vector<client::ReplicaRef>& replicas);

}  // namespace quorate::kvctl

#endif  // TOOLS_KVCTL_PARTITION_ANSWERS_H_
