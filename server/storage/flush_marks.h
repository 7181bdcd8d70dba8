// What of each replica's applied entries is known to be on the disk, in a store without a
// write-ahead log.
#ifndef SERVER_STORAGE_FLUSH_MARKS_H_
#define SERVER_STORAGE_FLUSH_MARKS_H_

#include <cstddef>
#include <cstdint>
#include <deque>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "raft/types.h"
#include "server/runtime/mutex.h"

namespace quorate {

// RocksDB flushes batches in the order of their sequence numbers, and says up to which it has. So a
// batch is noted with its sequence number and the applied indexes in it; neighbours share one note,
// which counts as flushed with the last of them: the answer is never too high.
//
// Owned by the data store and its RocksDB's listener. Any thread.
class FlushMarks {
 public:
  using Indexes = absl::btree_map<ReplicaId, uint64_t>;

  // Batches of up to `note_bytes` share a note.
  explicit FlushMarks(size_t note_bytes) : note_bytes_(note_bytes) {}

  // A batch of `bytes` is in memory; `sequence` is its last one, or a later one.
  void Applied(uint64_t sequence, size_t bytes, const Indexes& indexes);
  // Everything up to `sequence` is on the disk.
  void Flushed(uint64_t sequence);
  // This index is on the disk.
  void Durable(ReplicaId replica, uint64_t index);
  // The same, of what a record says that was read: unless a batch has changed it since the start.
  void FoundStored(ReplicaId replica, uint64_t index);
  void Forget(ReplicaId replica);

  // 0: nothing is known to be.
  [[nodiscard]] uint64_t Get(ReplicaId replica) const;

 private:
  void SettleNotes() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  struct Note {
    uint64_t sequence = 0;
    size_t bytes = 0;
    Indexes indexes{};
  };

  const size_t note_bytes_;
  mutable Mutex mutex_;
  uint64_t flushed_sequence_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<Note> notes_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<ReplicaId, uint64_t> durable_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quorate

#endif  // SERVER_STORAGE_FLUSH_MARKS_H_
