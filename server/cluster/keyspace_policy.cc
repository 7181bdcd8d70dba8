#include "server/cluster/keyspace_policy.h"

#include <algorithm>
#include <string>

#include "fmt/format.h"
#include "proto/error_detail.h"

namespace quorate {
namespace {

using kv::v1::KeyspacePolicy;

absl::Status NotYet(std::string_view field, std::string_view value) {
  kv::v1::ErrorDetail detail;
  detail.set_reason(kv::v1::REASON_NOT_AVAILABLE_YET);
  detail.set_outcome(kv::v1::OUTCOME_NOT_DONE);
  detail.set_field(std::string(field));
  return MakeError(detail,
                   fmt::format("{}: {} is not yet available in this version", field, value));
}

absl::Status CheckReplication(const KeyspacePolicy& policy) {
  if (policy.replication() == kv::v1::REPLICATION_QUORUM) {
    return NotYet("policy.replication", "quorum");
  }
  if (policy.replication() != kv::v1::REPLICATION_RAFT) {
    return InvalidField("policy.replication", "unknown value; use raft");
  }
  const uint32_t replicas = policy.replicas();
  if (replicas != 1 && replicas != 3 && replicas != 5 && replicas != 7) {
    return InvalidField("policy.replicas", fmt::format("must be 1, 3, 5 or 7, not {}", replicas));
  }
  return absl::OkStatus();
}

absl::Status CheckShape(const KeyspacePolicy& policy) {
  const uint32_t partitions = policy.partitions();
  if (partitions > kPartitionsMax || (partitions & (partitions - 1)) != 0) {
    return InvalidField("policy.partitions", fmt::format("must be a power of two, 1..{}, not {}",
                                                         kPartitionsMax, partitions));
  }
  if (policy.routing() != kv::v1::ROUTING_TAG && policy.routing() != kv::v1::ROUTING_WHOLE) {
    return InvalidField("policy.routing", "unknown value; use tag or whole");
  }
  if (policy.value_bytes_max() > kValueBytesMax) {
    return InvalidField("policy.value_bytes_max",
                        fmt::format("must be at most {} (16 MiB), not {}", kValueBytesMax,
                                    policy.value_bytes_max()));
  }
  return absl::OkStatus();
}

absl::Status CheckPromises(const KeyspacePolicy& policy) {
  switch (policy.read()) {
    case kv::v1::READ_MODE_LINEARIZABLE:
      break;
    case kv::v1::READ_MODE_BOUNDED:
      return NotYet("policy.read", "bounded");
    case kv::v1::READ_MODE_SESSION:
      return NotYet("policy.read", "session");
    case kv::v1::READ_MODE_ANY:
      return NotYet("policy.read", "any");
    default:
      return InvalidField("policy.read", "unknown value; use linearizable");
  }
  if (policy.durability() != kv::v1::DURABILITY_FSYNC &&
      policy.durability() != kv::v1::DURABILITY_BUFFERED) {
    return InvalidField("policy.durability", "unknown value; use fsync or buffered");
  }
  if (policy.lease() != kv::v1::LEASE_USE_ON && policy.lease() != kv::v1::LEASE_USE_OFF) {
    return InvalidField("policy.lease", "unknown value; use on or off");
  }
  return absl::OkStatus();
}

KeyspacePolicy WithDefaults(KeyspacePolicy policy) {
  if (policy.replication() == kv::v1::REPLICATION_UNSPECIFIED) {
    policy.set_replication(kv::v1::REPLICATION_RAFT);
  }
  if (policy.replicas() == 0) {
    policy.set_replicas(kReplicasDefault);
  }
  if (policy.partitions() == 0) {
    policy.set_partitions(kPartitionsDefault);
  }
  if (policy.routing() == kv::v1::ROUTING_UNSPECIFIED) {
    policy.set_routing(kv::v1::ROUTING_TAG);
  }
  if (policy.read() == kv::v1::READ_MODE_UNSPECIFIED) {
    policy.set_read(kv::v1::READ_MODE_LINEARIZABLE);
  }
  if (policy.durability() == kv::v1::DURABILITY_UNSPECIFIED) {
    policy.set_durability(kv::v1::DURABILITY_FSYNC);
  }
  if (policy.value_bytes_max() == 0) {
    policy.set_value_bytes_max(kValueBytesDefault);
  }
  if (policy.lease() == kv::v1::LEASE_USE_UNSPECIFIED) {
    policy.set_lease(kv::v1::LEASE_USE_ON);
  }
  return policy;
}

}  // namespace

absl::Status CheckKeyspaceName(std::string_view field, std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  if (name.empty() || name.size() > kKeyspaceNameBytesMax ||
      !std::all_of(name.begin(), name.end(), allowed) || name == "." || name == "..") {
    return InvalidField(std::string(field),
                        fmt::format("a keyspace's name is 1..{} of a-z, A-Z, 0-9, \"-\", \"_\", "
                                    "\".\"; this one has {} bytes",
                                    kKeyspaceNameBytesMax, name.size()));
  }
  return absl::OkStatus();
}

absl::StatusOr<KeyspacePolicy> CompletePolicy(const KeyspacePolicy& asked) {
  KeyspacePolicy policy = WithDefaults(asked);
  for (const auto check : {CheckReplication, CheckShape, CheckPromises}) {
    if (absl::Status status = check(policy); !status.ok()) {
      return status;
    }
  }
  return policy;
}

absl::Status CheckEnoughNodes(const KeyspacePolicy& policy, size_t nodes) {
  if (policy.replicas() > nodes) {
    return InvalidField(
        "policy.replicas",
        fmt::format("{} replicas need {} nodes, the cluster has {}: add nodes or ask for fewer "
                    "replicas",
                    policy.replicas(), policy.replicas(), nodes));
  }
  return absl::OkStatus();
}

bool SamePolicy(const KeyspacePolicy& a, const KeyspacePolicy& b) {
  return a.replication() == b.replication() && a.replicas() == b.replicas() &&
         a.partitions() == b.partitions() && a.routing() == b.routing() && a.read() == b.read() &&
         a.durability() == b.durability() && a.value_bytes_max() == b.value_bytes_max() &&
         a.lease() == b.lease();
}

}  // namespace quorate
