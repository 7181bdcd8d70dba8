#include "server/cluster/cluster_state.h"

#include <algorithm>
#include <set>
#include <utility>

#include "fmt/format.h"
#include "proto/error_detail.h"
#include "server/cluster/cluster_state_moves.h"
#include "server/cluster/keyspace_policy.h"

namespace quorate {
namespace {

using internal::v1::ClusterCommand;
using internal::v1::ClusterState;
using internal::v1::NodeRecord;

absl::Status CheckNodeRecord(const NodeRecord& record) {
  if (record.disk_id().size() != kIdBytes) {
    return InvalidField("node.disk_id",
                        fmt::format("must be {} bytes, not {}", kIdBytes, record.disk_id().size()));
  }
  if (record.node().peer_address().empty()) {
    return InvalidField("node.peer_address", "must not be empty");
  }
  if (record.node().weight() == 0) {
    return InvalidField("node.weight", "must be at least 1");
  }
  return absl::OkStatus();
}

absl::Status NotDone(kv::v1::Reason reason, const std::string& message) {
  return MakeError(reason, kv::v1::OUTCOME_NOT_DONE, message);
}

absl::Status ApplyInit(ClusterState* state, const internal::v1::InitCluster& init) {
  if (state->epoch() != 0) {
    if (state->cluster_id() == init.cluster_id()) {
      return absl::OkStatus();
    }
    return NotDone(
        kv::v1::REASON_WRONG_CLUSTER,
        fmt::format("the node belongs to cluster {} already", HexId(state->cluster_id())));
  }
  if (init.cluster_id().size() != kIdBytes) {
    return InvalidField(
        "cluster_id", fmt::format("must be {} bytes, not {}", kIdBytes, init.cluster_id().size()));
  }
  if (init.meta_incarnation() == 0) {
    return InvalidField("meta_incarnation", "must not be 0");
  }
  if (absl::Status status = CheckNodeRecord(init.first_node()); !status.ok()) {
    return status;
  }
  state->set_format(kClusterStateFormat);
  state->set_cluster_id(init.cluster_id());
  state->set_epoch(1);
  NodeRecord* node = state->add_nodes();
  *node = init.first_node();
  node->mutable_node()->set_node_id(1);
  state->set_next_node_id(2);
  state->set_next_keyspace_id(1);
  state->set_next_group_id(1);
  state->set_next_incarnation(init.meta_incarnation() + 1);
  kv::v1::ReplicaRef* meta = state->add_meta_replicas();
  meta->set_node_id(1);
  meta->set_incarnation(init.meta_incarnation());
  return absl::OkStatus();
}

absl::Status ApplyUpsertNode(ClusterState* state, const NodeRecord& record) {
  if (absl::Status status = CheckNodeRecord(record); !status.ok()) {
    return status;
  }
  const auto found = std::find_if(
      state->mutable_nodes()->begin(), state->mutable_nodes()->end(),
      [&record](const NodeRecord& node) { return node.disk_id() == record.disk_id(); });
  if (found == state->mutable_nodes()->end()) {
    NodeRecord* node = state->add_nodes();  // ids grow, so the list stays sorted
    *node = record;
    node->mutable_node()->set_node_id(state->next_node_id());
    node->mutable_node()->set_drained(false);
    state->set_next_node_id(state->next_node_id() + 1);
  } else {
    if (record.boot() < found->boot()) {
      return absl::AbortedError(fmt::format(
          "node {} was started {} times already, and this is start {}: an announcement that came "
          "late, or a data folder rolled back",
          found->node().node_id(), found->boot(), record.boot()));
    }
    if (SameAnnouncement(*found, record)) {
      return absl::OkStatus();
    }
    const uint64_t node_id = found->node().node_id();
    const bool drained = found->node().drained();
    *found = record;
    found->mutable_node()->set_node_id(node_id);
    found->mutable_node()->set_drained(drained);
  }
  state->set_epoch(state->epoch() + 1);
  return absl::OkStatus();
}

// The plan names existing nodes, each once in a partition, and as many as the policy says.
absl::Status CheckPlan(const ClusterState& state, const kv::v1::Keyspace& keyspace) {
  if (keyspace.partitions_size() != static_cast<int>(keyspace.policy().partitions())) {
    return InvalidField("keyspace.partitions",
                        fmt::format("planned {} partitions, the policy says {}",
                                    keyspace.partitions_size(), keyspace.policy().partitions()));
  }
  for (int i = 0; i < keyspace.partitions_size(); ++i) {
    const kv::v1::PartitionPlacement& partition = keyspace.partitions(i);
    std::set<uint64_t> owners;
    for (const kv::v1::ReplicaRef& replica : partition.replicas()) {
      if (FindNode(state, replica.node_id()) == nullptr) {
        return InvalidField("keyspace.partitions",
                            fmt::format("partition {} is planned on node {}, which does not exist",
                                        i, replica.node_id()));
      }
      owners.insert(replica.node_id());
    }
    if (owners.size() != keyspace.policy().replicas() ||
        partition.replicas_size() != static_cast<int>(owners.size())) {
      return InvalidField("keyspace.partitions",
                          fmt::format("partition {} is planned on {} nodes, the policy says {}", i,
                                      owners.size(), keyspace.policy().replicas()));
    }
  }
  return absl::OkStatus();
}

void AssignIds(ClusterState* state, kv::v1::Keyspace* keyspace) {
  keyspace->set_keyspace_id(state->next_keyspace_id());
  state->set_next_keyspace_id(state->next_keyspace_id() + 1);
  state->set_era(state->era() + 1);
  keyspace->set_era(state->era());
  keyspace->set_policy_epoch(1);
  uint32_t number = 0;
  for (kv::v1::PartitionPlacement& partition : *keyspace->mutable_partitions()) {
    partition.set_partition(number++);
    partition.set_group_id(state->next_group_id());
    state->set_next_group_id(state->next_group_id() + 1);
    partition.set_epoch(1);
    partition.clear_coming();
    for (kv::v1::ReplicaRef& replica : *partition.mutable_replicas()) {
      replica.set_incarnation(state->next_incarnation());
      replica.set_joined(false);
      state->set_next_incarnation(state->next_incarnation() + 1);
    }
  }
}

absl::Status ApplyCreateKeyspace(ClusterState* state, const internal::v1::CreateKeyspace& create) {
  const kv::v1::Keyspace& asked = create.keyspace();
  if (absl::Status status = CheckKeyspaceName("name", asked.name()); !status.ok()) {
    return status;
  }
  const absl::StatusOr<kv::v1::KeyspacePolicy> policy = CompletePolicy(asked.policy());
  if (!policy.ok()) {
    return policy.status();
  }
  if (const kv::v1::Keyspace* found = FindKeyspace(*state, asked.name()); found != nullptr) {
    if (SamePolicy(found->policy(), *policy)) {
      return absl::OkStatus();
    }
    return NotDone(kv::v1::REASON_KEYSPACE_EXISTS,
                   fmt::format("keyspace {} exists with another policy", asked.name()));
  }
  if (create.planned_epoch() != state->epoch()) {
    return absl::AbortedError(fmt::format("planned on epoch {}, the state is at {}: plan again",
                                          create.planned_epoch(), state->epoch()));
  }
  kv::v1::Keyspace keyspace = asked;
  *keyspace.mutable_policy() = *policy;
  if (absl::Status status = CheckPlan(*state, keyspace); !status.ok()) {
    return status;
  }
  AssignIds(state, &keyspace);
  *state->add_keyspaces() = std::move(keyspace);
  std::sort(
      state->mutable_keyspaces()->begin(), state->mutable_keyspaces()->end(),
      [](const kv::v1::Keyspace& a, const kv::v1::Keyspace& b) { return a.name() < b.name(); });
  state->set_epoch(state->epoch() + 1);
  return absl::OkStatus();
}

absl::Status ApplyDropKeyspace(ClusterState* state, const internal::v1::DropKeyspace& drop) {
  auto* keyspaces = state->mutable_keyspaces();
  const auto found = std::find_if(
      keyspaces->begin(), keyspaces->end(),
      [&drop](const kv::v1::Keyspace& keyspace) { return keyspace.name() == drop.name(); });
  const bool present = found != keyspaces->end() && found->keyspace_id() == drop.keyspace_id();
  if (!present) {
    // An id already given and no longer there: the repeat of a drop that was done.
    if (drop.keyspace_id() != 0 && drop.keyspace_id() < state->next_keyspace_id()) {
      return absl::OkStatus();
    }
    return NotDone(kv::v1::REASON_KEYSPACE_NOT_FOUND,
                   fmt::format("no keyspace is called {}", drop.name()));
  }
  keyspaces->erase(found);
  state->set_epoch(state->epoch() + 1);
  return absl::OkStatus();
}

}  // namespace

absl::Status ApplyClusterCommand(ClusterState* state, const ClusterCommand& command) {
  if (command.change_case() == ClusterCommand::kInit) {
    return ApplyInit(state, command.init());
  }
  if (state->epoch() == 0) {
    return NotDone(kv::v1::REASON_NOT_INITIALISED, "the cluster is not initialised yet");
  }
  switch (command.change_case()) {
    case ClusterCommand::kUpsertNode:
      return ApplyUpsertNode(state, command.upsert_node().node());
    case ClusterCommand::kCreateKeyspace:
      return ApplyCreateKeyspace(state, command.create_keyspace());
    case ClusterCommand::kDropKeyspace:
      return ApplyDropKeyspace(state, command.drop_keyspace());
    case ClusterCommand::kBeginMove:
      return ApplyBeginMove(state, command.begin_move());
    case ClusterCommand::kFinishMove:
      return ApplyFinishMove(state, command.finish_move());
    case ClusterCommand::kCancelMove:
      return ApplyCancelMove(state, command.cancel_move());
    case ClusterCommand::kSetNodeState:
      return ApplySetNodeState(state, command.set_node_state());
    case ClusterCommand::kRecoverPartition:
      return ApplyRecoverPartition(state, command.recover_partition());
    default:
      return NotDone(kv::v1::REASON_NOT_AVAILABLE_YET,
                     "a change of the cluster state that this version does not know");
  }
}

const NodeRecord* FindNode(const ClusterState& state, uint64_t node_id) {
  for (const NodeRecord& node : state.nodes()) {
    if (node.node().node_id() == node_id) {
      return &node;
    }
  }
  return nullptr;
}

const NodeRecord* FindNodeByDisk(const ClusterState& state, std::string_view disk_id) {
  for (const NodeRecord& node : state.nodes()) {
    if (node.disk_id() == disk_id) {
      return &node;
    }
  }
  return nullptr;
}

const kv::v1::Keyspace* FindKeyspace(const ClusterState& state, std::string_view name) {
  for (const kv::v1::Keyspace& keyspace : state.keyspaces()) {
    if (keyspace.name() == name) {
      return &keyspace;
    }
  }
  return nullptr;
}

bool SameAnnouncement(const NodeRecord& a, const NodeRecord& b) {
  return a.boot() == b.boot() && a.node().address() == b.node().address() &&
         a.node().peer_address() == b.node().peer_address() &&
         a.node().http_address() == b.node().http_address() && a.node().zone() == b.node().zone() &&
         a.node().weight() == b.node().weight();
}

std::string HexId(std::string_view bytes) {
  std::string hex;
  hex.reserve(2 * bytes.size());
  for (const char c : bytes) {
    hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
  }
  return hex;
}

}  // namespace quorate
