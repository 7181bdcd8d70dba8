// What workers and the apply loop hand to each other.
#ifndef SERVER_REPLICATION_RAFT_GROUPS_APPLY_WORK_H_
#define SERVER_REPLICATION_RAFT_GROUPS_APPLY_WORK_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "raft/types.h"
#include "server/replication/raft_groups/request.h"

namespace quorate {

class ReplicaState;
class StagedSnapshot;

// To a worker: what became of one replica's apply work.
struct AppliedNotice {
  GroupId group;
  ReplicaId replica;
  raft::LogIndex index{};
  uint64_t last_stamp = 0;
  // The replica's data is that of the snapshot that was to be installed, or a later one's.
  bool snapshot_installed = false;
  // Not empty: the replica is quarantined.
  std::string fault{};
  // Because its own log or data is damaged, which its peers' need not be.
  bool damaged = false;
  // Have their answers.
  std::vector<std::shared_ptr<OpenRequest>> finished{};
};

// The worker as the apply and background loops see it. Any thread.
class AppliedSink {
 public:
  virtual ~AppliedSink() = default;
  virtual void OnApplied(std::vector<AppliedNotice> notices) = 0;
  // Orders notices of one turn alike in every run.
  [[nodiscard]] virtual size_t number() const = 0;
};

// To the apply loop: one replica's share of a worker's turn. Reads are served after the entries.
struct ApplyWork {
  std::shared_ptr<ReplicaState> replica;
  std::shared_ptr<AppliedSink> worker;
  std::vector<raft::Entry> entries;
  // Those proposed here, a subset of `entries` in order of index.
  std::vector<std::shared_ptr<WriteRequest>> writes;
  std::vector<std::shared_ptr<ReadRequest>> reads;
  // Replaces the replica's data, before the entries are applied.
  std::shared_ptr<StagedSnapshot> snapshot{};
};

}  // namespace quorate

#endif  // SERVER_REPLICATION_RAFT_GROUPS_APPLY_WORK_H_
