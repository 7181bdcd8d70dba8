#include "server/storage/rocks_figures.h"

#include <rocksdb/db.h>

#include <cstdlib>

namespace quorate {

const std::vector<RocksFigure>& RocksFigures() {
  using Properties = rocksdb::DB::Properties;
  static const auto* const figures = new std::vector<RocksFigure>{
      {"quorate_rocksdb_memtable_bytes", "Memory of all memtables that are not flushed yet.",
       Properties::kCurSizeAllMemTables},
      {"quorate_rocksdb_immutable_memtables", "Full memtables that wait to be flushed.",
       Properties::kNumImmutableMemTable},
      {"quorate_rocksdb_block_cache_bytes", "Memory of the block cache in use.",
       Properties::kBlockCacheUsage},
      {"quorate_rocksdb_block_cache_capacity_bytes", "Most memory that the block cache may use.",
       Properties::kBlockCacheCapacity},
      {"quorate_rocksdb_level0_files", "Files of level 0; many of them slow reads down.",
       Properties::kNumFilesAtLevelPrefix + "0"},
      {"quorate_rocksdb_pending_compaction_bytes",
       "Estimate of what compaction has to rewrite until all levels are in shape.",
       Properties::kEstimatePendingCompactionBytes},
      {"quorate_rocksdb_keys", "Estimate of the keys stored, those of all replicas together.",
       Properties::kEstimateNumKeys},
      {"quorate_rocksdb_sst_bytes", "Size of the sorted files.", Properties::kTotalSstFilesSize},
      {"quorate_rocksdb_running_flushes", "Flushes that run now.", Properties::kNumRunningFlushes},
      {"quorate_rocksdb_running_compactions", "Compactions that run now.",
       Properties::kNumRunningCompactions},
      {"quorate_rocksdb_background_errors", "Errors of flushes and compactions since the start.",
       Properties::kBackgroundErrors},
      {"quorate_rocksdb_write_stopped", "1 while writes wait for a flush or a compaction.",
       Properties::kIsWriteStopped},
  };
  return *figures;
}

uint64_t ReadRocksProperty(rocksdb::DB* db, const std::string& property) {
  uint64_t value = 0;
  if (db->GetIntProperty(property, &value)) return value;
  std::string text;  // some numbers are told as text only
  return db->GetProperty(property, &text) ? std::strtoull(text.c_str(), nullptr, 10) : 0;
}

}  // namespace quorate
