// Between which replicas a snapshot travels.
#ifndef SERVER_REPLICATION_RAFT_GROUPS_SNAPSHOT_ROUTE_H_
#define SERVER_REPLICATION_RAFT_GROUPS_SNAPSHOT_ROUTE_H_

#include <cstdint>
#include <memory>

#include "internal/v1/peer.pb.h"
#include "raft/types.h"
#include "server/storage/staged_snapshot.h"

namespace quorate {

struct SnapshotRoute {
  GroupId group;
  ReplicaId from;  // the leader
  ReplicaId to;
  raft::Term leader_term;  // when it was offered
};

// One that has arrived whole, on its way to its group. The file is removed with it, hence on a loop
// that may block.
struct ArrivedSnapshot {
  SnapshotRoute route;
  uint64_t stream = 0;
  uint64_t node = 0;  // the sender's
  std::shared_ptr<StagedSnapshot> staged{};
};

[[nodiscard]] inline internal::v1::SnapshotMessage SnapshotHead(const SnapshotRoute& route,
                                                                uint64_t stream) {
  internal::v1::SnapshotMessage message;
  message.set_group_id(route.group.value());
  message.set_from(route.from.value());
  message.set_to(route.to.value());
  message.set_stream(stream);
  return message;
}

}  // namespace quorate

#endif  // SERVER_REPLICATION_RAFT_GROUPS_SNAPSHOT_ROUTE_H_
