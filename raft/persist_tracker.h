// What of this replica is durable, while several Readys are on their way to the disk.
#ifndef RAFT_PERSIST_TRACKER_H_
#define RAFT_PERSIST_TRACKER_H_

#include <cstdint>
#include <deque>
#include <optional>

#include "raft/disk_pace.h"
#include "raft/ready.h"
#include "raft/types.h"

namespace quorate::raft {

// Knows the Readys under way by token, in order. When entries are overwritten, it lowers what the
// earlier Readys will prove: their report says that bytes are on disk which a later Ready in the
// same queue replaces. Comparing (index, term) on the report instead would be fooled when the same
// entries come back after a second overwrite (the ABA race).
// Owned by RaftCore; same thread.
class PersistTracker {
 public:
  PersistTracker(const HardState& durable, LogIndex persisted)
      : durable_(durable), persisted_(persisted) {}

  // A Ready that needs the disk was handed out.
  void Add(const Ready& ready, MonotonicTime now);
  // The log was cut to end with `previous`.
  void CutAfter(LogIndex previous);
  // Another log, of which nothing is durable yet, takes the place of the present one.
  void Reset();
  // Everything up to `token` is durable.
  void Complete(uint64_t token, MonotonicTime now);

  // The log is durable, in its present form, up to here.
  [[nodiscard]] LogIndex persisted() const { return persisted_; }
  // Term and vote that a crash now would bring back.
  [[nodiscard]] const HardState& durable() const { return durable_; }
  [[nodiscard]] bool idle() const { return under_way_.empty(); }
  // When the oldest Ready under way was handed out.
  [[nodiscard]] std::optional<MonotonicTime> oldest() const;
  [[nodiscard]] const DiskPace& pace() const { return pace_; }

 private:
  struct UnderWay {
    uint64_t token;
    MonotonicTime since;
    std::optional<HardState> hard_state;
    LogIndex last_index;  // proves the log up to here; zero: no entries
  };

  HardState durable_;
  LogIndex persisted_;
  std::deque<UnderWay> under_way_;
  DiskPace pace_;
};

}  // namespace quorate::raft

#endif  // RAFT_PERSIST_TRACKER_H_
