#include "server/storage/rocks.h"

#include <fmt/format.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>

#include <charconv>
#include <utility>
#include <vector>

#include "server/storage/key_format.h"

namespace quorate {
namespace {

rocksdb::Options CommonOptions(const StoreOptions& options) {
  rocksdb::Options rocks;
  rocks.create_if_missing = true;
  if (options.env != nullptr) rocks.env = options.env;
  rocks.paranoid_checks = true;
  // RocksDB must not go on by itself after a failed write or flush: what the disk holds is unknown.
  rocks.max_bgerror_resume_count = 0;
  rocks.write_buffer_size = options.write_buffer_bytes;
  rocks.compression = rocksdb::kLZ4Compression;
  rocks.bytes_per_sync = 1 << 20;
  // RocksDB's own diary in the folder; bounded.
  rocks.info_log_level = rocksdb::WARN_LEVEL;
  rocks.max_log_file_size = 4 << 20;
  rocks.keep_log_file_num = 4;
  rocks.stats_dump_period_sec = 0;
  rocks.stats_persist_period_sec = 0;
  return rocks;
}

rocksdb::BlockBasedTableOptions TableOptions() {
  rocksdb::BlockBasedTableOptions table;
  table.checksum = rocksdb::kXXH3;
  table.format_version = 5;
  return table;
}

bool HasSuffix(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
}

// Without CURRENT, RocksDB would take the folder for new and delete the other files.
absl::Status CheckNotBeheaded(rocksdb::Env* env, const std::string& path) {
  if (env->FileExists(path + "/CURRENT").ok()) return absl::OkStatus();
  std::vector<std::string> files;
  if (!env->GetChildren(path, &files).ok()) return absl::OkStatus();  // no folder yet
  for (const std::string& file : files) {
    if (HasSuffix(file, ".sst") || HasSuffix(file, ".log")) {
      return AdviseIfDamaged(
          absl::DataLossError(fmt::format("{} holds {} but no file CURRENT", path, file)));
    }
  }
  return absl::OkStatus();
}

absl::Status OpenError(const rocksdb::Status& status, const std::string& path) {
  const std::string text = status.ToString();
  // The words of rocksdb's PosixFileSystem::LockFile, and of its memory file system.
  if (text.find("lock hold by current process") != std::string::npos ||
      text.find("While lock file") != std::string::npos ||
      text.find("lock is already held") != std::string::npos) {
    return absl::AbortedError(fmt::format(
        "{} is in use by another process. Stop it, or use another data folder ({})", path, text));
  }
  if (status.IsIOError() && !status.IsPathNotFound()) {
    return absl::UnavailableError(fmt::format(
        "cannot open {}: {}. Check that the disk has room and that this user may write there", path,
        text));
  }
  return AdviseIfDamaged(absl::DataLossError(fmt::format("{} is unreadable: {}", path, text)));
}

// RocksDB syncs its folder, but nobody above: without this a power loss may take the whole folder
// with everything in it that was synced.
rocksdb::Status MakeDurableFolder(rocksdb::Env* env, const std::string& path) {
  rocksdb::Status status = env->CreateDirIfMissing(path);
  std::string folder = path;
  for (int above = 0; status.ok() && above < 2; ++above) {
    const size_t slash = folder.find_last_of('/');
    if (slash == std::string::npos || folder == "/") break;
    folder = slash == 0 ? "/" : folder.substr(0, slash);
    std::unique_ptr<rocksdb::Directory> directory;
    status = env->NewDirectory(folder, &directory);
    if (status.ok()) status = directory->Fsync();
  }
  return status;
}

}  // namespace

absl::Status StatusFromRocks(const rocksdb::Status& status, std::string_view doing) {
  if (status.ok()) return absl::OkStatus();
  const std::string text = fmt::format("{}: {}", doing, status.ToString());
  if (status.IsCorruption()) return absl::DataLossError(text);
  if (status.IsIOError()) return absl::UnavailableError(text);
  return absl::InternalError(text);
}

absl::Status AdviseIfDamaged(const absl::Status& status) {
  if (status.code() != absl::StatusCode::kDataLoss) return status;
  return absl::DataLossError(
      fmt::format("{}. {}", std::string(status.message()), kDamagedStoreAdvice));
}

rocksdb::Options DataRocksOptions(const StoreOptions& options,
                                  std::shared_ptr<rocksdb::Cache> cache) {
  rocksdb::Options rocks = CommonOptions(options);
  rocks.max_write_buffer_number = 3;
  // Request rows and applied indexes are each written in the order of their keys, but in turns with
  // values. Where each kind of a replica's records was last inserted is remembered, which spares
  // most of the search. RocksDB confuses the hints of keys with those of range deletions: these
  // must begin at keys shorter than this prefix, as ReplicaBegin is.
  rocks.memtable_insert_with_hint_prefix_extractor.reset(
      rocksdb::NewFixedPrefixTransform(kRecordPrefixSize));
  rocks.bottommost_compression = rocksdb::kZSTD;
  rocksdb::BlockBasedTableOptions table = TableOptions();
  table.block_cache = std::move(cache);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  rocks.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  // No write-ahead log, hence nothing else would bring the memtable to the disk at a clean stop.
  rocks.avoid_flush_during_shutdown = false;
  if (options.adjust) options.adjust(rocks);
  return rocks;
}

rocksdb::Options LogRocksOptions(const StoreOptions& options) {
  rocksdb::Options rocks = CommonOptions(options);
  // A torn last record was never acknowledged and is cut; damage before it stops the start. The
  // other modes would silently drop acknowledged entries behind the damage.
  rocks.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  // A lost log file is noticed, too.
  rocks.track_and_verify_wals_in_manifest = true;
  rocks.max_write_buffer_number = 4;
  rocks.level0_file_num_compaction_trigger = 8;
  rocksdb::BlockBasedTableOptions table = TableOptions();
  table.block_cache = rocksdb::NewLRUCache(8 << 20);
  rocks.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  if (options.adjust) options.adjust(rocks);
  return rocks;
}

absl::StatusOr<std::unique_ptr<rocksdb::DB>> OpenRocks(const rocksdb::Options& options,
                                                       const std::string& path) {
  if (absl::Status status = CheckNotBeheaded(options.env, path); !status.ok()) return status;
  rocksdb::DB* db = nullptr;
  rocksdb::Status status = MakeDurableFolder(options.env, path);
  if (status.ok()) status = rocksdb::DB::Open(options, path, &db);
  if (!status.ok()) return OpenError(status, path);
  return std::unique_ptr<rocksdb::DB>(db);
}

absl::Status CheckFormatText(std::string_view text, std::string_view kind, int newest,
                             const std::string& path) {
  const size_t space = text.find(' ');
  int format = 0;
  if (space != std::string_view::npos) {
    std::from_chars(text.data() + space + 1, text.data() + text.size(), format);
  }
  if (format < 1 || text.substr(0, space) != kind) {
    return absl::DataLossError(fmt::format(
        "{} is no {} store of Quorate: its format record is damaged or foreign", path, kind));
  }
  if (format > newest) {
    return absl::FailedPreconditionError(
        fmt::format("{} has {} format {}, this version knows up to {}. Start the newer version of "
                    "Quorate that wrote it",
                    path, kind, format, newest));
  }
  return absl::OkStatus();
}

RangeIterator::RangeIterator(rocksdb::DB* db, std::string end, const rocksdb::Snapshot* snapshot,
                             bool whole_range)
    : end_(std::move(end)), end_slice_(end_) {
  rocksdb::ReadOptions options;
  options.snapshot = snapshot;
  options.iterate_upper_bound = &end_slice_;
  if (whole_range) {
    // A long scan must not push what requests need out of the cache.
    options.fill_cache = false;
    options.readahead_size = 1 << 20;
  }
  iterator_.reset(db->NewIterator(options));
}

}  // namespace quorate
