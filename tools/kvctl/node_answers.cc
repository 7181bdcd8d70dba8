#include "tools/kvctl/node_answers.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "tools/kvctl/ask_all.h"

namespace quorate::kvctl {
namespace {

using Json = nlohmann::ordered_json;

// A node that answers nothing must not keep the others' answers from being shown.
constexpr std::chrono::seconds kStatusTimeoutMax(2);

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

// "12.3 MiB"; "-" for 0, which a node says that does not know.
std::string Bytes(uint64_t bytes) {
  static constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto number = static_cast<double>(bytes);
  size_t unit = 0;
  while (number >= 1024 && unit + 1 < kUnits.size()) {
    number /= 1024;
    ++unit;
  }
  if (bytes == 0) {
    return "-";
  }
  return fmt::format("{:.{}f} {}", number, unit == 0 ? 0 : 1, kUnits[unit]);
}

// In requests a second.
struct Rates {
  double requests = 0;
  double errors = 0;
};

// Unset: one of the two answers is missing or does not say, or the node has started anew between.
std::optional<Rates> RatesOf(uint64_t node_id, const NodeAnswers& answers,
                             const NodeAnswers* before) {
  const client::NodeStatus* now = answers.StatusOf(node_id);
  const client::NodeStatus* then = before == nullptr ? nullptr : before->StatusOf(node_id);
  const double seconds =
      before == nullptr ? 0 : std::chrono::duration<double>(answers.when - before->when).count();
  if (now == nullptr || then == nullptr || now->boot != then->boot || seconds <= 0 ||
      now->requests_total == 0 || now->requests_total < then->requests_total ||
      now->errors_total < then->errors_total) {
    return std::nullopt;
  }
  return Rates{
      .requests = static_cast<double>(now->requests_total - then->requests_total) / seconds,
      .errors = static_cast<double>(now->errors_total - then->errors_total) / seconds};
}

std::string StateOf(const client::NodeStatusResult& answer) {
  if (!answer.ok()) {
    return "no answer";
  }
  const client::NodeStatus& status = answer.node;
  return status.ready                      ? "ready"
         : status.not_ready_reason.empty() ? "not ready"
                                           : status.not_ready_reason;
}

// A node that is gone for good may have left its address to a new one, whose word is not its own.
void RefuseStranger(uint64_t node_id, client::NodeStatusResult* answer) {
  if (!answer->ok() || answer->node.node_id == node_id) {
    return;
  }
  answer->outcome = client::Outcome::kNotDone;
  answer->reason = client::Reason::kUnreachable;
  answer->status =
      absl::UnavailableError(fmt::format("node {} answers at this address", answer->node.node_id));
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
          {"leaders", status.leaders},
          {"requests_total", status.requests_total},
          {"errors_total", status.errors_total},
          {"memory_bytes", status.memory_bytes},
          {"disk_bytes", status.disk_bytes}};
}

}  // namespace

const client::NodeStatus* NodeAnswers::StatusOf(uint64_t node_id) const {
  for (size_t i = 0; i < statuses.size(); ++i) {
    if (state.nodes[i].id == node_id && statuses[i].ok()) {
      return &statuses[i].node;
    }
  }
  return nullptr;
}

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
  answers->when = std::chrono::steady_clock::now();
  for (size_t i = 0; i < nodes.size(); ++i) {
    RefuseStranger(nodes[i].id, &answers->statuses[i]);
  }
  return true;
}

uint64_t MetaLeader(const client::ClusterState& state) {
  const auto leader = state.leaders.find(0);
  return leader == state.leaders.end() ? 0 : leader->second;
}

std::string HealthLine(const NodeAnswers& answers) {
  size_t ready = 0;
  std::string elsewhere;
  for (size_t i = 0; i < answers.statuses.size(); ++i) {
    const client::NodeStatusResult& answer = answers.statuses[i];
    ready += answer.ok() && answer.node.ready ? 1 : 0;
    if (answer.ok() && answer.node.epoch != answers.state.epoch) {
      elsewhere += fmt::format("{}node {} at epoch {}", elsewhere.empty() ? "" : ", ",
                               answers.state.nodes[i].id, answer.node.epoch);
    }
  }
  return fmt::format("{} of {} nodes ready, {}", ready, answers.statuses.size(),
                     elsewhere.empty()
                         ? fmt::format("all that answer at epoch {}", answers.state.epoch)
                         : elsewhere);
}

Table NodeTable(const NodeAnswers& answers, const NodeAnswers* before) {
  std::vector<std::string> columns = {"id",   "address", "state", "leaders", "replicas",
                                      "zone", "weight",  "epoch", "uptime",  "version"};
  if (before != nullptr) {
    columns.insert(columns.end(), {"requests_per_second", "errors_per_second", "memory", "disk"});
  }
  Table table(columns);
  for (size_t i = 0; i < answers.statuses.size(); ++i) {
    const client::Node& node = answers.state.nodes[i];
    const client::NodeStatusResult& answer = answers.statuses[i];
    const client::NodeStatus& status = answer.node;
    std::vector<std::string> row = {fmt::to_string(node.id), node.address, StateOf(answer)};
    const auto add = [&](const std::string& cell) { row.push_back(answer.ok() ? cell : "-"); };
    add(fmt::to_string(status.leaders));
    add(fmt::to_string(status.replicas));
    row.insert(row.end(), {node.zone, fmt::to_string(node.weight)});
    add(fmt::to_string(status.epoch));
    add(Uptime(status.uptime_ms));
    add(status.version);
    if (before != nullptr) {
      const auto rates = RatesOf(node.id, answers, before);
      add(rates ? fmt::format("{:.1f}", rates->requests) : "-");
      add(rates ? fmt::format("{:.1f}", rates->errors) : "-");
      add(Bytes(status.memory_bytes));
      add(Bytes(status.disk_bytes));
    }
    table.Add(std::move(row), !answer.ok()    ? Table::Mark::kBad
                              : !status.ready ? Table::Mark::kWarning
                                              : Table::Mark::kNone);
  }
  return table;
}

Json NodesJson(const NodeAnswers& answers, const NodeAnswers* before) {
  Json nodes = Json::array();
  for (size_t i = 0; i < answers.statuses.size(); ++i) {
    const client::Node& node = answers.state.nodes[i];
    Json json = NodeJson(node, answers.statuses[i]);
    if (before != nullptr) {
      const auto rates = RatesOf(node.id, answers, before);
      json["requests_per_second"] = rates ? Json(rates->requests) : Json();
      json["errors_per_second"] = rates ? Json(rates->errors) : Json();
    }
    nodes.push_back(std::move(json));
  }
  return nodes;
}

}  // namespace quorate::kvctl
