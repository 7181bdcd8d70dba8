// One group's log as its worker reads it.
#ifndef SERVER_STORAGE_GROUP_LOG_H_
#define SERVER_STORAGE_GROUP_LOG_H_

#include <cstdint>
#include <deque>
#include <vector>

#include "raft/log_storage.h"
#include "raft/types.h"
#include "server/runtime/mutex.h"
#include "server/storage/log_append.h"

namespace rocksdb {
class DB;
class WriteBatch;
}  // namespace rocksdb

namespace quorate {

// Made by LogStore::OpenGroup; must not be read after the store is gone. Reads by the group's
// worker, changed by the log writer after each durable write, hence a small lock; no disk is
// touched under it. Recent entries come from memory, older ones from the disk.
//
// What it shows: exactly the durable log. An overwritten suffix disappears when the entries that
// replace it are durable, which is before the core hears of it; the core does not ask for these
// indexes in between.
class GroupLog final : public raft::LogStorage {
 public:
  GroupLog(rocksdb::DB* db, GroupId group, ReplicaId replica)
      : db_(db), group_(group), replica_(replica) {}

  [[nodiscard]] raft::HardState InitialHardState() const override { return initial_hard_state_; }
  [[nodiscard]] raft::LogIndex CompactedIndex() const override { return compacted_index_; }
  [[nodiscard]] raft::Term CompactedTerm() const override { return compacted_term_; }
  [[nodiscard]] raft::LogIndex LastIndex() const override;
  [[nodiscard]] absl::StatusOr<raft::Term> TermAt(raft::LogIndex index) const override;
  [[nodiscard]] absl::StatusOr<std::vector<raft::Entry>> Entries(raft::LogIndex first,
                                                                 raft::LogIndex last,
                                                                 size_t bytes_max) const override;

  [[nodiscard]] GroupId group() const { return group_; }
  [[nodiscard]] ReplicaId replica() const { return replica_; }
  // Any thread. Encoded bytes of all stored entries: for the bound on a group's log.
  [[nodiscard]] uint64_t ByteSize() const;

 private:
  friend class LogStore;

  // The first index of each term in the log: finds any entry's term without the disk.
  struct TermRun {
    raft::LogIndex first;
    raft::Term term;
  };

  // At start-up: head, hard state, then every entry.
  absl::Status Load();
  absl::Status LoadEntries();
  // Writes the append down; the state in memory is unchanged until Show.
  void Encode(const LogAppend& append, rocksdb::WriteBatch* batch);
  // After the write is durable. Returns the bytes now cached more.
  size_t Show(const LogAppend& append);
  // Forgets cached entries up to `last`.
  void Evict(raft::LogIndex last);
  [[nodiscard]] absl::StatusOr<std::vector<raft::Entry>> ReadDisk(raft::LogIndex first,
                                                                  raft::LogIndex last,
                                                                  size_t bytes_max) const;

  rocksdb::DB* const db_;
  const GroupId group_;
  const ReplicaId replica_;
  // Constant after Load.
  raft::HardState initial_hard_state_;
  raft::LogIndex compacted_index_;
  raft::Term compacted_term_;
  // Log writer only.
  bool head_stored_ = false;
  // The last index that Encode has seen: ahead of last_index_ while a write is in flight.
  raft::LogIndex encoded_last_;

  mutable Mutex mutex_;
  raft::LogIndex last_index_ ABSL_GUARDED_BY(mutex_);
  uint64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<TermRun> term_runs_ ABSL_GUARDED_BY(mutex_);
  // The newest entries, without gap up to last_index_.
  std::deque<raft::Entry> cache_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quorate

#endif  // SERVER_STORAGE_GROUP_LOG_H_
