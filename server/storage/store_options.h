// How both RocksDB instances of a node are opened.
//
// Errors of DataStore::Open and LogStore::Open, each naming the folder, the cause and the mend:
//   kAborted             another process uses the folder
//   kFailedPrecondition  written by a newer version of Quorate
//   kDataLoss            unreadable: damaged, or no store of that kind
//   kUnavailable         the file system failed (permissions, full disk, I/O error)
#ifndef SERVER_STORAGE_STORE_OPTIONS_H_
#define SERVER_STORAGE_STORE_OPTIONS_H_

#include <cstddef>
#include <functional>
#include <string>

namespace rocksdb {
class Env;
struct Options;
}  // namespace rocksdb

namespace quorate {

struct StoreOptions {
  // The store's own folder; made when missing (its parent must exist).
  std::string path{};
  // Runtime::env. Null: the process's real files. Outlives the store.
  rocksdb::Env* env = nullptr;
  // Data store: block cache. Log store: recent entries of all groups kept in memory, so that a
  // worker rarely reads the disk.
  size_t cache_bytes = size_t{64} << 20;
  // Bytes gathered in memory before RocksDB writes a sorted file.
  size_t write_buffer_bytes = size_t{64} << 20;
  // Called last on the finished options; the simulator makes RocksDB deterministic here.
  std::function<void(rocksdb::Options&)> adjust{};
};

}  // namespace quorate

#endif  // SERVER_STORAGE_STORE_OPTIONS_H_
