#include "server/placement/routing_key.h"

#include <xxhash.h>

#include <bit>

#include "raft/check.h"

namespace quorate {
namespace {

int PartitionBits(uint32_t partitions) {
  QUORATE_CHECK(std::has_single_bit(partitions)) << partitions;
  return std::countr_zero(partitions);
}

}  // namespace

std::optional<std::string_view> RoutingKeyOfPrefix(std::string_view prefix, RoutingRule rule) {
  if (rule == RoutingRule::kWhole) return std::nullopt;
  const size_t open = prefix.find('{');
  if (open == std::string_view::npos) return std::nullopt;
  const size_t close = prefix.find('}', open + 1);
  if (close == std::string_view::npos || close == open + 1) return std::nullopt;
  return prefix.substr(open + 1, close - open - 1);
}

std::string_view RoutingKey(std::string_view key, RoutingRule rule) {
  return RoutingKeyOfPrefix(key, rule).value_or(key);
}

uint64_t RoutingHash(std::string_view routing_key) {
  return XXH3_64bits(routing_key.data(), routing_key.size());
}

uint32_t PartitionOfHash(uint64_t hash, uint32_t partitions) {
  const int bits = PartitionBits(partitions);
  // A shift by all 64 bits would be undefined.
  return bits == 0 ? 0 : static_cast<uint32_t>(hash >> (64 - bits));
}

uint32_t PartitionOfKey(std::string_view key, RoutingRule rule, uint32_t partitions) {
  return PartitionOfHash(RoutingHash(RoutingKey(key, rule)), partitions);
}

HashRange HashRangeOf(uint32_t partition, uint32_t partitions) {
  const int bits = PartitionBits(partitions);
  QUORATE_CHECK(partition < partitions) << partition;
  if (bits == 0) return HashRange{.begin = 0, .end = UINT64_MAX};
  const uint64_t begin = static_cast<uint64_t>(partition) << (64 - bits);
  return HashRange{.begin = begin, .end = begin + (UINT64_MAX >> bits)};
}

}  // namespace quorate
