// The knobs of one Raft group's core, and its membership.
#ifndef RAFT_CONFIG_H_
#define RAFT_CONFIG_H_

#include <cstdint>
#include <vector>

#include "raft/types.h"

namespace quorate::raft {

// Who votes. `outgoing` is non-empty only while a joint configuration is in force (Raft thesis,
// section 4.3); learners receive the log and count for nothing. Rules and encoding:
// raft/configuration.h.
struct Configuration {
  std::vector<ReplicaId> voters;
  std::vector<ReplicaId> outgoing;
  std::vector<ReplicaId> learners;
  // Which wish for this membership it serves, counted up by whoever wishes; means nothing here but
  // that it never falls: a leader that knows an older wish only must not undo a newer one.
  uint64_t epoch = 0;

  friend bool operator==(const Configuration&, const Configuration&) = default;
};

// What a snapshot of a replica's state stands for: all that was applied up to `index`, whose entry
// has this term, and the membership there. Only committed entries are applied, so it is true for
// ever, whoever leads.
struct SnapshotMeta {
  LogIndex index;
  Term term;
  Configuration configuration;

  friend bool operator==(const SnapshotMeta&, const SnapshotMeta&) = default;
};

struct RaftConfig {
  ReplicaId self;
  // Seeds the core's own generator (election time-outs). Replicas of one group must differ.
  uint64_t seed = 0;

  // A follower campaigns after a silence drawn evenly from [minimum, maximum). Raising both makes
  // fail-over slower and leases longer.
  Duration election_timeout_min = std::chrono::milliseconds(600);
  Duration election_timeout_max = std::chrono::milliseconds(1200);
  // A leader's heartbeat interval; at most a third of election_timeout_min.
  Duration heartbeat_interval = std::chrono::milliseconds(100);

  // The most that the time between two calls of this replica counts in its waits for others. What
  // it slept through (a paused process, a starved processor, a machine that stood still) was no
  // chance for anybody to be heard by it. Promises and leases go by the full time.
  Duration wait_step_max = std::chrono::milliseconds(100);

  // The largest relative difference between two nodes' boot-time clock rates under which lease
  // reads are safe. 0.01 = one percent.
  double clock_drift_max = 0.01;
  // A leader whose members all have everything, and who was not asked for anything for this long,
  // goes quiet together with them: nothing is sent, nothing has to be ticked. Zero: never. Only for
  // drivers that watch over the leaders of quiet followers; see RaftNode::quiet.
  Duration quiet_after{0};

  // true: what is newly committed is told with the next entries, at the latest with the next tick.
  // Followers apply a little later and all at once; a busy leader saves a message to each of them,
  // and its answer, for every batch. false: told at once.
  bool commit_rides_along = false;

  // false: no lease is ever reported and every read is confirmed by a ReadIndex round.
  bool lease_enabled = true;

  // Flow control towards one follower. A single larger entry is still sent, alone.
  size_t append_bytes_max = 1 << 20;
  size_t inflight_bytes_max = 8 << 20;
  size_t inflight_messages_max = 256;
  // A leader refuses proposals while this much of its own log is not yet committed. One entry is
  // always admitted.
  size_t uncommitted_bytes_max = 64 << 20;
  // A learner may become a voter once it lacks at most this many entries.
  uint64_t promotion_lag_entries_max = 1000;
  // Reads waiting for a round or for the first commit of the term; more are refused.
  size_t pending_reads_max = 4096;
  // Committed entries handed out in one Ready (a single larger entry comes alone), and in all
  // Readys that are not reported applied yet.
  size_t apply_bytes_max = 4 << 20;
  size_t unapplied_bytes_max = 32 << 20;
  // Entries that are durable and wait to be handed out are kept in memory up to this; the rest is
  // read back from LogStorage.
  size_t cached_bytes_max = 16 << 20;
};

}  // namespace quorate::raft

#endif  // RAFT_CONFIG_H_
