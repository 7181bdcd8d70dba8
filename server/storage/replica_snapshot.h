// One replica's records at one moment, as a stream of bytes that means the same on every node.
//
// The stream is records in key order, each
//
//   kind (1) | suffix: length (LEB128), bytes | content: length (LEB128), bytes
//
// without what belongs to the replica that is read: its incarnation, and the checksums that bind
// records to it. The reader verifies each record's checksum before it sends it, and the receiver
// seals it anew. The replica's own record (applied index, term, configuration, clock) and its
// request memory are in the stream like everything else, so they agree with the data.
#ifndef SERVER_STORAGE_REPLICA_SNAPSHOT_H_
#define SERVER_STORAGE_REPLICA_SNAPSHOT_H_

#include <xxhash.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "raft/types.h"
#include "server/storage/data_store.h"
#include "server/storage/rocks.h"

namespace quorate {

// XXH3 of bytes that come in pieces.
class StreamChecksum {
 public:
  StreamChecksum();
  void Update(std::string_view bytes);
  [[nodiscard]] uint64_t Value() const;

 private:
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, Free> state_;
};

[[nodiscard]] uint64_t ChunkChecksum(std::string_view content);

// Made by DataStore::ReadReplica. Holds the store's snapshot, hence must be gone before the store
// is, and keeps RocksDB from dropping old versions: not to be held for long. One thread at a time;
// blocks on the disk.
class SnapshotReader {
 public:
  static constexpr size_t kChunkBytes = size_t{256} << 10;

  struct Chunk {
    std::string content{};
    bool last = false;
    uint64_t stream_checksum = 0;  // of the last one
  };

  SnapshotReader(rocksdb::DB* db, DataSnapshot snapshot, ReplicaId replica);

  // The next chunk; not to be called after the last one. kDataLoss: a record is damaged, the
  // replica is to be quarantined. kUnavailable: the disk failed.
  absl::StatusOr<Chunk> Next();
  // After the last chunk: what the data is as of.
  [[nodiscard]] raft::LogIndex applied_index() const { return applied_index_; }

 private:
  absl::Status AppendRecord();

  const ReplicaId replica_;
  const DataSnapshot snapshot_;
  RangeIterator records_;
  StreamChecksum checksum_;
  raft::LogIndex applied_index_;
  std::string buffer_;
  size_t taken_ = 0;  // of buffer_
};

}  // namespace quorate

#endif  // SERVER_STORAGE_REPLICA_SNAPSHOT_H_
