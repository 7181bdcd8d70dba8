// One group's log as its worker reads it.
#ifndef SERVER_STORAGE_GROUP_LOG_H_
#define SERVER_STORAGE_GROUP_LOG_H_

#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "raft/config.h"
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
  // `founding`: the membership before the first entry, unless a stored one says otherwise.
  GroupLog(rocksdb::DB* db, GroupId group, ReplicaId replica, raft::Configuration founding)
      : db_(db), group_(group), replica_(replica), base_(std::move(founding)) {}

  [[nodiscard]] raft::HardState InitialHardState() const override { return initial_hard_state_; }
  [[nodiscard]] raft::LogIndex CompactedIndex() const override { return compacted_index_; }
  [[nodiscard]] raft::Term CompactedTerm() const override { return compacted_term_; }
  [[nodiscard]] raft::Configuration CompactedConfiguration() const override { return base_; }
  [[nodiscard]] raft::LogIndex LastIndex() const override;
  [[nodiscard]] std::vector<raft::Entry> ConfigEntries() const override { return config_entries_; }
  [[nodiscard]] absl::StatusOr<raft::Term> TermAt(raft::LogIndex index) const override;
  [[nodiscard]] absl::StatusOr<std::vector<raft::Entry>> Entries(raft::LogIndex first,
                                                                 raft::LogIndex last,
                                                                 size_t bytes_max) const override;

  [[nodiscard]] GroupId group() const { return group_; }
  [[nodiscard]] ReplicaId replica() const { return replica_; }
  // Any thread. Stored bytes of all entries, for the bound on a group's log. After an overwritten
  // suffix that was no longer in memory it is an estimate until the next start.
  [[nodiscard]] uint64_t ByteSize() const;

 private:
  friend class LogStore;

  // How much one Entries() call may still return; the first entry always fits.
  struct EntryBudget;

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
  // After the write is durable. Returns by how many bytes the cache grew or shrank.
  int64_t Show(const LogAppend& append);
  int64_t CutFrom(raft::LogIndex first) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckRange(raft::LogIndex first, raft::LogIndex last) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Forgets cached entries up to `last`; returns the bytes freed.
  size_t Evict(raft::LogIndex last);
  // The group is gone: shows an empty log from now on. Returns the bytes freed.
  size_t MarkDestroyed();
  // Appends to *out what of [first, last] the budget allows.
  absl::Status ReadDisk(raft::LogIndex first, raft::LogIndex last, EntryBudget* budget,
                        std::vector<raft::Entry>* out) const;

  rocksdb::DB* const db_;
  const GroupId group_;
  const ReplicaId replica_;
  // Constant after Load.
  raft::HardState initial_hard_state_;
  raft::LogIndex compacted_index_;
  raft::Term compacted_term_;
  raft::Configuration base_;
  std::vector<raft::Entry> config_entries_;
  // The log store's, under its write lock. False also while the stored head lacks what this version
  // puts there.
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
