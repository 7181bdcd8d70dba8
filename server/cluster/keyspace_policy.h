// What a keyspace may be: its name's rules, its policy's defaults, and what this version refuses.
// Pure functions.
#ifndef SERVER_CLUSTER_KEYSPACE_POLICY_H_
#define SERVER_CLUSTER_KEYSPACE_POLICY_H_

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kv/v1/placement.pb.h"

namespace quorate {

inline constexpr uint32_t kPartitionsMax = 4096;
inline constexpr uint32_t kPartitionsDefault = 16;
inline constexpr uint32_t kReplicasDefault = 3;
inline constexpr uint32_t kValueBytesDefault = 1u << 20;
// No keyspace takes larger values.
inline constexpr uint32_t kValueBytesMax = 16u << 20;
inline constexpr size_t kKeyspaceNameBytesMax = 64;

// 1..64 of a-z, A-Z, 0-9, "-", "_", "."; not "." or "..". `field` is named by the error.
[[nodiscard]] absl::Status CheckKeyspaceName(std::string_view field, std::string_view name);

// `asked` with all defaults filled in. Errors: INVALID_FIELD naming the field; NOT_AVAILABLE_YET
// for what the API knows and this version does not do. Nothing is weakened silently.
[[nodiscard]] absl::StatusOr<kv::v1::KeyspacePolicy> CompletePolicy(
    const kv::v1::KeyspacePolicy& asked);

// A complete policy on this many nodes: refused when it wants more replicas than there are nodes.
[[nodiscard]] absl::Status CheckEnoughNodes(const kv::v1::KeyspacePolicy& policy, size_t nodes);

// Equal in every knob. Both complete.
[[nodiscard]] bool SamePolicy(const kv::v1::KeyspacePolicy& a, const kv::v1::KeyspacePolicy& b);

}  // namespace quorate

#endif  // SERVER_CLUSTER_KEYSPACE_POLICY_H_
