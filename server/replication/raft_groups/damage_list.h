// Which replicas of this node are damaged.
#ifndef SERVER_REPLICATION_RAFT_GROUPS_DAMAGE_LIST_H_
#define SERVER_REPLICATION_RAFT_GROUPS_DAMAGE_LIST_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <vector>

#include "absl/status/status.h"
#include "raft/types.h"
#include "server/replication/replica_host.h"
#include "server/runtime/mutex.h"

namespace quorate {

// Replicas whose log or data failed its checksum, or of which a part is gone, until they are
// removed. Those that are not silent serve on: one value that cannot be read breaks no promise
// about the log. Any thread.
class DamageList {
 public:
  // Damage was met, perhaps again.
  void Add(GroupId group, DamagedReplica found) {
    const MutexLock lock(&mutex_);
    Entry& entry = entries_[group];
    if (found.replica < entry.damaged.replica) {
      return;  // of one that was replaced meanwhile
    }
    found.silent |= entry.damaged.replica == found.replica && entry.damaged.silent;
    entry.damaged = found;
    ++entry.times;
    times_.fetch_add(1, std::memory_order_relaxed);
  }
  // The same, if that is what `status` tells. Returns whether it is.
  bool AddIfDamage(GroupId group, DamagedReplica found, const absl::Status& status) {
    if (!absl::IsDataLoss(status)) {
      return false;
    }
    Add(group, found);
    return true;
  }
  // It goes away.
  void Remove(GroupId group) {
    const MutexLock lock(&mutex_);
    entries_.erase(group);
  }
  [[nodiscard]] std::vector<DamagedReplica> List() const {
    const MutexLock lock(&mutex_);
    std::vector<DamagedReplica> replicas;
    for (const auto& [group, entry] : entries_) {
      replicas.push_back(entry.damaged);
    }
    return replicas;
  }
  // How often damage was met: in all groups, which costs nothing to ask, and in one.
  [[nodiscard]] uint64_t Times() const { return times_.load(std::memory_order_relaxed); }
  [[nodiscard]] uint64_t TimesIn(GroupId group) const {
    const MutexLock lock(&mutex_);
    const auto found = entries_.find(group);
    return found == entries_.end() ? 0 : found->second.times;
  }

 private:
  struct Entry {
    DamagedReplica damaged;
    uint64_t times = 0;
  };
  mutable Mutex mutex_;
  std::map<GroupId, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  std::atomic<uint64_t> times_{0};
};

}  // namespace quorate

#endif  // SERVER_REPLICATION_RAFT_GROUPS_DAMAGE_LIST_H_
