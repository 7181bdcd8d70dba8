#include "server/replication/raft_groups/group_directory.h"

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
