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
#include "server/storage/log_sizes.h"

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
      : db_(db), group_(group), replica_(replica) {
    MutexLock lock(&mutex_);
    start_.configuration = std::move(founding);
  }

  [[nodiscard]] raft::HardState InitialHardState() const override { return initial_hard_state_; }
  [[nodiscard]] raft::LogIndex CompactedIndex() const override { return Start().index; }
  [[nodiscard]] raft::Term CompactedTerm() const override { return Start().term; }
  [[nodiscard]] raft::Configuration CompactedConfiguration() const override {
    return Start().configuration;
  }
  [[nodiscard]] raft::LogIndex LastIndex() const override;
  [[nodiscard]] std::vector<raft::Entry> ConfigEntries() const override;
  [[nodiscard]] absl::StatusOr<raft::Term> TermAt(raft::LogIndex index) const override;
  [[nodiscard]] absl::StatusOr<std::vector<raft::Entry>> Entries(raft::LogIndex first,
                                                                 raft::LogIndex last,
                                                                 size_t bytes_max) const override;

  [[nodiscard]] GroupId group() const { return group_; }
  [[nodiscard]] ReplicaId replica() const { return replica_; }
  // Any thread. Stored bytes of all entries, for the bound on a group's log. See LogSizes for how
  // exact it is.
  [[nodiscard]] uint64_t ByteSize() const;
  // Any thread. The last entry that can go if about the newest `bytes` are to stay; zero: none.
  [[nodiscard]] raft::LogIndex LastBefore(uint64_t bytes) const;
  // Any thread. The membership at `index`, which is not below CompactedIndex().
  [[nodiscard]] raft::Configuration ConfigurationAt(raft::LogIndex index) const;

 private:
  friend class LogStore;

  // How much one Entries() call may still return; the first entry always fits.
  struct EntryBudget;

  // The first index of each term in the log: finds any entry's term without the disk.
  struct TermRun {
    raft::LogIndex first;
    raft::Term term;
  };

  // At start-up: head, hard state, then every entry. What changes on the disk where `life` is a new
  // one (LogStore::OpenGroup) goes into `batch`.
  absl::Status Load(uint64_t life, rocksdb::WriteBatch* batch);
  // The same for a group of which nothing is stored.
  void LoadNew(uint64_t life, rocksdb::WriteBatch* batch);
  void BeginLife(uint64_t life, bool has_head, rocksdb::WriteBatch* batch);
  // True: there was a log.
  absl::StatusOr<bool> LoadHead();
  // With a batch: an entry that is missing ends the log, and what stands behind it is deleted.
  absl::Status LoadEntries(rocksdb::WriteBatch* cut);
  [[nodiscard]] raft::SnapshotMeta Start() const;
  // Writes the append down; the state in memory is unchanged until Show.
  void Encode(const LogAppend& append, rocksdb::WriteBatch* batch);
  void EncodeHead(const raft::SnapshotMeta& start, rocksdb::WriteBatch* batch);
  void EncodeReset(const raft::SnapshotMeta& start, rocksdb::WriteBatch* batch);
  void EncodeDrop(raft::LogIndex last, rocksdb::WriteBatch* batch);
  void EncodeEntries(const std::vector<raft::Entry>& entries, rocksdb::WriteBatch* batch);
  // After the write is durable. Returns by how many bytes the cache grew or shrank.
  int64_t Show(const LogAppend& append);
  int64_t CutFrom(raft::LogIndex first) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int64_t ShowReset(const raft::SnapshotMeta& start) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int64_t ShowDrop(raft::LogIndex last) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Of a stored entry, or right before the first.
  [[nodiscard]] raft::Term StoredTermAt(raft::LogIndex index) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Past an entry that cannot be decoded: the core does not go on with such a log.
  [[nodiscard]] raft::Configuration StoredConfigurationAt(raft::LogIndex index) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  size_t EvictCached(raft::LogIndex last) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckRange(raft::LogIndex first, raft::LogIndex last) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Forgets cached entries up to `last`; returns the bytes freed.
  size_t Evict(raft::LogIndex last);
  // The group is gone or closed: shows an empty log from now on. Returns the bytes freed.
  size_t MarkClosed();
  // Appends to *out what of [first, last] the budget allows.
  absl::Status ReadDisk(raft::LogIndex first, raft::LogIndex last, EntryBudget* budget,
                        std::vector<raft::Entry>* out) const;

  rocksdb::DB* const db_;
  const GroupId group_;
  const ReplicaId replica_;
  // Constant after Load: as of then.
  raft::HardState initial_hard_state_;
  // The log store's, under its write lock. False also while the stored head lacks what this version
  // puts there.
  bool head_stored_ = false;
  // The log as Encode has left it: ahead of the one shown while a write is in flight.
  raft::LogIndex encoded_first_;
  raft::LogIndex encoded_last_;

  mutable Mutex mutex_;
  // What is compacted away ends here, with this membership in force.
  raft::SnapshotMeta start_ ABSL_GUARDED_BY(mutex_);
  raft::LogIndex last_index_ ABSL_GUARDED_BY(mutex_);
  LogSizes sizes_ ABSL_GUARDED_BY(mutex_);
  // The entries with later memberships.
  std::deque<raft::Entry> configurations_ ABSL_GUARDED_BY(mutex_);
  std::vector<TermRun> term_runs_ ABSL_GUARDED_BY(mutex_);
  // The newest entries, without gap up to last_index_.
  std::deque<raft::Entry> cache_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quorate

#endif  // SERVER_STORAGE_GROUP_LOG_H_
