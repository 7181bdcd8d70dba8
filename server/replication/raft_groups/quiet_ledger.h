// What is quiet on this node, by the node at the other end.
#ifndef SERVER_REPLICATION_RAFT_GROUPS_QUIET_LEDGER_H_
#define SERVER_REPLICATION_RAFT_GROUPS_QUIET_LEDGER_H_

#include <cstdint>
#include <map>
#include <vector>

#include "absl/container/btree_map.h"
#include "server/replication/replica_host.h"
#include "server/runtime/mutex.h"

namespace quorate {

// One side: either the groups led quietly, by each node that has a member of them; or the groups
// followed quietly, by their leader's node. Two nodes agree on what is quiet between them exactly
// if the one's led and the other's followed digests are equal.
//
// Written when a group goes quiet or wakes, so an idle node never goes over its groups. Any thread.
class QuietLedger {
 public:
  void Add(uint64_t node, const QuietGroup& group);
  void Remove(uint64_t node, const QuietGroup& group);

  [[nodiscard]] QuietDigest Digest(uint64_t node) const;
  [[nodiscard]] bool Holds(uint64_t node, const QuietGroup& group) const;
  // By group.
  [[nodiscard]] std::vector<QuietGroup> List(uint64_t node) const;
  // Nodes that something is listed for.
  [[nodiscard]] std::vector<uint64_t> Nodes() const;

 private:
  struct Entry {
    absl::btree_map<GroupId, uint64_t /*term*/> groups;
    uint64_t sum = 0;
  };

  mutable Mutex mutex_;
  std::map<uint64_t, Entry> nodes_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quorate

#endif  // SERVER_REPLICATION_RAFT_GROUPS_QUIET_LEDGER_H_
