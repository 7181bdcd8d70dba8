#include "server/replication/raft_groups/host_metrics.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>

namespace quorate {
namespace {

Counter& Reads(MetricsRegistry& registry, const std::string& served_by) {
  return registry
      .CounterFamily({.name = "quorate_reads_total",
                      .help = "Reads served by replicas here: under the lease on the network's "
                              "thread, under the lease behind a worker's queue, confirmed by a "
                              "majority, or a page of a scan.",
                      .labels = {"served_by"}})
      .With({served_by});
}

Counter& Campaigns(MetricsRegistry& registry, const std::string& kind) {
  return registry
      .CounterFamily({.name = "quorate_raft_campaigns_total",
                      .help = "Elections that replicas here began: trial ones (prevote), which "
                              "disturb nobody, and real ones (vote).",
                      .labels = {"kind"}})
      .With({kind});
}

Histogram& WriteStage(MetricsRegistry& registry, const std::string& stage) {
  return registry
      .HistogramFamily(
          {.name = "quorate_write_stage_duration_seconds",
           .help = "Where writes led here spend their time. queue: until the worker took it. "
                   "From then on, side by side, log: until this node's log has it durably, and "
                   "replicate: until a majority has it. apply: from there to the answer.",
           .labels = {"stage"}},
          LatencyScale())
      .With({stage});
}

uint64_t MicrosOf(Duration duration) {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(std::max(duration, Duration::zero()))
          .count());
}

void Record(Histogram& histogram, std::optional<MonotonicTime> from,
            std::optional<MonotonicTime> to) {
  if (from && to) histogram.Record(MicrosOf(*to - *from));
}

}  // namespace

HostMetrics::HostMetrics(MetricsRegistry& registry)
    : reads_by_lease(Reads(registry, "lease")),
      reads_by_lease_queued(Reads(registry, "lease_queued")),
      reads_by_index(Reads(registry, "read_index")),
      pages(Reads(registry, "page")),
      prevotes_started(Campaigns(registry, "prevote")),
      elections_started(Campaigns(registry, "vote")),
      leader_changes(registry.GetCounter(
          {.name = "quorate_raft_leader_changes_total",
           .help = "Times that a replica here learned of another leader, or lost it."})),
      step_downs(registry.GetCounter({.name = "quorate_raft_step_downs_total",
                                      .help = "Times that a leader here gave up its office: no "
                                              "majority was heard, or its disk lagged."})),
      snapshots_sent(registry.GetCounter(
          {.name = "quorate_snapshots_sent_total",
           .help = "Snapshots of replicas led here that arrived whole at a follower."})),
      snapshots_installed(registry.GetCounter(
          {.name = "quorate_snapshots_installed_total",
           .help = "Snapshots from a leader that replaced the data of a replica here."})),
      snapshots_resumed(registry.GetCounter(
          {.name = "quorate_snapshots_resumed_total",
           .help = "Times that a snapshot went on arriving here after a second of silence."})),
      snapshot_chunks_stale(registry.GetCounter(
          {.name = "quorate_snapshot_chunks_stale_total",
           .help = "Parts of snapshots that came here twice, or of a stream that is over."})),
      snapshot_bytes_sent(registry.GetCounter({.name = "quorate_snapshot_sent_bytes_total",
                                               .help = "Bytes of snapshots sent to followers."})),
      write_queue(WriteStage(registry, "queue")),
      write_log(WriteStage(registry, "log")),
      write_replicate(WriteStage(registry, "replicate")),
      write_apply(WriteStage(registry, "apply")),
      apply_duration(registry.GetHistogram(
          {.name = "quorate_apply_duration_seconds",
           .help = "Time to write one batch of committed entries, of all groups together, to the "
                   "data store."},
          LatencyScale())),
      apply_bytes(registry.GetHistogram(
          {.name = "quorate_apply_batch_bytes", .help = "Size of such a batch."}, BytesScale())) {}

void HostMetrics::CountApply(Duration took) { apply_duration.Record(MicrosOf(took)); }

void HostMetrics::CountWrite(const StageTimes& stages, MonotonicTime now) {
  const auto taken = stages.At(RequestStage::kTaken);
  const auto committed = stages.At(RequestStage::kCommitted);
  Record(write_queue, stages.At(RequestStage::kHandedOver), taken);
  Record(write_log, taken, stages.At(RequestStage::kDurable));
  Record(write_replicate, taken, committed);
  Record(write_apply, committed, now);
}

}  // namespace quorate
