// Notices that the end of a store's MANIFEST is missing.
#ifndef SERVER_STORAGE_MANIFEST_MARK_H_
#define SERVER_STORAGE_MANIFEST_MARK_H_

#include <rocksdb/db.h>
#include <rocksdb/listener.h>
#include <rocksdb/wal_filter.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace quorate {

// RocksDB takes a MANIFEST that was cut for one whose last record was torn, and opens the store
// without the sorted files that were named there: with a hole, where what stood in them is gone and
// what was written later is there. So the log says, whenever a sorted file was added, how long the
// MANIFEST was; and while the log is replayed, before anything on the disk is changed, that is
// compared with what was found.
//
// One store's, made before it is opened; outlives it. Threads: RocksDB's and the log writer's.
class ManifestMark final : public rocksdb::WalFilter {
 public:
  // `key`: of the record. `name`: what its checksum is seeded with.
  ManifestMark(rocksdb::Env* env, const std::string& path, std::string key, std::string name);

  // Sets the options that tell this object of what happens. Before the store is opened.
  void Watch(rocksdb::Options* options);
  // Not OK: the MANIFEST found is shorter, or older, than the log says. Known when opening ends.
  [[nodiscard]] absl::Status Verdict() const;
  // Adds the record to a batch that will be synced, if the MANIFEST has grown since the last time.
  void AddTo(rocksdb::DB* db, rocksdb::WriteBatch* batch);

  const char* Name() const override { return "QuorateManifestMark"; }
  WalProcessingOption LogRecordFound(unsigned long long log_number, const std::string& log_file,
                                     const rocksdb::WriteBatch& batch,
                                     rocksdb::WriteBatch* new_batch, bool* changed) override;

 private:
  struct Manifest {
    uint64_t number = 0;
    uint64_t size = 0;
  };
  // Sees the puts of a replayed batch.
  class Reader;

  void Compare(std::string_view sealed);

  const std::string path_;
  const std::string key_;
  const std::string name_;
  Manifest found_;
  Manifest promised_;  // the latest that the log tells
  std::atomic<bool> due_{true};
};

}  // namespace quorate

#endif  // SERVER_STORAGE_MANIFEST_MARK_H_
