// A LogStorage in memory, for tests.
#ifndef RAFT_MEMORY_LOG_H_
#define RAFT_MEMORY_LOG_H_

#include <optional>
#include <utility>
#include <vector>

#include "raft/log_storage.h"
#include "raft/types.h"

namespace quorate::raft {

// Plays the disk: what Write was given is durable. One thread.
class MemoryLog : public LogStorage {
 public:
  // `base`: the membership before the first entry.
  explicit MemoryLog(Configuration base = {}) : base_(std::move(base)) {}

  // As a Ready's entries and hard state are to be written: entries at or below the end cut it
  // first.
  void Write(const std::optional<HardState>& hard_state, const std::vector<Entry>& entries);
  // Forgets entries up to `index`, which must be stored.
  void CompactTo(LogIndex index);
  // The log is empty and begins behind a snapshot.
  void Reset(const SnapshotMeta& snapshot);
  // The membership at `index`, which is stored or compacted_index.
  [[nodiscard]] Configuration ConfigurationAt(LogIndex index) const;
  // Reads that touch `index` fail with kDataLoss from now on; zero: none does.
  void DamageAt(LogIndex index) { damaged_ = index; }

  [[nodiscard]] HardState InitialHardState() const override { return hard_state_; }
  [[nodiscard]] LogIndex CompactedIndex() const override { return compacted_index_; }
  [[nodiscard]] Term CompactedTerm() const override { return compacted_term_; }
  [[nodiscard]] Configuration CompactedConfiguration() const override { return base_; }
  [[nodiscard]] LogIndex LastIndex() const override {
    return LogIndex(compacted_index_.value() + entries_.size());
  }
  [[nodiscard]] std::vector<Entry> ConfigEntries() const override;
  [[nodiscard]] absl::StatusOr<Term> TermAt(LogIndex index) const override;
  [[nodiscard]] absl::StatusOr<std::vector<Entry>> Entries(LogIndex first, LogIndex last,
                                                           size_t bytes_max) const override;

 private:
  [[nodiscard]] const Entry& At(LogIndex index) const {
    return entries_[index.value() - compacted_index_.value() - 1];
  }

  HardState hard_state_;
  Configuration base_;
  LogIndex compacted_index_;
  Term compacted_term_;
  std::vector<Entry> entries_;
  LogIndex damaged_;
};

}  // namespace quorate::raft

#endif  // RAFT_MEMORY_LOG_H_
