// The order in which a partition would have its nodes, before zones and loads have their say.
#ifndef SERVER_PLACEMENT_PREFERENCE_LIST_H_
#define SERVER_PLACEMENT_PREFERENCE_LIST_H_

#include <cstdint>
#include <vector>

#include "server/placement/ring.h"

namespace quorate {

// Where a partition's walk along the ring begins. `partitions` is a power of two. Pure.
[[nodiscard]] uint64_t PreferenceStart(uint64_t keyspace_id, uint32_t partition,
                                       uint32_t partitions);

// All nodes of the ring, clockwise from the partition's first hash, which is rotated by a hash of
// the keyspace's id so that the partitions of two keyspaces do not all meet on the same nodes.
// `partitions` is a power of two. Pure.
[[nodiscard]] std::vector<uint64_t> PreferenceList(const Ring& ring, uint64_t keyspace_id,
                                                   uint32_t partition, uint32_t partitions);

}  // namespace quorate

#endif  // SERVER_PLACEMENT_PREFERENCE_LIST_H_
