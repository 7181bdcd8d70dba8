// The node's data: all replicas' values, applied indexes and request memories in one RocksDB.
//
// No write-ahead log. What a command changes goes into one ApplyBatch together with the applied
// index and the request row, hence into one memtable, and reaches the disk when that memtable is
// flushed: by RocksDB's own choice, by Flush(), or at a clean close. After a crash the store is as
// it was at some earlier batch boundary, the same one for all replicas; whoever applies must
// then apply the log again from the stored applied index + 1, and the log must not be truncated
// beyond what is flushed.
#ifndef SERVER_STORAGE_DATA_STORE_H_
#define SERVER_STORAGE_DATA_STORE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "internal/v1/command.pb.h"
#include "raft/types.h"
#include "server/storage/flush_marks.h"
#include "server/storage/store_options.h"
#include "server/storage/version.h"

namespace rocksdb {
struct ReadOptions;
class Cache;
class DB;
class Snapshot;
class WriteBatch;
}  // namespace rocksdb

namespace quorate {

class SnapshotReader;
class StagedSnapshot;

struct StoredValue {
  Version version{};
  std::string value{};
  uint64_t expiry_us = 0;  // 0: never
};

struct NewValue {
  Version version{};
  std::string_view value{};
  // RoutingHash(RoutingKey(key, rule)), see server/placement/routing_key.h.
  uint64_t key_hash = 0;
  uint64_t expiry_us = 0;
};

// Changes of one or more replicas that become visible, and later durable, together. Not for several
// threads at once. Reusable after Clear().
class ApplyBatch {
 public:
  ApplyBatch();
  ~ApplyBatch();
  ApplyBatch(ApplyBatch&&) noexcept;
  ApplyBatch& operator=(ApplyBatch&&) noexcept;

  void PutValue(ReplicaId replica, std::string_view key, const NewValue& value);
  void DeleteValue(ReplicaId replica, std::string_view key);
  void PutMeta(ReplicaId replica, const internal::v1::ReplicaMeta& meta);
  // Rows are kept by row.index(), which is unique within a replica: a deleted one never comes back.
  void PutRequestRow(ReplicaId replica, const internal::v1::RequestRow& row);
  void DeleteRequestRow(ReplicaId replica, uint64_t index);
  // The cluster state as the meta group's replica has applied it.
  void PutClusterState(ReplicaId replica, std::string_view state);

  void Clear();
  [[nodiscard]] bool IsEmpty() const;
  // Encoded size, to bound a batch.
  [[nodiscard]] size_t ByteSize() const;

 private:
  friend class DataStore;

  std::unique_ptr<rocksdb::WriteBatch> batch_;
  // Version of each key this batch changes, by record key; none: deleted.
  absl::flat_hash_map<std::string, std::optional<Version>> versions_;
  FlushMarks::Indexes applied_;
  // Keys of deleted request rows. They follow all else, since what goes in turns between the newest
  // rows and the oldest is searched for anew each time (rocks.cc).
  std::vector<std::string> deleted_rows_;
};

// The store at one moment. Movable; must be gone before the store is. Any thread.
class DataSnapshot {
 public:
  DataSnapshot(DataSnapshot&& other) noexcept;
  DataSnapshot& operator=(DataSnapshot&& other) noexcept;
  ~DataSnapshot();

 private:
  friend class DataStore;
  friend class SnapshotReader;
  DataSnapshot(rocksdb::DB* db, const rocksdb::Snapshot* snapshot) : db_(db), snapshot_(snapshot) {}
  void Release();

  rocksdb::DB* db_;
  const rocksdb::Snapshot* snapshot_;
};

struct DataPageRequest {
  std::string_view begin{};  // inclusive
  std::string_view end{};    // exclusive; empty: to the end
  uint64_t limit = 0;        // entries; 0 is taken as 1
  size_t bytes_max = 0;      // of keys and values; one entry always fits
  bool keys_only = false;
};

struct DataPage {
  struct Entry {
    std::string key{};
    StoredValue stored{};  // value empty with keys_only
  };
  std::vector<Entry> entries;
  // There are further keys below `end`.
  bool more = false;
};

struct ReplicaChecksum {
  // XXH3 over key, version and value of all keys in order: equal content, equal hash, on any node.
  uint64_t hash = 0;
  uint64_t keys = 0;

