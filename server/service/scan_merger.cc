#include "server/service/scan_merger.h"

#include <iterator>
#include <utility>

#include "server/runtime/check.h"

namespace quorate {

size_t ScanMerger::ByteSize(const kv::v1::ScanEntry& entry) {
  return entry.key().size() + entry.value().size();
}

bool ScanMerger::Add(PageAnswer page) {
  if (page.more) {
    if (page.entries.empty()) {
      return false;
    }
    const std::string& last = page.entries.back().key();
    if (!horizon_ || last < *horizon_) {
      horizon_ = last;
    }
  }
  for (kv::v1::ScanEntry& entry : page.entries) {
    if (horizon_ && entry.key() > *horizon_) {
      break;
    }
    bytes_ += ByteSize(entry);
    std::string key = entry.key();
    entries_.insert_or_assign(std::move(key), std::move(entry));
  }
  while (horizon_ && !entries_.empty() && entries_.rbegin()->first > *horizon_) {
    DropLast();
  }
  while (entries_.size() > 1 &&
         (entries_.size() > bounds_.entries_max || bytes_ > bounds_.bytes_max)) {
    DropLast();
    horizon_ = entries_.rbegin()->first;
  }
  return true;
}

void ScanMerger::DropLast() {
  const auto last = std::prev(entries_.end());
  bytes_ -= ByteSize(last->second);
  entries_.erase(last);
}

PageAnswer ScanMerger::Take() {
  QUORATE_CHECK(!std::exchange(taken_, true));
  PageAnswer page;
  page.entries.reserve(entries_.size());
  for (auto& [key, entry] : entries_) {
    page.entries.push_back(std::move(entry));
  }
  page.more = horizon_.has_value();
  entries_.clear();
  return page;
}

}  // namespace quorate
