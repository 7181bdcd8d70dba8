// What a worker hands over to the log.
#ifndef SERVER_STORAGE_LOG_APPEND_H_
#define SERVER_STORAGE_LOG_APPEND_H_

#include <optional>
#include <vector>

#include "raft/types.h"

namespace quorate {

// One group's share of a worker's turn. Entries have consecutive indexes and may begin at or below
// the end of the stored log, which is then cut from there in the same batch.
struct LogAppend {
  GroupId group{};
  std::optional<raft::HardState> hard_state{};
  std::vector<raft::Entry> entries{};
};

}  // namespace quorate

#endif  // SERVER_STORAGE_LOG_APPEND_H_
