// What a ReplicaHost counts while it works.
#ifndef SERVER_REPLICATION_RAFT_GROUPS_HOST_METRICS_H_
#define SERVER_REPLICATION_RAFT_GROUPS_HOST_METRICS_H_

#include "kv/v1/key_value.pb.h"
#include "server/replication/request_trace.h"
#include "server/runtime/metrics.h"
#include "server/runtime/runtime.h"

namespace quorate {

// Children of the node's registry, looked up once; any thread. Figures of single groups are not
// here: GroupFigures in group_directory.h.
struct HostMetrics {
  explicit HostMetrics(MetricsRegistry& registry);

  // A write that was applied and is answered now.
  void CountWrite(const StageTimes& stages, MonotonicTime now);
  // One batch for the data store.
  void CountApply(Duration took);
  // A read that went over a worker.
  void CountRead(kv::v1::ServedBy served_by) {
    (served_by == kv::v1::SERVED_BY_LEADER_LEASE ? reads_by_lease_queued : reads_by_index).Add();
  }

  Counter& reads_by_lease;         // on the caller's thread
  Counter& reads_by_lease_queued;  // behind writes on a worker
  Counter& reads_by_index;
  Counter& pages;
  Counter& prevotes_started;
  Counter& elections_started;
  Counter& leader_changes;
  Counter& step_downs;
  Counter& snapshots_sent;
  Counter& snapshots_installed;
  Counter& snapshots_resumed;
  Counter& snapshot_chunks_stale;
  Counter& snapshot_bytes_sent;
  Histogram& write_queue;
  Histogram& write_log;
  Histogram& write_replicate;
  Histogram& write_apply;
  Histogram& apply_duration;
  Histogram& apply_bytes;
};

}  // namespace quorate

#endif  // SERVER_REPLICATION_RAFT_GROUPS_HOST_METRICS_H_
