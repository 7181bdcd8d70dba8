// How this folder opens RocksDB and reads its errors.
#ifndef SERVER_STORAGE_ROCKS_H_
#define SERVER_STORAGE_ROCKS_H_

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/storage/store_options.h"

namespace quorate {

inline rocksdb::Slice ToSlice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
inline std::string_view FromSlice(const rocksdb::Slice& slice) {
  return {slice.data(), slice.size()};
}

// Corruption is kDataLoss, a failing file system kUnavailable. `doing` is what was tried.
absl::Status StatusFromRocks(const rocksdb::Status& status, std::string_view doing);

// What helps a node whose files are damaged.
inline constexpr std::string_view kDamagedStoreAdvice =
    "The store is damaged: move the node's data folder away, start it empty, and let its peers "
    "replace what it held (kvctl node drain OLD-ID)";
// kDataLoss: with that advice. Others as they are.
absl::Status AdviseIfDamaged(const absl::Status& status);

// StoreOptions::adjust is applied in both.
rocksdb::Options DataRocksOptions(const StoreOptions& options,
                                  std::shared_ptr<rocksdb::Cache> cache);
rocksdb::Options LogRocksOptions(const StoreOptions& options);

// Errors as in store_options.h.
absl::StatusOr<std::unique_ptr<rocksdb::DB>> OpenRocks(const rocksdb::Options& options,
                                                       const std::string& path);

// Judges a store's format record ("data 1"). Errors as in store_options.h.
absl::Status CheckFormatText(std::string_view text, std::string_view kind, int newest,
                             const std::string& path);

// An iterator over [begin, end) that owns its bound. Not positioned at first.
class RangeIterator {
 public:
  RangeIterator(rocksdb::DB* db, std::string end, const rocksdb::Snapshot* snapshot,
                bool whole_range = false);
  RangeIterator(const RangeIterator&) = delete;
  RangeIterator& operator=(const RangeIterator&) = delete;

  rocksdb::Iterator* operator->() const { return iterator_.get(); }
  void Seek(std::string_view key) { iterator_->Seek(ToSlice(key)); }
  [[nodiscard]] std::string_view key() const { return FromSlice(iterator_->key()); }
  [[nodiscard]] std::string_view value() const { return FromSlice(iterator_->value()); }

 private:
  const std::string end_;
  const rocksdb::Slice end_slice_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

}  // namespace quorate

#endif  // SERVER_STORAGE_ROCKS_H_