  friend bool operator==(const ReplicaChecksum&, const ReplicaChecksum&) = default;
};

struct DataStoreStats {
  uint64_t memtable_bytes = 0;
  uint64_t file_bytes = 0;
  uint64_t cache_bytes = 0;
};

// Owned by the node, which closes it (destructor) after everything that uses it. Any thread may
// call anything; writes to one replica come from one thread at a time (the apply loop).
//
// Reads answer kDataLoss for a damaged record, naming replica and key: the replica is then not to
// be served but rebuilt. Other errors: kUnavailable (the disk failed).
class DataStore {
 public:
  // Errors: store_options.h.
  static absl::StatusOr<std::unique_ptr<DataStore>> Open(const StoreOptions& options);
  // Flushes what is in memory.
  ~DataStore();
  DataStore(const DataStore&) = delete;
  DataStore& operator=(const DataStore&) = delete;

  // Nothing: no such key.
  [[nodiscard]] absl::StatusOr<std::optional<StoredValue>> Get(ReplicaId replica,
                                                               std::string_view key) const;
  // The same for threads that must not wait: UNAVAILABLE where it would take the disk.
  [[nodiscard]] absl::StatusOr<std::optional<StoredValue>> GetFromMemory(
      ReplicaId replica, std::string_view key) const;
  // The version of `key` as it will be once `pending` is applied: for conditions within a batch.
  [[nodiscard]] absl::StatusOr<std::optional<Version>> GetVersion(ReplicaId replica,
                                                                  std::string_view key,
                                                                  const ApplyBatch& pending) const;

  // All or nothing; visible on return, durable after the next flush. After an error nothing more
  // may be applied until the process restarts: the caller stops applying, for all replicas.
  absl::Status Apply(ApplyBatch& batch);

  [[nodiscard]] DataSnapshot Snapshot() const;
  [[nodiscard]] absl::StatusOr<DataPage> ReadPage(const DataSnapshot& snapshot, ReplicaId replica,
                                                  const DataPageRequest& request) const;
  // Reads the whole replica: background loop.
  [[nodiscard]] absl::StatusOr<ReplicaChecksum> Checksum(const DataSnapshot& snapshot,
                                                         ReplicaId replica) const;

  // Nothing: the replica has never applied anything here (or not flushed it before a crash).
  [[nodiscard]] absl::StatusOr<std::optional<internal::v1::ReplicaMeta>> LoadMeta(
      ReplicaId replica) const;
  // In the order of their log index.
  [[nodiscard]] absl::StatusOr<std::vector<internal::v1::RequestRow>> LoadRequestRows(
      ReplicaId replica) const;
  // Empty: none stored.
  [[nodiscard]] absl::StatusOr<std::string> LoadClusterState(ReplicaId replica) const;

  // Incarnations that have any record here, ascending; for removing those that no placement names.
  [[nodiscard]] absl::StatusOr<std::vector<ReplicaId>> ListReplicas() const;
  // Removes all records of the replica, durably on return (it flushes: background loop).
  // Idempotent.
  absl::Status DestroyReplica(ReplicaId replica);

  // ---- Snapshots for other replicas (replica_snapshot.h, staged_snapshot.h).

  // Errors: NotFound, nothing was ever applied to it.
  absl::StatusOr<std::unique_ptr<SnapshotReader>> ReadReplica(ReplicaId replica) const;
  // Ready for its first chunk; blocks on the disk.
  absl::StatusOr<std::unique_ptr<StagedSnapshot>> StageSnapshot(ReplicaId replica);
  // The replica's records become those of the finished snapshot, all or nothing, and durable on
  // return. As with Apply, after an error nothing more may be applied. Apply loop.
  absl::Status InstallSnapshot(StagedSnapshot& snapshot);

  // Everything applied before the call is durable on return. Blocks on the disk.
  absl::Status Flush();
  // The replica's entries up to this index are in its durable data: a crash does not take them
  // back, and the log is no longer needed for them. 0: none are known to be. Cheap.
  [[nodiscard]] raft::LogIndex FlushedIndex(ReplicaId replica) const {
    return raft::LogIndex(marks_->Get(replica));
  }
  [[nodiscard]] DataStoreStats Stats() const;
  // One of rocks_figures.h's.
  [[nodiscard]] uint64_t RocksProperty(const std::string& property) const;

 private:
  [[nodiscard]] absl::StatusOr<std::optional<StoredValue>> GetBy(
      const rocksdb::ReadOptions& options, ReplicaId replica, std::string_view key) const;
  DataStore() = default;
  absl::Status CheckFormat(const std::string& path);
  [[nodiscard]] absl::StatusOr<std::optional<std::string>> GetRecord(const std::string& key) const;

  absl::Status ClearStage() const;

  StoreOptions options_;
  std::shared_ptr<rocksdb::Cache> cache_;
  std::shared_ptr<FlushMarks> marks_;
  std::atomic<uint64_t> staged_{0};  // files begun, for their names
  std::unique_ptr<rocksdb::DB> db_;
};

}  // namespace quorate

#endif  // SERVER_STORAGE_DATA_STORE_H_
