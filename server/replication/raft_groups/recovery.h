// A replica as the stores remember it.
#ifndef SERVER_REPLICATION_RAFT_GROUPS_RECOVERY_H_
#define SERVER_REPLICATION_RAFT_GROUPS_RECOVERY_H_

#include <memory>

#include "absl/status/statusor.h"
#include "server/replication/raft_groups/host_context.h"
#include "server/replication/raft_groups/replica_state.h"
#include "server/storage/group_log.h"

namespace quorate {

struct RecoveredReplica {
  std::shared_ptr<GroupLog> log;
  std::shared_ptr<ReplicaState> state;
};

// Reads log, applied index and request memory; blocks on the disk (apply loop). A replica without
// records is a new one. The data may be behind the log, since it has no log of its own: the entries
// above the applied index are applied again as they are known to be committed. A log left by an
// earlier incarnation is destroyed, with its data. For the meta group the ClusterApplier gets its
// stored state.
//
// Errors: this replica cannot be started, and why; the node goes on.
[[nodiscard]] absl::StatusOr<RecoveredReplica> RecoverReplica(HostContext& context,
                                                              const ReplicaSpec& spec);

// Takes over what the store holds of the replica after a snapshot was installed. Apply loop. An
// error: the store holds something else than was installed.
[[nodiscard]] absl::Status ReloadState(HostContext& context, ReplicaState* state);

}  // namespace quorate

#endif  // SERVER_REPLICATION_RAFT_GROUPS_RECOVERY_H_
