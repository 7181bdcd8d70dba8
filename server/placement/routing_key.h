// Which partition a key belongs to. Part of the API: clients route by the same functions, and the
// answers never change for a keyspace (its routing rule and hash are fixed at creation).
//
// Pure functions; any thread.
#ifndef SERVER_PLACEMENT_ROUTING_KEY_H_
#define SERVER_PLACEMENT_ROUTING_KEY_H_

#include <cstdint>
#include <optional>
#include <string_view>

namespace quorate {

// kv.v1.Routing, without the default.
enum class RoutingRule : uint8_t {
  kTag,    // the part between the first "{" and the next "}" if not empty, else the whole key
  kWhole,  // always the whole key
};

// The bytes of `key` that decide its partition; a part of `key`.
[[nodiscard]] std::string_view RoutingKey(std::string_view key, RoutingRule rule);

// The routing key that every key with this prefix has, if they all have the same: the prefix must
// hold a complete, non-empty tag.
[[nodiscard]] std::optional<std::string_view> RoutingKeyOfPrefix(std::string_view prefix,
                                                                 RoutingRule rule);

// XXH3, 64 bits, seed 0.
[[nodiscard]] uint64_t RoutingHash(std::string_view routing_key);

// The top log2(partitions) bits of the hash. `partitions` is a power of two, 1..2^31.
[[nodiscard]] uint32_t PartitionOfHash(uint64_t hash, uint32_t partitions);

// All of the above.
[[nodiscard]] uint32_t PartitionOfKey(std::string_view key, RoutingRule rule, uint32_t partitions);

// The slice of the hash space that a partition owns, both ends included.
struct HashRange {
  uint64_t begin = 0;
  uint64_t end = 0;
};
[[nodiscard]] HashRange HashRangeOf(uint32_t partition, uint32_t partitions);

}  // namespace quorate

#endif  // SERVER_PLACEMENT_ROUTING_KEY_H_
