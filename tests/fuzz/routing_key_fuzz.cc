// Routing: of any key, the routing key is a part; a prefix that decides it decides it for every key
// that begins so; every hash has one partition.
#include <bit>
#include <string>

#include "raft/check.h"
#include "server/placement/routing_key.h"
#include "tests/fuzz/fuzz_input.h"

namespace quorate {
namespace {

void TryRule(std::string_view prefix, std::string_view rest, RoutingRule rule) {
  const std::string key = std::string(prefix) + std::string(rest);
  const std::string_view routing_key = RoutingKey(key, rule);
  QUORATE_CHECK(routing_key.data() >= key.data() &&
                routing_key.data() + routing_key.size() <= key.data() + key.size());
  QUORATE_CHECK(!routing_key.empty() || key.empty());
  const auto of_prefix = RoutingKeyOfPrefix(prefix, rule);
  QUORATE_CHECK(!of_prefix || *of_prefix == routing_key);
  const uint64_t hash = RoutingHash(routing_key);
  for (uint32_t partitions = 1; partitions <= 4096; partitions *= 4) {
    const uint32_t partition = PartitionOfKey(key, rule, partitions);
    const HashRange range = HashRangeOf(partition, partitions);
    QUORATE_CHECK(partition < partitions && range.begin <= hash && hash <= range.end);
  }
}

}  // namespace
}  // namespace quorate

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  quorate::fuzz::FuzzInput input(data, size);
  const std::string_view prefix = input.TakeBytes(input.TakeByte());
  quorate::TryRule(prefix, input.rest(), quorate::RoutingRule::kTag);
  quorate::TryRule(prefix, input.rest(), quorate::RoutingRule::kWhole);
  return 0;
}
