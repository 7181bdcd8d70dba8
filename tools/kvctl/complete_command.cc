#include "tools/kvctl/complete_command.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "fmt/format.h"
#include "quorate/client.h"
#include "tools/kvctl/completion.h"
#include "tools/kvctl/config_file.h"
#include "tools/kvctl/exit_code.h"
#include "tools/kvctl/policy_text.h"

namespace quorate::kvctl {
namespace {

constexpr std::chrono::milliseconds kPatience(200);

std::vector<Candidate> ContextNames(const std::string& path) {
  std::vector<Candidate> names;
  if (const auto config = ReadConfig(path); config.ok()) {
    for (const auto& [name, settings] : config->contexts) {
      const auto endpoints = settings.find("endpoints");
      names.push_back({name, endpoints == settings.end() ? "" : endpoints->second});
    }
  }
  return names;
}

std::vector<Candidate> NamesOfCluster(Completion::Names wanted, const GlobalOptions& options) {
  const auto client = client::Client::Connect({.endpoints = options.endpoints});
  if (!client.ok()) {
    return {};
  }
  const auto answer = (*client)->GetClusterState(
      {.timeout = std::min<std::chrono::nanoseconds>(kPatience, options.timeout),
       .dry_run = false});
  std::vector<Candidate> names;
  if (!answer.ok()) {
    return names;
  }
  if (wanted == Completion::Names::kNodes) {
    for (const client::Node& node : answer.state.nodes) {
      names.push_back({fmt::to_string(node.id), node.address});
    }
    return names;
  }
  for (const client::KeyspaceInfo& keyspace : answer.state.keyspaces) {
    names.push_back({keyspace.name, std::string(NameOf(keyspace.policy.replication))});
  }
  return names;
}

}  // namespace

int RunComplete(const CommandInfo& root, const std::vector<std::string>& words,
                const Environment& environment) {
  Completion completion = CompleteWords(root, words);
  if (completion.names != Completion::Names::kNone) {
    std::vector<std::string> before = words;
    before.pop_back();
    const TypedLine line = ReadWords(root, before);
    if (completion.names == Completion::Names::kContexts) {
      AddNames(ContextNames(ConfigPath(line.flags, environment)), &completion);
    } else if (const auto options = ResolveSettings(line.flags, environment, /*use_context=*/true);
               options.ok()) {
      AddNames(NamesOfCluster(completion.names, *options), &completion);
    }
  }
  for (const Candidate& candidate : completion.candidates) {
    fmt::print("{}{}{}\n", candidate.word, candidate.help.empty() ? "" : "\t", candidate.help);
  }
  if (completion.files != Completion::Files::kNone) {
    fmt::print("{}\n", completion.files == Completion::Files::kPlain ? ":files" : ":@files");
  }
  return kExitDone;
}

}  // namespace quorate::kvctl
