#include "server/replication/raft_groups/group_directory.h"

#include <algorithm>

namespace quorate {

GroupDirectory::~GroupDirectory() {
  for (auto& bucket : buckets_) {
    for (GroupSlot* slot = bucket.load(); slot != nullptr;) {
      GroupSlot* const next = slot->next;
      delete slot;
      slot = next;
    }
  }
}

GroupSlot* GroupDirectory::Find(GroupId group) const {
  GroupSlot* slot = buckets_[group.value() % kBuckets].load(std::memory_order_acquire);
  while (slot != nullptr && slot->group != group) {
    slot = slot->next;
  }
  return slot;
}

GroupSlot* GroupDirectory::FindOrMake(GroupId group) {
  MutexLock lock(&making_);
  if (GroupSlot* const present = Find(group)) {
    return present;
  }
  auto& bucket = buckets_[group.value() % kBuckets];
  auto slot = std::make_unique<GroupSlot>(group);
  slot->next = bucket.load(std::memory_order_relaxed);
  bucket.store(slot.get(), std::memory_order_release);
  return slot.release();
}

std::vector<ReplicaFigures> GroupDirectory::Figures() const {
  const auto read = [](const auto& figure) { return figure.load(std::memory_order_relaxed); };
  std::vector<ReplicaFigures> all;
  for (const auto& bucket : buckets_) {
    for (const GroupSlot* slot = bucket.load(std::memory_order_acquire); slot != nullptr;
         slot = slot->next) {
      if (!read(slot->wanted)) {
        continue;
      }
      const GroupFigures& figures = slot->figures;
      all.push_back({.group = slot->group,
                     .role = read(figures.role),
                     .quarantined = read(figures.quarantined),
                     .returning = read(figures.returning),
                     .leader_node = read(slot->leader_node),
                     .term = read(figures.term),
                     .apply_lag = read(figures.apply_lag),
                     .commit_lag = read(figures.commit_lag),
                     .follower_lag = read(figures.follower_lag),
                     .log_bytes = read(figures.log_bytes),
                     .open_writes = read(figures.open_writes),
                     .open_reads = read(figures.open_reads),
                     .request_rows = read(figures.request_rows),
                     .quiet = read(figures.quiet)});
    }
  }
  std::sort(all.begin(), all.end(),
            [](const auto& left, const auto& right) { return left.group < right.group; });
  return all;
}

std::map<GroupId, uint64_t> GroupDirectory::Leaders() const {
  std::map<GroupId, uint64_t> leaders;
  for (const auto& bucket : buckets_) {
    for (const GroupSlot* slot = bucket.load(std::memory_order_acquire); slot != nullptr;
         slot = slot->next) {
      const uint64_t leader = slot->leader_node.load(std::memory_order_relaxed);
      if (leader != 0 && slot->wanted.load(std::memory_order_relaxed)) {
        leaders.emplace(slot->group, leader);
      }
    }
  }
  return leaders;
}

}  // namespace quorate
