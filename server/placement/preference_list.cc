#include "server/placement/preference_list.h"

#include <xxhash.h>

#include <array>

#include "server/placement/routing_key.h"

namespace quorate {

uint64_t PreferenceStart(uint64_t keyspace_id, uint32_t partition, uint32_t partitions) {
  std::array<unsigned char, 8> bytes{};
  for (int i = 0; i < 8; ++i) bytes[i] = static_cast<unsigned char>(keyspace_id >> (56 - 8 * i));
  const uint64_t rotation = XXH3_64bits(bytes.data(), bytes.size());
  return HashRangeOf(partition, partitions).begin + rotation;
}

std::vector<uint64_t> PreferenceList(const Ring& ring, uint64_t keyspace_id, uint32_t partition,
                                     uint32_t partitions) {
  return ring.WalkFrom(PreferenceStart(keyspace_id, partition, partitions));
}

}  // namespace quorate
