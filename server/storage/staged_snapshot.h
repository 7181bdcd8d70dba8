// A snapshot that is arriving: gathered in a file of its own, which then becomes part of the store
// at once.
#ifndef SERVER_STORAGE_STAGED_SNAPSHOT_H_
#define SERVER_STORAGE_STAGED_SNAPSHOT_H_

#include <rocksdb/options.h>
#include <rocksdb/sst_file_writer.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "internal/v1/command.pb.h"
#include "raft/types.h"
#include "server/storage/replica_snapshot.h"

namespace quorate {

// Made by DataStore::StageSnapshot, installed by DataStore::InstallSnapshot. The file is a sorted
// one of RocksDB's: first the deletion of everything that the replica has, then the records under
// its incarnation. The replica's own record says that it was installed (ReplicaMeta.installed): its
// log may be of before. Whatever is not installed is removed with this object, and at the next
// start.
//
// One thread at a time; blocks on the disk. Must be gone before the store's env is.
class StagedSnapshot {
 public:
  StagedSnapshot(const rocksdb::Options& options, std::string path, ReplicaId replica);
  ~StagedSnapshot();
  StagedSnapshot(const StagedSnapshot&) = delete;
  StagedSnapshot& operator=(const StagedSnapshot&) = delete;

  // In this order: Begin, Add for each chunk, Finish. After an error only destruction is left.
  // kDataLoss: these bytes are no snapshot. kUnavailable: the disk failed.
  absl::Status Begin();
  absl::Status Add(std::string_view content);
  absl::Status Finish(uint64_t stream_checksum);

  [[nodiscard]] ReplicaId replica() const { return replica_; }
  // After Finish: the replica's own record, with the index and term that the data is as of.
  [[nodiscard]] const internal::v1::ReplicaMeta& meta() const { return meta_; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  absl::Status AddRecord(uint64_t kind, std::string_view suffix, std::string_view content);
  absl::Status Write(std::string_view key, std::string_view value);

  // The longest record: a value of 16 MiB, or the answers to an atomic batch, with room to grow.
  static constexpr size_t kRecordBytesMax = size_t{64} << 20;

  const rocksdb::Options options_;
  const std::string path_;
  const ReplicaId replica_;
  rocksdb::SstFileWriter writer_;
  StreamChecksum checksum_;
  std::string pending_;  // the begin of a record whose end has not arrived
  std::string last_key_;
  internal::v1::ReplicaMeta meta_;
  bool has_meta_ = false;
};

}  // namespace quorate

#endif  // SERVER_STORAGE_STAGED_SNAPSHOT_H_
