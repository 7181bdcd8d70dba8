// Keyspaces and their policies in words and JSON; how their knobs are spelled on the command line.
#ifndef TOOLS_KVCTL_POLICY_TEXT_H_
#define TOOLS_KVCTL_POLICY_TEXT_H_

#include <string>
#include <string_view>
#include <vector>

#include "nlohmann/json_fwd.hpp"
#include "quorate/cluster.h"
#include "tools/kvctl/table.h"

namespace quorate::kvctl {

std::string_view NameOf(client::Replication replication);
std::string_view NameOf(client::Routing routing);
std::string_view NameOf(client::Durability durability);
std::string_view NameOf(client::ReadMode read);
std::string_view NameOf(client::LeaseUse lease);
std::string_view NameOf(client::ReplicaRole role);

// name, id, the policy's knobs, and the counts of partitions.
nlohmann::ordered_json KeyspaceJson(const client::KeyspaceInfo& keyspace);
Table KeyspaceTable(const std::vector<client::KeyspaceInfo>& keyspaces);

}  // namespace quorate::kvctl

#endif  // TOOLS_KVCTL_POLICY_TEXT_H_
