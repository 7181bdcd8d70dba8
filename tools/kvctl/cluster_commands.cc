// init, status, version, node list.
#include <algorithm>
#include <chrono>
#include <vector>

#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "tools/kvctl/ask_all.h"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/policy_text.h"

namespace quorate::kvctl {
namespace {

using Json = nlohmann::ordered_json;

// A node that answers nothing must not keep the others' answers from being shown.
constexpr std::chrono::seconds kStatusTimeoutMax(2);

struct NodeAnswers {
  client::ClusterState state;
  std::vector<client::NodeStatusResult> statuses;  // as state.nodes
};

std::string Uptime(uint64_t milliseconds) {
  const uint64_t seconds = milliseconds / 1000;
  if (seconds < 60) {
    return fmt::format("{}s", seconds);
  }
  if (seconds < 3600) {
    return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
  }
  return fmt::format("{}h{:02}m", seconds / 3600, seconds / 60 % 60);
}

// The cluster's state and each node's own word. False: reported, the exit code is in *code.
bool AskNodes(Context& context, std::string_view command, NodeAnswers* answers, int* code) {
  client::Client* client = context.Connect(command);
  if (client == nullptr) {
    *code = kExitUsage;
    return false;
  }
  auto state = client->GetClusterState(context.admin_options());
  if (!state.ok()) {
    *code = context.Fail(command, state);
    return false;
  }
  answers->state = std::move(state.state);
  client::AdminOptions options = context.admin_options();
  options.timeout = std::min<std::chrono::nanoseconds>(options.timeout, kStatusTimeoutMax);
  const auto& nodes = answers->state.nodes;
  answers->statuses = AskAll<client::NodeStatusResult>(nodes.size(), [&](size_t i, auto handler) {
    client->NodeStatusAsync(nodes[i].address, options, std::move(handler));
  });
  return true;
}

Json NodeJson(const client::Node& node, const client::NodeStatusResult& answer) {
  const client::NodeStatus& status = answer.node;
  return {{"id", node.id},
          {"address", node.address},
          {"peer_address", node.peer_address},
          {"http_address", node.http_address},
          {"zone", node.zone},
          {"weight", node.weight},
          {"alive", answer.ok()},
          {"ready", answer.ok() && status.ready},
          {"not_ready_reason",
           answer.ok() ? status.not_ready_reason : std::string(answer.status.message())},
          {"version", status.version},
          {"boot", status.boot},
          {"uptime_ms", status.uptime_ms},
          {"epoch", status.epoch},
          {"replicas", status.replicas},
          {"leaders", status.leaders}};
}

Table NodeTable(const NodeAnswers& answers) {
  Table table({"id", "address", "state", "leaders", "replicas", "zone", "weight", "epoch", "uptime",
               "version"});
  for (size_t i = 0; i < answers.statuses.size(); ++i) {
    const client::Node& node = answers.state.nodes[i];
    const client::NodeStatusResult& answer = answers.statuses[i];
    const client::NodeStatus& status = answer.node;
    if (!answer.ok()) {
      table.Add({fmt::to_string(node.id), node.address, "no answer", "-", "-", node.zone,
                 fmt::to_string(node.weight), "-", "-", "-"});
      continue;
    }
    const std::string state = status.ready                      ? "ready"
                              : status.not_ready_reason.empty() ? "not ready"
                                                                : status.not_ready_reason;
    table.Add({fmt::to_string(node.id), node.address, state, fmt::to_string(status.leaders),
               fmt::to_string(status.replicas), node.zone, fmt::to_string(node.weight),
               fmt::to_string(status.epoch), Uptime(status.uptime_ms), status.version});
  }
  return table;
}

Json NodesJson(const NodeAnswers& answers) {
  Json nodes = Json::array();
  for (size_t i = 0; i < answers.statuses.size(); ++i) {
    nodes.push_back(NodeJson(answers.state.nodes[i], answers.statuses[i]));
  }
  return nodes;
}

}  // namespace

int RunInit(Context& context, const InitFlags& flags) {
  client::Client* client = context.Connect("init");
  if (client == nullptr) {
    return kExitUsage;
  }
  // Only ever one node: an init without an answer that is carried to another one could make two
  // clusters.
  const std::string& address = context.options().endpoints.front();
  const auto result = client->Init(address, flags.force, context.admin_options());
  if (!result.ok()) {
    return context.Fail("init", result);
  }
  Table table({"cluster", "node", "created"});
  table.Add({result.cluster_id, fmt::to_string(result.node_id), result.created ? "yes" : "no"});
  context.Print(table, {{"cluster_id", result.cluster_id},
                        {"node_id", result.node_id},
                        {"created", result.created}});
  return kExitDone;
}

int RunStatus(Context& context) {
  NodeAnswers answers;
  int code = kExitDone;
  if (!AskNodes(context, "status", &answers, &code)) {
    return code;
  }
  const client::ClusterState& state = answers.state;
  Json keyspaces = Json::array();
  for (const auto& keyspace : state.keyspaces) {
    keyspaces.push_back(KeyspaceJson(keyspace));
  }
  const auto meta = state.leaders.find(0);
  const Json json = {{"cluster_id", state.cluster_id},
                     {"epoch", state.epoch},
                     {"meta_leader", meta == state.leaders.end() ? 0 : meta->second},
                     {"nodes", NodesJson(answers)},
                     {"keyspaces", std::move(keyspaces)}};
  if (context.format() == Format::kTable) {
    context.Write(fmt::format("cluster {}, epoch {}\n\n", state.cluster_id, state.epoch));
    context.Print(NodeTable(answers), json);
    context.Write("\n");
    context.Print(KeyspaceTable(state.keyspaces), json);
    return kExitDone;
  }
  context.Print(NodeTable(answers), json);
  return kExitDone;
}

int RunNodeList(Context& context) {
  NodeAnswers answers;
  int code = kExitDone;
  if (!AskNodes(context, "node list", &answers, &code)) {
    return code;
  }
  context.Print(NodeTable(answers), {{"nodes", NodesJson(answers)}}, "nodes");
  return kExitDone;
}

int RunVersion(Context& context) {
  Table table({"version"});
  table.Add({QUORATE_VERSION});
  if (context.format() == Format::kTable || context.format() == Format::kPlain) {
    context.Write("kvctl " QUORATE_VERSION "\n");
  } else {
    context.Print(table, {{"version", QUORATE_VERSION}});
  }
  return kExitDone;
}

}  // namespace quorate::kvctl
