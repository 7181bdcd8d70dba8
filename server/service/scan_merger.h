// Merges pages of several partitions into one page in key order.
#ifndef SERVER_SERVICE_SCAN_MERGER_H_
#define SERVER_SERVICE_SCAN_MERGER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kv/v1/key_value.pb.h"
#include "server/replication/replica_host.h"

namespace quorate {

// Partitions hold disjoint keys. A partition that has more than it gave has said nothing of keys
// behind its last one, so the page ends at the smallest such key: the horizon. What lies behind it
// is dropped, and so is what exceeds the page's bounds, as soon as it comes: at most one page and
// the page that is being added are in memory.
//
// One thread at a time.
class ScanMerger {
 public:
  struct Bounds {
    uint64_t entries_max = 1;  // at least 1
    size_t bytes_max = 0;      // one entry always fits
  };

  explicit ScanMerger(Bounds bounds) : bounds_(bounds) {}

  // False, and nothing is changed, for a page that has more but no entry.
  [[nodiscard]] bool Add(PageAnswer page);

  // The last key that the page can still hold; nothing: no end yet. Never grows.
  [[nodiscard]] const std::optional<std::string>& horizon() const { return horizon_; }
  // The page in key order, and whether keys may follow. Once.
  [[nodiscard]] PageAnswer Take();
  [[nodiscard]] bool taken() const { return taken_; }

 private:
  [[nodiscard]] static size_t ByteSize(const kv::v1::ScanEntry& entry);
  void DropLast();

  const Bounds bounds_;
  std::map<std::string, kv::v1::ScanEntry> entries_;
  size_t bytes_ = 0;
  std::optional<std::string> horizon_;
  bool taken_ = false;
};

}  // namespace quorate

#endif  // SERVER_SERVICE_SCAN_MERGER_H_
