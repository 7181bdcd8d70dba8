// What every node of a cluster says of itself; as a table and as JSON.
#ifndef TOOLS_KVCTL_NODE_ANSWERS_H_
#define TOOLS_KVCTL_NODE_ANSWERS_H_

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "nlohmann/json_fwd.hpp"
#include "quorate/cluster.h"
#include "tools/kvctl/context.h"
#include "tools/kvctl/table.h"

namespace quorate::kvctl {

struct NodeAnswers {
  client::ClusterState state;
  std::vector<client::NodeStatusResult> statuses;  // as state.nodes
  std::chrono::steady_clock::time_point when;

  // Null: it did not answer.
  [[nodiscard]] const client::NodeStatus* StatusOf(uint64_t node_id) const;
};

// The cluster's state and each node's own word. False: reported, the exit code is in *code.
bool AskNodes(Context& context, std::string_view command, NodeAnswers* answers, int* code);

// The node that leads the meta group, 0: none known.
uint64_t MetaLeader(const client::ClusterState& state);

// "3 of 3 nodes ready, all at epoch 12", or who is not.
std::string HealthLine(const NodeAnswers& answers);

// `before`: earlier answers to take rates from; null: without columns of rates.
Table NodeTable(const NodeAnswers& answers, const NodeAnswers* before = nullptr);
nlohmann::ordered_json NodesJson(const NodeAnswers& answers, const NodeAnswers* before = nullptr);

}  // namespace quorate::kvctl

#endif  // TOOLS_KVCTL_NODE_ANSWERS_H_
