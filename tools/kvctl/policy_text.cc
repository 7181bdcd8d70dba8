#include "tools/kvctl/policy_text.h"

#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace quorate::kvctl {

std::string_view NameOf(client::Replication replication) {
  switch (replication) {
    case client::Replication::kQuorum:
      return "quorum";
    case client::Replication::kDefault:
    case client::Replication::kRaft:
      break;
  }
  return "raft";
}

std::string_view NameOf(client::Routing routing) {
  return routing == client::Routing::kWhole ? "whole" : "tag";
}

std::string_view NameOf(client::Durability durability) {
  return durability == client::Durability::kBuffered ? "buffered" : "fsync";
}

std::string_view NameOf(client::ReadMode read) {
  switch (read) {
    case client::ReadMode::kBounded:
      return "bounded";
    case client::ReadMode::kSession:
      return "session";
    case client::ReadMode::kAny:
      return "any";
    case client::ReadMode::kDefault:
    case client::ReadMode::kLinearizable:
      break;
  }
  return "linearizable";
}

std::string_view NameOf(client::LeaseUse lease) {
  return lease == client::LeaseUse::kOff ? "off" : "on";
}

std::string_view NameOf(client::ReplicaRole role) {
  switch (role) {
    case client::ReplicaRole::kFollower:
      return "follower";
    case client::ReplicaRole::kCandidate:
      return "candidate";
    case client::ReplicaRole::kLeader:
      return "leader";
    case client::ReplicaRole::kUnspecified:
      break;
  }
  return "none";
}

nlohmann::ordered_json KeyspaceJson(const client::KeyspaceInfo& keyspace) {
  const client::Policy& policy = keyspace.policy;
  return {{"name", keyspace.name},
          {"id", keyspace.id},
          {"replication", NameOf(policy.replication)},
          {"replicas", policy.replicas},
          {"partitions", policy.partitions},
          {"routing", NameOf(policy.routing)},
          {"read", NameOf(policy.read)},
          {"durability", NameOf(policy.durability)},
          {"lease", NameOf(policy.lease)},
          {"value_bytes_max", policy.value_bytes_max},
          {"policy_epoch", keyspace.policy_epoch},
          {"era", keyspace.era}};
}

Table KeyspaceTable(const std::vector<client::KeyspaceInfo>& keyspaces) {
  Table table({"keyspace", "replication", "replicas", "partitions", "read", "durability", "lease"});
  for (const auto& keyspace : keyspaces) {
    const client::Policy& policy = keyspace.policy;
    table.Add({keyspace.name, std::string(NameOf(policy.replication)),
               fmt::to_string(policy.replicas), fmt::to_string(policy.partitions),
               std::string(NameOf(policy.read)), std::string(NameOf(policy.durability)),
               std::string(NameOf(policy.lease))});
  }
  return table;
}

}  // namespace quorate::kvctl
