// The node's durable raft log: entries and hard states of all groups, and the node's own records,
// in one RocksDB. Every write is synced but for entries of groups that do without.
#ifndef SERVER_STORAGE_LOG_STORE_H_
#define SERVER_STORAGE_LOG_STORE_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "raft/config.h"
#include "raft/types.h"
#include "server/runtime/mutex.h"
#include "server/storage/group_log.h"
#include "server/storage/log_append.h"
#include "server/storage/lost_writes_mark.h"
#include "server/storage/store_options.h"

namespace rocksdb {
class DB;
class Status;
class WriteBatch;
}  // namespace rocksdb

namespace quorate {

class ManifestMark;

struct LogHead;

struct LogGroupInfo {
  GroupId group;
  // Whose log it is; zero when nothing was ever appended.
  ReplicaId replica;
};

// Owned by the node; outlives the log writer and all GroupLogs. Threads: as each method says.
//
// Poisoned by the first failed write: that write's error is the answer to every later one, until
// the process restarts. What the disk holds is unknown then (Rebello et al., ATC 2020), so nothing
// may be retried. Reads still work. If anything before that write was unsynced, the next process
// finds a mark that it may be gone.
class LogStore {
 public:
  // Errors: store_options.h. A torn tail of the write-ahead log (a write that was never
  // acknowledged) is cut; damage before the tail is kDataLoss.
  static absl::StatusOr<std::unique_ptr<LogStore>> Open(const StoreOptions& options);
  ~LogStore();
  LogStore(const LogStore&) = delete;
  LogStore& operator=(const LogStore&) = delete;

  // Any thread. Reads and verifies the group's whole log once (checksums, no gap, terms in order);
  // a group without any record is a new, empty log whose first membership is `founding` (without
  // voters: the replica joins, others will tell). Once stored, that stands and `founding` is
  // ignored. A group is opened once in the life of a store, or again after DestroyGroup. kDataLoss:
  // damaged, quarantine the group. kFailedPrecondition: the log belongs to another incarnation;
  // DestroyGroup it first.
  //
  // `life`: of a group whose entries are not all synced, how often the machine has lost power; 0
  // for others. A log that has not seen so many may have lost its last entries: it ends before the
  // first one that is missing, and its raft::HardState::life is raised to that, durably. A new one
  // begins in that life, and whole.
  absl::StatusOr<std::shared_ptr<GroupLog>> OpenGroup(GroupId group, ReplicaId replica,
                                                      const raft::Configuration& founding,
                                                      uint64_t life = 0);

  // Log writer's loop; another's for a group that is no worker's yet. All appends in order in one
  // write, and if any of them asks for it synced, with the next batch number; that covers all
  // earlier writes, too. The GroupLogs show them on return. Appends to groups that are not open
  // (destroyed meanwhile) are dropped. A gap between a group's log and its append is our own bug
  // and ends the process.
  absl::Status Append(absl::Span<const LogAppend> appends);

  // Log writer's loop. All that was appended before is durable on return; a batch of its own.
  absl::Status Sync();
  // Any thread. Whether unsynced writes of an earlier process may be lost though the machine went
  // on. Stays so until it is cleared, which is durable on return.
  [[nodiscard]] absl::StatusOr<bool> MayHaveLostWrites() const { return lost_writes_->IsSet(); }
  absl::Status ClearLostWrites() { return lost_writes_->Clear(); }

  // Any thread. An append that asked for no sync has not been followed by anything that did.
  [[nodiscard]] bool HasUnsynced() const { return unsynced_.load(); }

  // Any thread; blocks on the disk. Durable on return; appends that come later are dropped, and the
  // GroupLog shows an empty log. Idempotent.
  absl::Status DestroyGroup(GroupId group);

  // Any thread. Appends that come later are dropped, and the GroupLog shows an empty log; what is
  // on the disk stays, and OpenGroup reads it anew. Nothing if the group is not open.
  void CloseGroup(GroupId group);

  // Any thread; blocks on the disk. The log, something was appended to it, is `to`'s from now on,
  // durably; the group is closed. kDataLoss: its head is damaged. kNotFound: there is no log.
  absl::Status GiveGroup(GroupId group, ReplicaId to);

  // Any thread; blocks on the disk. Whose log it is; zero: there is none, or nothing was ever
  // appended. kDataLoss: its head is damaged.
  [[nodiscard]] absl::StatusOr<ReplicaId> OwnerOf(GroupId group) const;

  // Any thread. Every group with a record on disk, by id.
  [[nodiscard]] absl::StatusOr<std::vector<LogGroupInfo>> ListGroups() const;

  // Any thread. The node's own small records, by name; synced. server/storage/node_records.h says
  // what they are. With it the number of the last batch becomes no less than `batch_at_least`.
  absl::Status PutNodeRecord(std::string_view name, std::string_view bytes,
                             uint64_t batch_at_least = 0);
  [[nodiscard]] absl::StatusOr<std::optional<std::string>> GetNodeRecord(
      std::string_view name) const;

  // Any thread. Number of the last durable batch in this life of the data folder; grows by one with
  // each synced Append and each Sync, also over restarts. What peers hold against this node, so it
  // must not count what a power loss may take.
  [[nodiscard]] uint64_t DurableBatch() const { return durable_batch_.load(); }
  // Any thread. OK, or the error that poisoned the store.
  [[nodiscard]] absl::Status Health() const;
  // Any thread. One of rocks_figures.h's.
  [[nodiscard]] uint64_t RocksProperty(const std::string& property) const;

 private:
  // A run of cached entries, in the order of arrival over all groups.
  struct CachedRun {
    std::weak_ptr<GroupLog> log;
    raft::LogIndex last;
  };

  LogStore() = default;
  absl::Status LoadDurableBatch();
  absl::Status CheckFormat(const std::string& path);
  void Poison(const rocksdb::Status& why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  absl::Status Write(rocksdb::WriteBatch& batch, bool sync)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  void ShowAppends(absl::Span<const LogAppend> appends) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  void EvictCache() ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  [[nodiscard]] absl::StatusOr<std::optional<LogHead>> ReadHead(GroupId group) const;
  void Forget(GroupId group) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);

  std::unique_ptr<ManifestMark> manifest_;
  std::unique_ptr<rocksdb::DB> db_;
  std::optional<LostWritesMark> lost_writes_;
  size_t cache_bytes_max_ = 0;
  std::atomic<uint64_t> durable_batch_{0};
  // Changed under write_mutex_.
  std::atomic<bool> unsynced_{false};

  // Held while a batch is written, so that a group's destruction and its last append have an order.
  // Workers never take it after start-up.
  Mutex write_mutex_;
  std::map<GroupId, std::shared_ptr<GroupLog>> groups_ ABSL_GUARDED_BY(write_mutex_);
  // Since the start, and not opened again. Nothing of theirs is looked for on the disk, where a
  // damaged block may lie in the way; it is why some of them were destroyed.
  std::set<GroupId> destroyed_ ABSL_GUARDED_BY(write_mutex_);
  std::deque<CachedRun> cached_runs_ ABSL_GUARDED_BY(write_mutex_);
  size_t cached_bytes_ ABSL_GUARDED_BY(write_mutex_) = 0;

  mutable Mutex health_mutex_;
  absl::Status poison_ ABSL_GUARDED_BY(health_mutex_);
};

}  // namespace quorate

#endif  // SERVER_STORAGE_LOG_STORE_H_
