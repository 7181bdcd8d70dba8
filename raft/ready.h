// What the core wants done, and in which order. The order is the contract:
//
//   1. `messages` may leave at once, before anything here is on disk.
//   2. `entries` and `hard_state` are appended to the log in the order of the Readys.
//   3. When they, and those of every earlier Ready, are durable, the driver calls
//      RaftNode::OnPersisted(persist_token); only then may `messages_after_persist` leave.
//   4. `committed_entries` are applied in order; they are durable here already (the core hands out
//      nothing above its own persisted index). The driver reports RaftNode::OnApplied.
//   5. `reads` may be served once the state machine has applied their index.
//
// A Ready that needs no disk (NeedsPersist() is false) can have messages_after_persist only if an
// earlier Ready is still on its way to the disk; the driver treats both cases alike: hand the
// messages to the log writer behind what is queued there.
#ifndef RAFT_READY_H_
#define RAFT_READY_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "raft/config.h"
#include "raft/message.h"
#include "raft/types.h"

namespace quorate::raft {

// A read registered by ReadIndex(context) may be served at `index` or later.
struct ReadState {
  uint64_t context = 0;
  LogIndex index;
};

struct Ready {
  std::vector<Message> messages;

  // The state is to be replaced by this one, which InstallSnapshot brought. First that, durably,
  // then the log is to be emptied so that it begins behind it; then `entries` and `hard_state` as
  // usual. When all that is durable the driver reports OnApplied and OnPersisted; no Ready before
  // then needs the disk or has committed entries.
  std::optional<SnapshotMeta> snapshot;

  std::optional<HardState> hard_state;
  // Appends; the first one's index may lie at or below the end of the stored log, which is then cut
  // from there first.
  std::vector<Entry> entries;
  // The write must survive a loss of power: term, vote, cure, snapshot, memberships, and whatever
  // takes something out of the log. Plain entries that a driver leaves to the page cache instead
  // count as durable too; it then owes HardState::life after a loss of power. A write with
  // must_sync makes durable all that was written before it.
  bool must_sync = false;
  std::vector<Message> messages_after_persist;
  // Grows with each Ready of one RaftNode; never reused, so a late report of an overwritten append
  // cannot be mistaken for the newer one.
  uint64_t persist_token = 0;

  std::vector<Entry> committed_entries;

  std::vector<ReadState> reads;
  // Leaders: followers that need a snapshot, each named once until ReportSnapshot. A role change
  // ends all that are under way.
  std::vector<ReplicaId> snapshots_wanted;

  // Reads that will never be answered here (leadership lost, or no leader): contexts.
  std::vector<uint64_t> reads_refused;

  // Set when role, term, known leader or membership changed since the last Ready, or when a lease
  // must end.
  bool role_changed = false;

  [[nodiscard]] bool NeedsPersist() const {
    return snapshot.has_value() || hard_state.has_value() || !entries.empty();
  }
};

}  // namespace quorate::raft

#endif  // RAFT_READY_H_
