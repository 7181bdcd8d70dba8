// What RocksDB tells of itself, as metrics: read when asked for, never on the way of a request.
#ifndef SERVER_STORAGE_ROCKS_FIGURES_H_
#define SERVER_STORAGE_ROCKS_FIGURES_H_

#include <cstdint>
#include <string>
#include <vector>

namespace rocksdb {
class DB;
}  // namespace rocksdb

namespace quorate {

struct RocksFigure {
  std::string metric;
  std::string help;
  std::string property;  // RocksDB's name
};

// All gauges.
const std::vector<RocksFigure>& RocksFigures();

// 0 when RocksDB does not know the property.
uint64_t ReadRocksProperty(rocksdb::DB* db, const std::string& property);

}  // namespace quorate

#endif  // SERVER_STORAGE_ROCKS_FIGURES_H_
