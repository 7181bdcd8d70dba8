// How many bytes a group's log takes, by index.
#ifndef SERVER_STORAGE_LOG_SIZES_H_
#define SERVER_STORAGE_LOG_SIZES_H_

#include <cstdint>
#include <deque>

#include "raft/types.h"

namespace quorate {

// Remembers one number for a run of entries of 64 KiB together, not for each. A cut within a run
// goes by that run's average; whole runs are exact, and so the sum never drifts away. A plain
// value.
class LogSizes {
 public:
  // Indexes grow from call to call.
  void Append(raft::LogIndex index, uint64_t bytes);
  // Forgets entries from `first` on, or up to `last`.
  void CutFrom(raft::LogIndex first);
  void DropTo(raft::LogIndex last);
  void Clear();

  [[nodiscard]] uint64_t total() const { return total_; }
  // The last entry that can go if about the newest `bytes` are to stay; zero: none can.
  [[nodiscard]] raft::LogIndex LastBefore(uint64_t bytes) const;

 private:
  struct Run {
    raft::LogIndex first;
    raft::LogIndex last;
    uint64_t bytes = 0;

    [[nodiscard]] uint64_t count() const { return last.value() - first.value() + 1; }
    // Of `entries` of them, by the average.
    [[nodiscard]] uint64_t Share(uint64_t entries) const;
  };

  std::deque<Run> runs_;  // ascending
  uint64_t total_ = 0;
};

}  // namespace quorate

#endif  // SERVER_STORAGE_LOG_SIZES_H_
