// init, version, node list.
#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/node_answers.h"

namespace quorate::kvctl {

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
