// The leader's side of log replication: one Progress a member, and what to send to each next.
#ifndef RAFT_REPLICATION_H_
#define RAFT_REPLICATION_H_

#include <cstdint>
#include <map>
#include <optional>

#include "raft/config.h"
#include "raft/message.h"
#include "raft/progress.h"
#include "raft/raft_log.h"
#include "raft/types.h"

namespace quorate::raft {

// Empty unless this replica leads. Owned by RaftCore; same thread.
class Replication {
 public:
  explicit Replication(const RaftConfig& config) : config_(config) {}

  // Begins with every other member of the configuration, probing after `last`.
  void Start(const Configuration& configuration, LogIndex last, MonotonicTime now);
  // Another configuration is in force: newcomers are probed after `last`, the rest goes on.
  void SetMembers(const Configuration& configuration, LogIndex last, MonotonicTime now);
  void Stop() { followers_.clear(); }

  // Null for who is no member.
  [[nodiscard]] Progress* Find(ReplicaId replica);
  [[nodiscard]] const Progress* Find(ReplicaId replica) const;
  [[nodiscard]] std::map<ReplicaId, Progress>& followers() { return followers_; }
  [[nodiscard]] const std::map<ReplicaId, Progress>& followers() const { return followers_; }

  // The next append for `follower`, which counts as sent; empty when there is nothing to tell, the
  // window is full, or the log cannot be read (the follower is marked then). `commit_alone`: that
  // more is committed is worth an append without entries.
  std::optional<AppendRequest> NextAppend(Progress* follower, const RaftLog& log, uint64_t round,
                                          bool commit_alone);
  // Whether anybody could be told, and was not yet, that the log is committed up to here.
  [[nodiscard]] bool OwesCommit(LogIndex commit) const;
  // An append without entries that asks where the follower stands, whatever the window says. Not
  // for one that waits for a snapshot.
  std::optional<AppendRequest> Probe(Progress* follower, const RaftLog& log, uint64_t round);

  // Where to go on after a rejection (Raft paper, section 5.3, end; one step a term).
  [[nodiscard]] static LogIndex NextAfterRejection(const AppendResponse& response,
                                                   const RaftLog& log);

  // The highest index that a joint majority has on disk. `self` counts with `persisted`, and only
  // as far as the configuration lets it vote; returning followers do not count.
  [[nodiscard]] LogIndex QuorumMatch(const Configuration& configuration, LogIndex persisted) const;
  // The newest round that a joint majority has answered; `self` has answered `newest`.
  [[nodiscard]] uint64_t QuorumRound(const Configuration& configuration, uint64_t newest) const;
  // The last moment at which a joint majority had been heard of since.
  [[nodiscard]] MonotonicTime QuorumHeard(const Configuration& configuration,
                                          MonotonicTime now) const;

 private:
  const RaftConfig& config_;
  std::map<ReplicaId, Progress> followers_;
};

}  // namespace quorate::raft

#endif  // RAFT_REPLICATION_H_
