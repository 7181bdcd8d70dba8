// partition list, partition describe, locate.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "server/placement/routing_key.h"
#include "tools/kvctl/byte_argument.h"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/partition_answers.h"
#include "tools/kvctl/policy_text.h"
#include "tools/kvctl/record.h"

namespace quorate::kvctl {
namespace {

using Json = nlohmann::ordered_json;

// 64-bit sums as text: JSON numbers lose digits in many readers.
std::string Sum(uint64_t value) { return fmt::format("{:016x}", value); }

const client::KeyspaceInfo* FindKeyspace(const client::ClusterState& state,
                                         const std::string& name) {
  for (const auto& keyspace : state.keyspaces) {
    if (keyspace.name == name) {
      return &keyspace;
    }
  }
  return nullptr;
}

int FailNotFound(Context& context, std::string_view command, const std::string& keyspace) {
  client::Result result;
  result.outcome = client::Outcome::kNotDone;
  result.reason = client::Reason::kKeyspaceNotFound;
  result.status = absl::NotFoundError(fmt::format("no keyspace is named {}", keyspace));
  return context.Fail(command, result);
}

Json ReplicaJson(const client::ReplicaRef& ref, const ReplicaAnswers& answers,
                 const client::ReplicaStatus* status, bool checksum) {
  const auto answered = answers.find(ref.node_id);
  const bool reachable = answered != answers.end() && answered->second.ok();
  Json json = {{"node", ref.node_id},
               {"incarnation", status != nullptr ? status->incarnation : ref.incarnation},
               {"reachable", reachable}};
  const client::ReplicaStatus none;
  const client::ReplicaStatus& known = status != nullptr ? *status : none;
  json["role"] = NameOf(known.role);
  json["term"] = known.term;
  json["applied_index"] = known.applied_index;
  json["commit_index"] = known.commit_index;
  json["last_index"] = known.last_index;
  json["applied_hash"] = status != nullptr ? Json(Sum(known.applied_hash)) : Json();
  const bool summed = checksum && status != nullptr;
  json["checksum"] = summed ? Json(Sum(known.checksum)) : Json();
  json["checksum_index"] = summed ? Json(known.checksum_index) : Json();
  json["records"] = summed ? Json(known.records) : Json();
  json["log_bytes"] = known.log_bytes;
  json["fault"] = known.fault;
  json["returning"] = known.returning;
  return json;
}

bool HeldBy(const client::Partition& partition, uint64_t node_id) {
  return std::any_of(partition.replicas.begin(), partition.replicas.end(),
                     [node_id](const auto& replica) { return replica.node_id == node_id; });
}

// While a damaged replica is built anew its successor is on the same node, and the node's answer is
// about one of the two.
bool IsOfAnother(const client::ReplicaStatus& status, const client::ReplicaRef& ref,
                 const client::Partition& partition) {
  return status.incarnation != ref.incarnation &&
         std::any_of(
             partition.replicas.begin(), partition.replicas.end(),
             [&status](const auto& replica) { return replica.incarnation == status.incarnation; });
}

struct PartitionView {
  uint64_t leader = 0;  // 0: none known
  uint64_t term = 0;
  Json replicas = Json::array();
  std::string summary;  // "1:1042* 2:1042 3:-": node, applied index, * leads
};

PartitionView ViewOf(const client::Partition& partition, const ReplicaAnswers& answers,
                     bool checksum) {
  PartitionView view;
  for (const auto& ref : partition.replicas) {
    const auto* status = StatusOf(answers, ref.node_id, partition.group_id);
    if (status != nullptr && IsOfAnother(*status, ref, partition)) {
      status = nullptr;
    }
    const bool leads = status != nullptr && status->role == client::ReplicaRole::kLeader;
    if (leads && status->term >= view.term) {
      view.leader = ref.node_id;
      view.term = status->term;
    }
    view.replicas.push_back(ReplicaJson(ref, answers, status, checksum));
    view.summary += fmt::format("{}{}:{}{}", view.summary.empty() ? "" : " ", ref.node_id,
                                status == nullptr ? "-" : fmt::to_string(status->applied_index),
                                leads ? "*" : "");
    if (status != nullptr && checksum) {
      view.summary += fmt::format("/{}", Sum(status->checksum).substr(0, 8));
    }
    if (status != nullptr && status->returning) {
      view.summary += "(returning)";
    }
    if (status != nullptr && status->fault.empty() &&
        status->role == client::ReplicaRole::kUnspecified) {
      view.summary += "(held)";
    }
    if (status != nullptr && !status->fault.empty()) {
      view.summary += fmt::format("({})", status->fault);
    }
  }
  return view;
}

// In the open move, if there is one.
std::string_view PlaceOf(const client::Partition& partition, const client::ReplicaRef& replica) {
  if (partition.coming.empty() ||
      (HasReplica(partition.replicas, replica) && HasReplica(partition.coming, replica))) {
    return "stays";
  }
  return HasReplica(partition.coming, replica) ? "comes" : "leaves";
}

// By the leader's word; null: there is none.
std::string_view VoteOf(const client::ReplicaStatus* leader, uint64_t incarnation) {
  const auto in = [incarnation](const std::vector<uint64_t>& ids) {
    return std::find(ids.begin(), ids.end(), incarnation) != ids.end();
  };
  if (leader == nullptr || leader->voters.empty()) {
    return "unknown";
  }
  if (in(leader->voters)) {
    return "voter";
  }
  if (in(leader->voters_outgoing)) {
    return "outgoing";
  }
  return in(leader->learners) ? "learner" : "none";
}

}  // namespace

int RunPartitionList(Context& context, const PartitionFlags& flags) {
  client::Client* client = context.Connect("partition list");
  if (client == nullptr) {
    return kExitUsage;
  }
  const auto state = client->GetClusterState(context.admin_options());
  if (!state.ok()) {
    return context.Fail("partition list", state);
  }
  const client::KeyspaceInfo* keyspace = FindKeyspace(state.state, flags.keyspace);
  if (keyspace == nullptr) {
    return FailNotFound(context, "partition list", flags.keyspace);
  }
  const ReplicaAnswers answers =
      AskReplicas(context, client, state.state.nodes, flags.keyspace, flags.checksum);
  Json partitions = Json::array();
  Table table({"partition", "group", "leader", "term",
               flags.checksum ? "replicas (node:applied/checksum)" : "replicas (node:applied)"});
  for (const auto& partition : keyspace->partitions) {
    if (flags.node != 0 && !HeldBy(partition, flags.node)) {
      continue;
    }
    PartitionView view = ViewOf(partition, answers, flags.checksum);
    table.Add({fmt::to_string(partition.partition), fmt::to_string(partition.group_id),
               view.leader == 0 ? "none" : fmt::to_string(view.leader), fmt::to_string(view.term),
               view.summary});
    partitions.push_back({{"partition", partition.partition},
                          {"group", partition.group_id},
                          {"leader_node", view.leader},
                          {"replicas", std::move(view.replicas)}});
  }
  context.Print(table, {{"keyspace", flags.keyspace}, {"partitions", std::move(partitions)}},
                "partitions");
  return kExitDone;
}

int RunPartitionDescribe(Context& context, const PartitionFlags& flags) {
  client::Client* client = context.Connect("partition describe");
  if (client == nullptr) {
    return kExitUsage;
  }
  const auto state = client->GetClusterState(context.admin_options());
  if (!state.ok()) {
    return context.Fail("partition describe", state);
  }
  const client::KeyspaceInfo* keyspace = FindKeyspace(state.state, flags.keyspace);
  if (keyspace == nullptr) {
    return FailNotFound(context, "partition describe", flags.keyspace);
  }
  if (flags.partition >= keyspace->partitions.size()) {
    return context.FailUsage(
        "partition describe",
        fmt::format("PARTITION: {} has 0 to {}", flags.keyspace, keyspace->partitions.size() - 1));
  }
  const client::Partition& partition = keyspace->partitions[flags.partition];
  client::Partition both = partition;
  both.replicas = AllReplicas(partition);
  const ReplicaAnswers answers =
      AskReplicas(context, client, state.state.nodes, flags.keyspace, flags.checksum);
  PartitionView view = ViewOf(both, answers, flags.checksum);
  const client::ReplicaStatus* leader = StatusOf(answers, view.leader, partition.group_id);
  Table table({"node", "incarnation", "place", "vote", "role", "applied"});
  for (size_t i = 0; i < both.replicas.size(); ++i) {
    const client::ReplicaRef& replica = both.replicas[i];
    Json& json = view.replicas[i];
    json["place"] = PlaceOf(partition, replica);
    json["vote"] =
        json["returning"].get<bool>() ? "returning" : VoteOf(leader, replica.incarnation);
    table.Add({fmt::to_string(replica.node_id), fmt::to_string(replica.incarnation),
               json["place"].get<std::string>(), json["vote"].get<std::string>(),
               json["role"].get<std::string>(), json["applied_index"].dump()});
  }
  context.Print(table,
                {{"keyspace", flags.keyspace},
                 {"partition", partition.partition},
                 {"group", partition.group_id},
                 {"epoch", partition.epoch},
                 {"moving", !partition.coming.empty()},
                 {"leader_node", view.leader},
                 {"term", view.term},
                 {"replicas", std::move(view.replicas)}},
                "replicas");
  return kExitDone;
}

int RunLocate(Context& context, const PartitionFlags& flags) {
  const auto key = ReadByteArgument(flags.key, context.options().encoding);
  if (!key.ok()) {
    return context.FailUsage("locate", "KEY: " + std::string(key.status().message()));
  }
  client::Client* client = context.Connect("locate");
  if (client == nullptr) {
    return kExitUsage;
  }
  const auto state = client->GetClusterState(context.admin_options());
  if (!state.ok()) {
    return context.Fail("locate", state);
  }
  const client::KeyspaceInfo* keyspace = FindKeyspace(state.state, flags.keyspace);
  if (keyspace == nullptr || keyspace->partitions.empty()) {
    return FailNotFound(context, "locate", flags.keyspace);
  }
  const RoutingRule rule =
      keyspace->policy.routing == client::Routing::kWhole ? RoutingRule::kWhole : RoutingRule::kTag;
  const std::string routing_key(RoutingKey(*key, rule));
  const uint64_t hash = RoutingHash(routing_key);
  const uint32_t number = PartitionOfHash(hash, static_cast<uint32_t>(keyspace->partitions.size()));
  const client::Partition& partition = keyspace->partitions[number];
  const auto leader = state.state.leaders.find(partition.group_id);
  const uint64_t leader_node = leader == state.state.leaders.end() ? 0 : leader->second;
  std::string nodes;
  Json node_ids = Json::array();
  for (const auto& replica : partition.replicas) {
    nodes += fmt::format("{}{}", nodes.empty() ? "" : " ", replica.node_id);
    node_ids.push_back(replica.node_id);
  }
  Table table({"partition", "group", "leader", "replicas", "routing_key", "hash"});
  table.Add({fmt::to_string(number), fmt::to_string(partition.group_id),
             leader_node == 0 ? "unknown" : fmt::to_string(leader_node), nodes,
             Printable(routing_key), Sum(hash)});
  Json json = {{"keyspace", flags.keyspace}};
  SetBytes(json, "routing_key", routing_key, context.options().encoding == Encoding::kBase64);
  json["hash"] = Sum(hash);
  json["partition"] = number;
  json["group"] = partition.group_id;
  json["leader_node"] = leader_node;
  json["nodes"] = std::move(node_ids);
  context.Print(table, json);
  return kExitDone;
}

}  // namespace quorate::kvctl
