// partition move, partition transfer-leader, node drain.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/partition_answers.h"

namespace quorate::kvctl {
namespace {

using Json = nlohmann::ordered_json;

// Between two looks whether what was begun is through.
constexpr std::chrono::milliseconds kWaitInterval{300};

bool Holds(const std::vector<client::ReplicaRef>& replicas, uint64_t node_id) {
  return std::any_of(replicas.begin(), replicas.end(),
                     [node_id](const auto& replica) { return replica.node_id == node_id; });
}

// Until no move of the partition is open, going by a state at least as new as `begun`. False:
// reported, the exit code is in *code.
bool AwaitMove(Context& context, client::Client* client, const MoveFlags& flags,
               client::Partition* begun, int* code) {
  const uint64_t epoch = begun->epoch;
  while (begun->epoch <= epoch || !begun->coming.empty()) {
    std::this_thread::sleep_for(kWaitInterval);
    const auto state = client->GetClusterState(context.admin_options());
    if (!state.ok()) {
      *code = context.Fail("partition move", state);
      return false;
    }
    const client::Partition* now = FindPartition(state.state, flags.keyspace, flags.partition);
    if (now == nullptr || now->group_id != begun->group_id) {
      *code = context.FailAs("partition move", kExitNotFound, "KEYSPACE_NOT_FOUND",
                             "the keyspace was dropped meanwhile");
      return false;
    }
    if (now->epoch >= begun->epoch) {
      *begun = *now;
    }
  }
  return true;
}

void PrintMove(Context& context, const MoveFlags& flags, const client::Partition& partition,
               bool changed) {
  std::string state = partition.coming.empty() ? "done" : "moving";
  if (flags.cancel) {
    state = partition.coming.empty() ? "none open" : "turning back";
  }
  if (flags.dry_run && changed) {
    state = "would " + std::string(flags.cancel ? "turn back" : "move");
  }
  const Json replicas = NodesOf(partition.replicas);
  const Json coming = NodesOf(partition.coming);
  Table table({"keyspace", "partition", "group", "replicas", "coming", "state"});
  table.Add({flags.keyspace, fmt::to_string(partition.partition),
             fmt::to_string(partition.group_id), replicas.dump(), coming.dump(), state});
  context.Print(table, {{"keyspace", flags.keyspace},
                        {"partition", partition.partition},
                        {"group", partition.group_id},
                        {"epoch", partition.epoch},
                        {"replicas", replicas},
                        {"coming", coming},
                        {"state", state},
                        {"changed", changed && !flags.dry_run}});
}

// The first node is asked first; the others only where it does not lead.
client::TransferLeaderResult AskLeader(Context& context, client::Client* client,
                                       const client::ClusterState& state,
                                       const client::Partition& partition,
                                       const client::PartitionMove& to) {
  std::vector<uint64_t> order;
  if (const auto hint = state.leaders.find(partition.group_id); hint != state.leaders.end()) {
    order.push_back(hint->second);
  }
  for (const auto* list : {&partition.replicas, &partition.coming}) {
    for (const auto& replica : *list) {
      if (std::find(order.begin(), order.end(), replica.node_id) == order.end()) {
        order.push_back(replica.node_id);
      }
    }
  }
  client::TransferLeaderResult result;
  for (const uint64_t node_id : order) {
    for (const auto& node : state.nodes) {
      if (node.id == node_id) {
        result = client->TransferLeader(node.address, to, context.admin_options());
      }
    }
    if (result.ok() || result.reason == client::Reason::kInvalidArgument) {
      break;
    }
  }
  return result;
}

// How many replicas the node has, or is about to get.
size_t ReplicasAt(const client::ClusterState& state, uint64_t node_id) {
  size_t count = Holds(state.meta.replicas, node_id) || Holds(state.meta.coming, node_id) ? 1 : 0;
  for (const auto& keyspace : state.keyspaces) {
    for (const auto& partition : keyspace.partitions) {
      count += Holds(partition.replicas, node_id) || Holds(partition.coming, node_id) ? 1 : 0;
    }
  }
  return count;
}

}  // namespace

int RunPartitionMove(Context& context, const MoveFlags& flags) {
  if (!flags.cancel && (flags.from == 0 || flags.to == 0)) {
    return context.FailUsage("partition move", "--from and --to say which replica goes where");
  }
  client::Client* client = context.Connect("partition move");
  if (client == nullptr) {
    return kExitUsage;
  }
  client::AdminOptions options = context.admin_options();
  options.dry_run = flags.dry_run;
  auto result = flags.cancel ? client->CancelMove(flags.keyspace, flags.partition, options)
                             : client->MovePartition({.keyspace = flags.keyspace,
                                                      .partition = flags.partition,
                                                      .from_node = flags.from,
                                                      .to_node = flags.to},
                                                     options);
  if (!result.ok()) {
    return context.Fail("partition move", result);
  }
  int code = kExitDone;
  if (flags.wait && !flags.dry_run && !result.partition.coming.empty()) {
    if (!AwaitMove(context, client, flags, &result.partition, &code)) {
      return code;
    }
    if (!flags.cancel && !Holds(result.partition.replicas, flags.to)) {
      return context.FailAs("partition move", kExitRefused, "CANCELLED",
                            "the move was turned back meanwhile");
    }
  }
  PrintMove(context, flags, result.partition, result.changed);
  return kExitDone;
}

int RunTransferLeader(Context& context, const MoveFlags& flags) {
  client::Client* client = context.Connect("partition transfer-leader");
  if (client == nullptr) {
    return kExitUsage;
  }
  const auto state = client->GetClusterState(context.admin_options());
  if (!state.ok()) {
    return context.Fail("partition transfer-leader", state);
  }
  const client::Partition* partition = FindPartition(state.state, flags.keyspace, flags.partition);
  if (partition == nullptr) {
    return context.FailAs(
        "partition transfer-leader", kExitNotFound, "KEYSPACE_NOT_FOUND",
        fmt::format("no partition {} of a keyspace {}", flags.partition, flags.keyspace));
  }
  const auto result =
      AskLeader(context, client, state.state, *partition,
                {.keyspace = flags.keyspace, .partition = flags.partition, .to_node = flags.to});
  if (!result.ok()) {
    return context.Fail("partition transfer-leader", result);
  }
  Table table({"keyspace", "partition", "leader"});
  table.Add({flags.keyspace, fmt::to_string(flags.partition), fmt::to_string(result.leader_node)});
  context.Print(table, {{"keyspace", flags.keyspace},
                        {"partition", flags.partition},
                        {"leader_node", result.leader_node}});
  return kExitDone;
}

int RunNodeDrain(Context& context, const DrainFlags& flags) {
  client::Client* client = context.Connect("node drain");
  if (client == nullptr) {
    return kExitUsage;
  }
  client::AdminOptions options = context.admin_options();
  options.dry_run = flags.dry_run;
  auto result = client->DrainNode(flags.node, flags.undo, options);
  if (!result.ok()) {
    return context.Fail("node drain", result);
  }
  size_t left_before = 0;
  while (flags.wait && !flags.undo && !flags.dry_run) {
    const auto state = client->GetClusterState(context.admin_options());
    if (!state.ok()) {
      return context.Fail("node drain", state);
    }
    const size_t left = ReplicasAt(state.state, flags.node);
    if (left == 0) {
      result.moves.clear();
      break;
    }
    if (left != left_before && isatty(STDERR_FILENO) != 0) {
      fmt::print(stderr, "node {}: {} replicas left\n", flags.node, left);
      left_before = left;
    }
    std::this_thread::sleep_for(kWaitInterval);
  }
  Table table({"node", "drained", "keyspace", "partition", "to"});
  Json moves = Json::array();
  const std::string drained = result.node.drained ? "yes" : "no";
  for (const auto& move : result.moves) {
    table.Add({fmt::to_string(flags.node), drained,
               move.keyspace.empty() ? "(meta)" : move.keyspace, fmt::to_string(move.partition),
               fmt::to_string(move.to_node)});
    moves.push_back(
        {{"keyspace", move.keyspace}, {"partition", move.partition}, {"to_node", move.to_node}});
  }
  if (result.moves.empty()) {
    table.Add({fmt::to_string(flags.node), drained, "", "", ""});
  }
  context.Print(table, {{"node", flags.node},
                        {"drained", result.node.drained},
                        {"changed", result.changed && !flags.dry_run},
                        {"moves", std::move(moves)}});
  return kExitDone;
}

}  // namespace quorate::kvctl
