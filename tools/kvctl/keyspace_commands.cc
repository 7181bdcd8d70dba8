// keyspace create, describe, list, drop.
#include <unistd.h>

#include <iostream>
#include <string>
#include <utility>

#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "quorate/explain.h"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/policy_text.h"

namespace quorate::kvctl {
namespace {

using Json = nlohmann::ordered_json;

client::Policy PolicyFrom(const KeyspaceFlags& flags) {
  client::Policy policy;
  if (!flags.replication.empty()) {
    policy.replication =
        flags.replication == "quorum" ? client::Replication::kQuorum : client::Replication::kRaft;
  }
  if (!flags.routing.empty()) {
    policy.routing = flags.routing == "whole" ? client::Routing::kWhole : client::Routing::kTag;
  }
  if (!flags.durability.empty()) {
    policy.durability =
        flags.durability == "buffered" ? client::Durability::kBuffered : client::Durability::kFsync;
  }
  if (!flags.lease.empty()) {
    policy.lease = flags.lease == "off" ? client::LeaseUse::kOff : client::LeaseUse::kOn;
  }
  policy.replicas = flags.replicas;
  policy.partitions = flags.partitions;
  policy.value_bytes_max = flags.value_bytes_max;
  return policy;
}

// The policy with what it means, one property a row.
void PrintDescription(Context& context, const client::KeyspaceInfo& keyspace, Json json) {
  const client::PolicyExplanation explained = client::Explain(keyspace.policy);
  json["pacelc"] = explained.pacelc;
  json["during_partition"] = explained.during_partition;
  json["read_cost"] = explained.read_cost;
  json["write_cost"] = explained.write_cost;
  json["survives"] = explained.survives;
  Table table({"property", "value"});
  for (const auto& [name, value] : json.items()) {
    table.Add({name, value.is_string() ? value.get<std::string>() : value.dump()});
  }
  context.Print(table, json);
}

// What was typed, or nothing when there is nobody to ask.
bool Confirmed(const std::string& name) {
  if (isatty(STDIN_FILENO) == 0) {
    return false;
  }
  fmt::print(stderr, "This removes the keyspace and all its data. Type its name to go on: ");
  std::string typed;
  std::getline(std::cin, typed);
  return typed == name;
}

}  // namespace

int RunKeyspaceCreate(Context& context, const KeyspaceFlags& flags) {
  client::Client* client = context.Connect("keyspace create");
  if (client == nullptr) {
    return kExitUsage;
  }
  client::AdminOptions options = context.admin_options();
  options.dry_run = flags.dry_run;
  const auto result = client->CreateKeyspace(flags.name, PolicyFrom(flags), options);
  if (!result.ok()) {
    return context.Fail("keyspace create", result);
  }
  Json json = KeyspaceJson(result.keyspace);
  json["created"] = result.created;
  if (flags.dry_run) {
    json["dry_run"] = true;
  }
  PrintDescription(context, result.keyspace, std::move(json));
  return kExitDone;
}

int RunKeyspaceDescribe(Context& context, const KeyspaceFlags& flags) {
  client::Client* client = context.Connect("keyspace describe");
  if (client == nullptr) {
    return kExitUsage;
  }
  auto state = client->GetClusterState(context.admin_options());
  if (!state.ok()) {
    return context.Fail("keyspace describe", state);
  }
  for (const auto& keyspace : state.state.keyspaces) {
    if (keyspace.name == flags.name) {
      PrintDescription(context, keyspace, KeyspaceJson(keyspace));
      return kExitDone;
    }
  }
  state.outcome = client::Outcome::kNotDone;
  state.reason = client::Reason::kKeyspaceNotFound;
  state.status = absl::NotFoundError(fmt::format("no keyspace is named {}", flags.name));
  return context.Fail("keyspace describe", state);
}

int RunKeyspaceList(Context& context) {
  client::Client* client = context.Connect("keyspace list");
  if (client == nullptr) {
    return kExitUsage;
  }
  const auto state = client->GetClusterState(context.admin_options());
  if (!state.ok()) {
    return context.Fail("keyspace list", state);
  }
  Json keyspaces = Json::array();
  for (const auto& keyspace : state.state.keyspaces) {
    keyspaces.push_back(KeyspaceJson(keyspace));
  }
  context.Print(KeyspaceTable(state.state.keyspaces), {{"keyspaces", std::move(keyspaces)}},
                "keyspaces");
  return kExitDone;
}

int RunKeyspaceDrop(Context& context, const KeyspaceFlags& flags) {
  if (!flags.yes && !flags.dry_run && !Confirmed(flags.name)) {
    return context.FailUsage("keyspace drop",
                             "not confirmed; nothing was dropped (--yes goes on without asking)");
  }
  client::Client* client = context.Connect("keyspace drop");
  if (client == nullptr) {
    return kExitUsage;
  }
  client::AdminOptions options = context.admin_options();
  options.dry_run = flags.dry_run;
  const auto result = client->DropKeyspace(flags.name, options);
  if (!result.ok()) {
    return context.Fail("keyspace drop", result);
  }
  Table table({"keyspace", "dropped"});
  table.Add({flags.name, flags.dry_run ? "no (dry run)" : "yes"});
  context.Print(table, {{"name", flags.name}, {"dropped", !flags.dry_run}});
  return kExitDone;
}

}  // namespace quorate::kvctl
