// What the parts of a ReplicaHost share.
#ifndef SERVER_REPLICATION_RAFT_GROUPS_HOST_CONTEXT_H_
#define SERVER_REPLICATION_RAFT_GROUPS_HOST_CONTEXT_H_

#include <atomic>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "server/replication/raft_groups/damage_list.h"
#include "server/replication/raft_groups/group_directory.h"
#include "server/replication/raft_groups/host_metrics.h"
#include "server/replication/raft_groups/quiet_ledger.h"
#include "server/replication/raft_groups/start_check.h"
#include "server/replication/replica_host.h"
#include "server/runtime/mutex.h"
#include "server/runtime/runtime.h"

namespace quorate {

class SnapshotExchange;

// Held by shared_ptr: tasks left behind on a loop may outlive the host. They reach the stores and
// hooks only through a Gate that the host closes before those go.
struct HostContext {
  HostContext(const Runtime& node_runtime, const ReplicaHost::Options& host_options,
              DataStore* data_store, LogStore* log_store, LogWriter* log_writer,
              ReplicaHost::Hooks host_hooks)
      : runtime(node_runtime),
        options(host_options),
        data(data_store),
        log(log_store),
        writer(log_writer),
        hooks(std::move(host_hooks)),
        metrics(*runtime.metrics),
        peer_messages_dropped(runtime.metrics->GetCounter(
            {.name = "quorate_peer_messages_dropped_total",
             .help = "Raft messages of peers that found their worker's inbox full."})) {}

  [[nodiscard]] MonotonicTime Now() const { return runtime.clock->Now(); }

  // A stamp was given or applied here. Any thread.
  void SawStamp(uint64_t stamp) {
    uint64_t newest = newest_stamp.load(std::memory_order_relaxed);
    while (newest < stamp &&
           !newest_stamp.compare_exchange_weak(newest, stamp, std::memory_order_relaxed)) {
    }
  }

  // The first error of either store ends all writing until the process restarts. Any loop.
  void Poison(const absl::Status& status) {
    if (!poisoned.exchange(true) && hooks.store_poisoned) {
      hooks.store_poisoned(status);
    }
  }

  const Runtime runtime;
  const ReplicaHost::Options options;
  DataStore* const data;
  LogStore* const log;
  LogWriter* const writer;
  // Constant after construction; called by several loops at once.
  ReplicaHost::Hooks hooks;
  HostMetrics metrics;
  // The host's; set before its workers begin.
  SnapshotExchange* snapshots = nullptr;

  GroupDirectory directory;
  DamageList damaged;
  StartCheck start = StartCheck::Of(log, options.held_at_start);
  // Quiet groups led here by the nodes of their members, and followed here by their leader's node.
  QuietLedger led_quietly;
  QuietLedger followed_quietly;
  std::atomic<uint64_t> newest_stamp{0};
  std::atomic<bool> poisoned{false};
  // Replicas that were begun and neither run nor are broken yet, and those that run but return from
  // a power loss.
  std::atomic<size_t> starting{0};
  std::atomic<bool> flush_under_way{false};
  // Messages of peers that found a worker's inbox full.
  Counter& peer_messages_dropped;
  // Of all WriteRequests alive.
  std::atomic<size_t> write_bytes{0};
};

}  // namespace quorate

#endif  // SERVER_REPLICATION_RAFT_GROUPS_HOST_CONTEXT_H_
