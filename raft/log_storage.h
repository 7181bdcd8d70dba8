// The durable log as the core reads it. The core never writes: it lists in Ready what to append.
#ifndef RAFT_LOG_STORAGE_H_
#define RAFT_LOG_STORAGE_H_

#include <vector>

#include "absl/status/statusor.h"
#include "raft/config.h"
#include "raft/types.h"

namespace quorate::raft {

// Implemented by the server's log store and by a memory log for tests. Called on the group's worker
// only. Sees exactly what has been reported durable through RaftNode::OnPersisted, and may see more
// (appends that are on disk but not yet reported); the core only asks for indexes it knows to be
// durable.
class LogStorage {
 public:
  virtual ~LogStorage() = default;

  // The state at start-up. A log without any is a new replica: all zero.
  [[nodiscard]] virtual HardState InitialHardState() const = 0;
  // The index before the first stored entry, with its term: (0, 0), or what the snapshot covers.
  [[nodiscard]] virtual LogIndex CompactedIndex() const = 0;
  [[nodiscard]] virtual Term CompactedTerm() const = 0;
  // The membership as of CompactedIndex(): the group's first one, what the snapshot says, or none
  // (no voters) for a replica that joins and has not heard of a leader yet.
  [[nodiscard]] virtual Configuration CompactedConfiguration() const = 0;
  // Index of the last durable entry, CompactedIndex() when there is none. Read at start-up only.
  [[nodiscard]] virtual LogIndex LastIndex() const = 0;

  // All stored entries of kind kConfig, in order. Read at start-up only.
  [[nodiscard]] virtual std::vector<Entry> ConfigEntries() const = 0;

  // The term of one entry. kOutOfRange: compacted or beyond the end; kDataLoss: unreadable.
  [[nodiscard]] virtual absl::StatusOr<Term> TermAt(LogIndex index) const = 0;
  // Entries [first, last], cut after bytes_max but at least one. Errors as TermAt.
  [[nodiscard]] virtual absl::StatusOr<std::vector<Entry>> Entries(LogIndex first, LogIndex last,
                                                                   size_t bytes_max) const = 0;
};

}  // namespace quorate::raft

#endif  // RAFT_LOG_STORAGE_H_
