// Between the wire's messages and the public plain types. Pure.
#ifndef CLIENT_SRC_CONVERT_H_
#define CLIENT_SRC_CONVERT_H_

#include <optional>
#include <string_view>

#include "kv/v1/admin.pb.h"
#include "kv/v1/key_value.pb.h"
#include "kv/v1/placement.pb.h"
#include "quorate/batch.h"
#include "quorate/cluster.h"
#include "quorate/options.h"
#include "quorate/result.h"

namespace quorate::client {

// Unset when it is not 16 bytes.
std::optional<Version> VersionOf(std::string_view bytes);
Receipt ReceiptOf(const kv::v1::ResponseHeader& header);
ScanEntry EntryOf(kv::v1::ScanEntry&& entry);
Node NodeOf(const kv::v1::Node& node);
Policy PolicyOf(const kv::v1::KeyspacePolicy& policy);
KeyspaceInfo KeyspaceOf(const kv::v1::Keyspace& keyspace);
ClusterState StateOf(const kv::v1::GetClusterStateResponse& state);
NodeStatus NodeStatusOf(const kv::v1::GetNodeStatusResponse& status);
Partition PartitionOf(const kv::v1::PartitionPlacement& placement);
ReplicaStatus ReplicaOf(const kv::v1::ReplicaStatus& replica);

void ToWire(const RequestId& id, kv::v1::RequestId* wire);
void ToWire(const Condition& condition, kv::v1::Condition* wire);
void ToWire(const BatchOperation& operation, kv::v1::BatchOperation* wire);
void ToWire(const Policy& policy, kv::v1::KeyspacePolicy* wire);

}  // namespace quorate::client

#endif  // CLIENT_SRC_CONVERT_H_
