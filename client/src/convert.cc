#include "client/src/convert.h"

#include <algorithm>
#include <string>
#include <utility>

namespace quorate::client {
namespace {

// The public enums number their values as the wire does, so a cast converts them; a value that this
// version does not know becomes the default.
template <class Public, class Wire>
Public EnumOf(Wire value, Public highest) {
  const auto number = static_cast<int>(value);
  return number < 0 || number > static_cast<int>(highest) ? Public{} : static_cast<Public>(number);
}

static_assert(static_cast<int>(Replication::kQuorum) == kv::v1::REPLICATION_QUORUM);
static_assert(static_cast<int>(Routing::kWhole) == kv::v1::ROUTING_WHOLE);
static_assert(static_cast<int>(Durability::kBuffered) == kv::v1::DURABILITY_BUFFERED);
static_assert(static_cast<int>(ReadMode::kAny) == kv::v1::READ_MODE_ANY);
static_assert(static_cast<int>(LeaseUse::kOff) == kv::v1::LEASE_USE_OFF);
static_assert(static_cast<int>(ReplicaRole::kLeader) == kv::v1::REPLICA_ROLE_LEADER);
static_assert(static_cast<int>(ServedBy::kPartitionMerge) == kv::v1::SERVED_BY_PARTITION_MERGE);

}  // namespace

std::optional<Version> VersionOf(std::string_view bytes) {
  Version version;
  if (bytes.size() != version.bytes.size()) {
    return std::nullopt;
  }
  std::transform(bytes.begin(), bytes.end(), version.bytes.begin(),
                 [](char byte) { return static_cast<uint8_t>(byte); });
  return version;
}

Receipt ReceiptOf(const kv::v1::ResponseHeader& header) {
  const auto& receipt = header.receipt();
  return {.served_by = EnumOf(receipt.served_by(), ServedBy::kPartitionMerge),
          .node_id = receipt.node_id(),
          .linearizable = receipt.linearizable()};
}

ScanEntry EntryOf(kv::v1::ScanEntry&& entry) {
  ScanEntry out;
  out.key = std::move(*entry.mutable_key());
  out.value = std::move(*entry.mutable_value());
  out.version = VersionOf(entry.version()).value_or(Version{});
  return out;
}

Node NodeOf(const kv::v1::Node& node) {
  return {.id = node.node_id(),
          .address = node.address(),
          .peer_address = node.peer_address(),
          .http_address = node.http_address(),
          .zone = node.zone(),
          .weight = node.weight(),
          .drained = node.drained()};
}

Policy PolicyOf(const kv::v1::KeyspacePolicy& policy) {
  return {.replication = EnumOf(policy.replication(), Replication::kQuorum),
          .replicas = policy.replicas(),
          .partitions = policy.partitions(),
          .routing = EnumOf(policy.routing(), Routing::kWhole),
          .read = EnumOf(policy.read(), ReadMode::kAny),
          .durability = EnumOf(policy.durability(), Durability::kBuffered),
          .value_bytes_max = policy.value_bytes_max(),
          .lease = EnumOf(policy.lease(), LeaseUse::kOff)};
}

Partition PartitionOf(const kv::v1::PartitionPlacement& placement) {
  Partition out;
  out.partition = placement.partition();
  out.group_id = placement.group_id();
  out.epoch = placement.epoch();
  for (const auto& replica : placement.replicas()) {
    out.replicas.push_back({.node_id = replica.node_id(), .incarnation = replica.incarnation()});
  }
  for (const auto& replica : placement.coming()) {
    out.coming.push_back({.node_id = replica.node_id(), .incarnation = replica.incarnation()});
  }
  return out;
}

KeyspaceInfo KeyspaceOf(const kv::v1::Keyspace& keyspace) {
  KeyspaceInfo out;
  out.id = keyspace.keyspace_id();
  out.name = keyspace.name();
  out.policy = PolicyOf(keyspace.policy());
  out.policy_epoch = keyspace.policy_epoch();
  out.era = keyspace.era();
  for (const auto& partition : keyspace.partitions()) {
    out.partitions.push_back(PartitionOf(partition));
  }
  return out;
}

ClusterState StateOf(const kv::v1::GetClusterStateResponse& state) {
  ClusterState out;
  out.cluster_id = state.cluster_id();
  out.epoch = state.epoch();
  for (const auto& node : state.nodes()) {
    out.nodes.push_back(NodeOf(node));
  }
  for (const auto& keyspace : state.keyspaces()) {
    out.keyspaces.push_back(KeyspaceOf(keyspace));
  }
  for (const auto& hint : state.leaders()) {
    out.leaders[hint.group_id()] = hint.node_id();
  }
  out.meta = PartitionOf(state.meta());
  return out;
}

NodeStatus NodeStatusOf(const kv::v1::GetNodeStatusResponse& status) {
  NodeStatus out;
  out.cluster_id = status.cluster_id();
  out.node_id = status.node_id();
  out.version = status.version();
  out.boot = status.boot();
  out.ready = status.ready();
  out.not_ready_reason = status.not_ready_reason();
  out.epoch = status.epoch();
  for (const auto& peer : status.peers()) {
    out.peers.push_back({.node_id = peer.node_id(),
                         .alive = peer.alive(),
                         .last_heard_ms = peer.last_heard_ms(),
                         .epoch = peer.epoch()});
  }
  out.uptime_ms = status.uptime_ms();
  out.requests_total = status.requests_total();
  out.errors_total = status.errors_total();
  out.memory_bytes = status.memory_bytes();
  out.disk_bytes = status.disk_bytes();
  out.replicas = status.replicas();
  out.leaders = status.leaders();
  out.meta_leader = status.meta_leader();
  return out;
}

ReplicaStatus ReplicaOf(const kv::v1::ReplicaStatus& replica) {
  ReplicaStatus out;
  out.keyspace = replica.keyspace();
  out.partition = replica.partition();
  out.group_id = replica.group_id();
  out.incarnation = replica.incarnation();
  out.role = EnumOf(replica.role(), ReplicaRole::kLeader);
  out.term = replica.term();
  out.leader_node = replica.leader_node();
  out.last_index = replica.last_index();
  out.commit_index = replica.commit_index();
  out.applied_index = replica.applied_index();
  out.applied_hash = replica.applied_hash();
  out.checksum = replica.checksum();
  out.records = replica.records();
  out.checksum_index = replica.checksum_index();
  out.fault = replica.fault();
  out.log_bytes = replica.log_bytes();
  out.voters.assign(replica.voters().begin(), replica.voters().end());
  out.voters_outgoing.assign(replica.voters_outgoing().begin(), replica.voters_outgoing().end());
  out.learners.assign(replica.learners().begin(), replica.learners().end());
  out.returning = replica.returning();
  out.last_term = replica.last_term();
  return out;
}

void ToWire(const RequestId& id, kv::v1::RequestId* wire) {
  wire->set_client_id(id.client_id.data(), id.client_id.size());
  wire->set_sequence(id.sequence);
  wire->set_cluster_time_us(id.cluster_time_us);
}

void ToWire(const Condition& condition, kv::v1::Condition* wire) {
  if (condition.if_absent) {
    wire->set_if_absent(true);
  } else if (condition.if_version) {
    wire->set_if_version(condition.if_version->bytes.data(), condition.if_version->bytes.size());
  }
}

void ToWire(const BatchOperation& operation, kv::v1::BatchOperation* wire) {
  const bool conditional = operation.condition.if_absent || operation.condition.if_version;
  switch (operation.kind) {
    case BatchOperation::Kind::kGet:
      wire->mutable_get()->set_key(operation.key);
      break;
    case BatchOperation::Kind::kPut:
      wire->mutable_put()->set_key(operation.key);
      wire->mutable_put()->set_value(operation.value);
      if (conditional) {
        ToWire(operation.condition, wire->mutable_put()->mutable_condition());
      }
      break;
    case BatchOperation::Kind::kDelete:
      wire->mutable_delete_()->set_key(operation.key);
      if (conditional) {
        ToWire(operation.condition, wire->mutable_delete_()->mutable_condition());
      }
      break;
    case BatchOperation::Kind::kIncrement:
      wire->mutable_increment()->set_key(operation.key);
      wire->mutable_increment()->set_delta(operation.delta);
      break;
  }
}

void ToWire(const Policy& policy, kv::v1::KeyspacePolicy* wire) {
  wire->set_replication(static_cast<kv::v1::Replication>(policy.replication));
  wire->set_replicas(policy.replicas);
  wire->set_partitions(policy.partitions);
  wire->set_routing(static_cast<kv::v1::Routing>(policy.routing));
  wire->set_read(static_cast<kv::v1::ReadMode>(policy.read));
  wire->set_durability(static_cast<kv::v1::Durability>(policy.durability));
  wire->set_value_bytes_max(policy.value_bytes_max);
  wire->set_lease(static_cast<kv::v1::LeaseUse>(policy.lease));
}

}  // namespace quorate::client
