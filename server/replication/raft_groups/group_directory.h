// What any thread may know of the groups on this node, without asking their workers.
#ifndef SERVER_REPLICATION_RAFT_GROUPS_GROUP_DIRECTORY_H_
#define SERVER_REPLICATION_RAFT_GROUPS_GROUP_DIRECTORY_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "kv/v1/admin.pb.h"
#include "server/replication/raft_groups/lease_view.h"
#include "server/replication/replica_host.h"
#include "server/runtime/mutex.h"
#include "server/runtime/runtime.h"

namespace quorate {

// What metrics tell of a replica, as of about the last second. Written by the group's worker
// (request_rows: by the apply loop).
struct GroupFigures {
  std::atomic<kv::v1::ReplicaRole> role{kv::v1::REPLICA_ROLE_UNSPECIFIED};
  std::atomic<bool> quarantined{false};
  std::atomic<bool> returning{false};
  std::atomic<bool> quiet{false};
  std::atomic<uint64_t> term{0};
  std::atomic<uint64_t> apply_lag{0};
  std::atomic<uint64_t> commit_lag{0};
  std::atomic<uint64_t> follower_lag{0};
  std::atomic<uint64_t> log_bytes{0};
  std::atomic<uint64_t> open_writes{0};
  std::atomic<uint64_t> open_reads{0};
  std::atomic<uint64_t> request_rows{0};
};

// The published facts of one group. Written by the group's worker (`wanted`: by the host), read by
// anyone.
struct GroupSlot {
  explicit GroupSlot(GroupId group_id) : group(group_id) {}

  const GroupId group;
  LeaseSlot lease;
  // A replica is here, is being started, or will be.
  std::atomic<bool> wanted{false};
  // Node of the leader as far as known; 0: unknown.
  std::atomic<uint64_t> leader_node{0};
  GroupFigures figures;

  GroupSlot* next = nullptr;  // set before the slot is published, then constant
};

// Finds slots by group without locks: a request on a network thread must not meet another one's
// lock. A slot, once made, stays until the directory goes: group ids are never given twice, so
// their number is that of all replicas the node ever held in this life, at about 100 bytes each.
class GroupDirectory {
 public:
  GroupDirectory() = default;
  ~GroupDirectory();
  GroupDirectory(const GroupDirectory&) = delete;
  GroupDirectory& operator=(const GroupDirectory&) = delete;

  // Null when the node never held the group.
  [[nodiscard]] GroupSlot* Find(GroupId group) const;
  GroupSlot* FindOrMake(GroupId group) ABSL_LOCKS_EXCLUDED(making_);

  // Of the groups that are wanted here, by group.
  [[nodiscard]] std::vector<ReplicaFigures> Figures() const;
  // Known leaders of the groups that are wanted here.
  [[nodiscard]] std::map<GroupId, uint64_t> Leaders() const;

 private:
  static constexpr size_t kBuckets = 4096;  // consecutive ids spread evenly

  // Heads of lists that only grow at the front.
  std::array<std::atomic<GroupSlot*>, kBuckets> buckets_{};
  Mutex making_;
};

}  // namespace quorate

#endif  // SERVER_REPLICATION_RAFT_GROUPS_GROUP_DIRECTORY_H_
