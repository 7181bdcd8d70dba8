// A leadership transfer under way (Raft thesis, section 3.10).
#ifndef RAFT_TRANSFER_H_
#define RAFT_TRANSFER_H_

#include "raft/types.h"

namespace quorate::raft {

// The leader takes no proposals until the target's log equals its own, then asks the target to
// campaign. Given up at the deadline, when proposals are taken again.
// Owned by RaftCore; same thread.
struct LeadershipTransfer {
  ReplicaId target;
  MonotonicTime deadline;
  // The target was asked. However late that message arrives, its receiver campaigns past every
  // promise, so no lease is held for the rest of the term.
  bool asked = false;
};

}  // namespace quorate::raft

#endif  // RAFT_TRANSFER_H_
