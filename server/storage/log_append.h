// What a worker hands over to the log.
#ifndef SERVER_STORAGE_LOG_APPEND_H_
#define SERVER_STORAGE_LOG_APPEND_H_

#include <optional>
#include <vector>

#include "raft/config.h"
#include "raft/types.h"

namespace quorate {

// One group's share of a worker's turn, all or nothing of it on the disk.
struct LogAppend {
  GroupId group{};
  std::optional<raft::HardState> hard_state{};
  // Consecutive indexes, behind `reset` if there is one. They may begin at or below the end of the
  // stored log, which is then cut from there.
  std::vector<raft::Entry> entries{};
  // The log is emptied and begins behind this snapshot.
  std::optional<raft::SnapshotMeta> reset{};
  // Everything up to here is dropped; it was durable before. Zero, or dropped before: nothing is.
  raft::LogIndex drop_to{};
  // Durable before anybody hears of it. False, for entries behind the log's end and the commit
  // index: a crash of the process keeps them, a power loss of the machine may lose those of the
  // last moments (LogWriter::kUnsyncedMax).
  bool sync = true;
};

}  // namespace quorate

#endif  // SERVER_STORAGE_LOG_APPEND_H_
