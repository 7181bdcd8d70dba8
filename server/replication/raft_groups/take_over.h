// A replica goes on alone with the log and the data of another one of its node.
#ifndef SERVER_REPLICATION_RAFT_GROUPS_TAKE_OVER_H_
#define SERVER_REPLICATION_RAFT_GROUPS_TAKE_OVER_H_

#include "absl/status/status.h"
#include "server/replication/raft_groups/host_context.h"

namespace quorate {

// Makes spec.recovered_from, the survivor, into spec.self, durably; nothing to do where that is
// done. Whatever the survivor's log holds counts as committed, since any of it may have been
// acknowledged: the log goes on with a membership of spec.self alone, in a term of its own. It
// begins where the data ends, so that no later replica applies again, in the new era, what has its
// versions from the old one. Request memory and clocks come with the data.
//
// In this order, so that a crash leaves the survivor as it was or with more entries of the same
// kind, and the same again is done at the next start: the data is copied, and is there as a whole
// or not at all; the membership is appended; the log changes its owner; the survivor's data goes.
//
// Background loop; blocks on the disk for as long as it takes to copy the data. The survivor does
// not run any more. Errors: this replica cannot be started, and why. kDataLoss: the survivor is
// damaged; all of it is left as it is.
[[nodiscard]] absl::Status TakeOver(HostContext& context, const ReplicaSpec& spec);

}  // namespace quorate

#endif  // SERVER_REPLICATION_RAFT_GROUPS_TAKE_OVER_H_
