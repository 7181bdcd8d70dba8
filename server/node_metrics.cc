#include "server/node_metrics.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "fmt/format.h"
#include "rocksdb/env.h"
#include "server/storage/rocks_figures.h"

namespace quorate {
namespace {

// Collectors of one scrape run within a few milliseconds of each other.
constexpr Duration kSummaryAge = std::chrono::milliseconds(100);

double SecondsOf(Duration duration) { return std::chrono::duration<double>(duration).count(); }

// Name and partition of a group, for label values.
std::vector<std::string> LabelsOf(const ClusterView* view, GroupId group) {
  if (view != nullptr) {
    const ClusterView::Group found = view->group(group.value());
    if (found.keyspace != nullptr) {
      return {found.keyspace->name(), std::to_string(found.placement->partition())};
    }
  }
  return {"", std::to_string(group.value())};
}

// The groups with the largest figure, largest first.
template <class Figure>
std::vector<const ReplicaFigures*> Worst(const std::vector<ReplicaFigures>& replicas,
                                         const Figure& figure) {
  std::vector<const ReplicaFigures*> worst;
  for (const ReplicaFigures& replica : replicas) {
    if (figure(replica) >= NodeMetrics::kLagTold) worst.push_back(&replica);
  }
  std::sort(worst.begin(), worst.end(), [&figure](const auto* left, const auto* right) {
    return std::pair(figure(*right), left->group) < std::pair(figure(*left), right->group);
  });
  worst.resize(std::min(worst.size(), NodeMetrics::kGroupsTold));
  return worst;
}

}  // namespace

NodeMetrics::NodeMetrics(const Runtime& runtime, Parts parts)
    : runtime_(runtime), parts_(std::move(parts)) {
  AddReplicas();
  AddLags();
  AddStores();
  AddLoops();
  AddCluster();
}

NodeMetrics::Summary NodeMetrics::Look() const {
  const HostFigures host = parts_.host->Figures();
  Summary all;
  all.pending_write_bytes = host.pending_write_bytes;
  all.replicas = host.replicas.size();
  for (const ReplicaFigures& replica : host.replicas) {
    size_t& role = replica.quarantined                              ? all.quarantined
                   : replica.role == kv::v1::REPLICA_ROLE_LEADER    ? all.leaders
                   : replica.role == kv::v1::REPLICA_ROLE_FOLLOWER  ? all.followers
                   : replica.role == kv::v1::REPLICA_ROLE_CANDIDATE ? all.candidates
                                                                    : all.starting;
    ++role;
    all.returning += replica.returning ? 1 : 0;
    all.quiet += replica.quiet ? 1 : 0;
    all.leaderless += replica.leader_node == 0 ? 1 : 0;
    all.term_max = std::max(all.term_max, replica.term);
    all.apply_lag_max = std::max(all.apply_lag_max, replica.apply_lag);
    all.apply_lag_sum += replica.apply_lag;
    all.commit_lag_max = std::max(all.commit_lag_max, replica.commit_lag);
    all.commit_lag_sum += replica.commit_lag;
    all.follower_lag_max = std::max(all.follower_lag_max, replica.follower_lag);
    all.log_bytes_max = std::max(all.log_bytes_max, replica.log_bytes);
    all.log_bytes_sum += replica.log_bytes;
    all.request_rows += replica.request_rows;
    all.open_writes += replica.open_writes;
    all.open_reads += replica.open_reads;
  }
  TellGroups(host.replicas, &all);
  return all;
}

void NodeMetrics::TellGroups(const std::vector<ReplicaFigures>& replicas, Summary* summary) const {
  const auto view = parts_.view->Get();
  for (const ReplicaFigures& replica : replicas) {
    if (summary->groups_in_trouble.size() == kGroupsTold) break;
    const char* trouble = replica.quarantined        ? "quarantined"
                          : replica.returning        ? "returning"
                          : replica.leader_node == 0 ? "no_leader"
                                                     : nullptr;
    if (trouble == nullptr) continue;
    std::vector<std::string> labels = LabelsOf(view.get(), replica.group);
    labels.emplace_back(trouble);
    summary->groups_in_trouble.push_back({std::move(labels), 1});
  }
  const auto tell = [&](const auto& figure, Samples* samples) {
    for (const ReplicaFigures* replica : Worst(replicas, figure)) {
      samples->push_back(
          {LabelsOf(view.get(), replica->group), static_cast<double>(figure(*replica))});
    }
  };
  tell([](const ReplicaFigures& replica) { return replica.apply_lag; }, &summary->apply_lags);
  tell([](const ReplicaFigures& replica) { return replica.follower_lag; }, &summary->follower_lags);
}

std::shared_ptr<const NodeMetrics::Summary> NodeMetrics::Latest() {
  const MonotonicTime now = runtime_.clock->Now();
  const MutexLock lock(&mutex_);
  if (latest_ == nullptr || now - looked_ > kSummaryAge) {
    latest_ = std::make_shared<const Summary>(Look());
    looked_ = now;
  }
  return latest_;
}

void NodeMetrics::Add(MetricName name, const std::string& kind, std::function<Samples()> collect) {
  handles_.push_back(runtime_.metrics->AddCollector(std::move(name), kind, std::move(collect)));
}

void NodeMetrics::AddGauge(const char* name, const char* help, std::function<double()> value) {
  Add({.name = name, .help = help}, "gauge",
      [value = std::move(value)] { return Samples{{{}, value()}}; });
}

void NodeMetrics::AddSum(const char* name, const char* help,
                         std::function<double(const Summary&)> value) {
  AddGauge(name, help, [this, value = std::move(value)] { return value(*Latest()); });
}

void NodeMetrics::AddReplicas() {
  AddSum("quorate_replicas", "Replicas that belong here, the meta group's included.",
         [](const Summary& all) { return static_cast<double>(all.replicas); });
  AddSum("quorate_leaders", "Replicas here that lead their group.",
         [](const Summary& all) { return static_cast<double>(all.leaders); });
  AddSum("quorate_quiet_replicas", "Replicas here whose group is idle and has gone quiet.",
         [](const Summary& all) { return static_cast<double>(all.quiet); });
  AddSum("quorate_groups_without_leader", "Replicas here that know no leader of their group.",
         [](const Summary& all) { return static_cast<double>(all.leaderless); });
  AddSum("quorate_quarantined_replicas", "Replicas here that are damaged and serve nothing.",
         [](const Summary& all) { return static_cast<double>(all.quarantined); });
  AddSum(
      "quorate_returning_replicas",
      "Replicas here, of buffered keyspaces, that may lack what they acknowledged: they count as "
      "down until a leader has cured them.",
      [](const Summary& all) { return static_cast<double>(all.returning); });
  Add({.name = "quorate_raft_replicas",
       .help = "Replicas here by their part in the group.",
       .labels = {"role"}},
      "gauge", [this] {
        const auto all = Latest();
        return Samples{{{"leader"}, static_cast<double>(all->leaders)},
                       {{"follower"}, static_cast<double>(all->followers)},
                       {{"candidate"}, static_cast<double>(all->candidates)},
                       {{"quarantined"}, static_cast<double>(all->quarantined)},
                       {{"starting"}, static_cast<double>(all->starting)}};
      });
  AddSum("quorate_raft_term_max", "Largest term of the groups here.",
         [](const Summary& all) { return static_cast<double>(all.term_max); });
  AddSum("quorate_request_memory_rows",
         "Remembered requests, by which repeats of a write are known.",
         [](const Summary& all) { return static_cast<double>(all.request_rows); });
  AddSum("quorate_pending_writes", "Writes led here that wait for their answer.",
         [](const Summary& all) { return static_cast<double>(all.open_writes); });
  AddSum("quorate_pending_write_bytes", "Bytes of all writes that wait on this node.",
         [](const Summary& all) { return static_cast<double>(all.pending_write_bytes); });
  AddSum("quorate_pending_reads", "Reads that wait for a majority or behind writes.",
         [](const Summary& all) { return static_cast<double>(all.open_reads); });
}

void NodeMetrics::AddLags() {
  const auto add = [this](const char* figure, const char* help, uint64_t Summary::* max,
                          uint64_t Summary::* sum) {
    AddSum(fmt::format("quorate_raft_{}_max", figure).c_str(),
           fmt::format("{} The largest of all groups here.", help).c_str(),
           [max](const Summary& all) { return static_cast<double>(all.*max); });
    if (sum == nullptr) return;
    AddSum(fmt::format("quorate_raft_{}", figure).c_str(),
           fmt::format("{} The sum over all groups here.", help).c_str(),
           [sum](const Summary& all) { return static_cast<double>(all.*sum); });
  };
  add("apply_lag_entries", "Entries that a majority has and that are not applied here.",
      &Summary::apply_lag_max, &Summary::apply_lag_sum);
  add("commit_lag_entries", "Entries in the log here of which no majority is known.",
      &Summary::commit_lag_max, &Summary::commit_lag_sum);
  add("follower_lag_entries", "Entries that the slowest follower of a group led here lacks.",
      &Summary::follower_lag_max, nullptr);
  add("log_bytes", "Size of a group's log.", &Summary::log_bytes_max, &Summary::log_bytes_sum);
  const std::vector<std::string> labels = {"keyspace", "partition"};
  Add({.name = "quorate_raft_group_apply_lag_entries",
       .help = "Apply lag of the worst groups here, of 1000 entries or more.",
       .labels = labels},
      "gauge", [this] { return Latest()->apply_lags; });
  Add({.name = "quorate_raft_group_follower_lag_entries",
       .help = "Follower lag of the worst groups led here, of 1000 entries or more.",
       .labels = labels},
      "gauge", [this] { return Latest()->follower_lags; });
  Add({.name = "quorate_raft_group_trouble",
       .help =
           "1 for groups here that are quarantined, return from a loss or have no leader, ten at "
           "most.",
       .labels = {"keyspace", "partition", "trouble"}},
      "gauge", [this] { return Latest()->groups_in_trouble; });
}

void NodeMetrics::AddStores() {
  for (const RocksFigure& figure : RocksFigures()) {
    Add({.name = figure.metric, .help = figure.help, .labels = {"store"}}, "gauge",
        [this, &figure] {
          return Samples{
              {{"data"}, static_cast<double>(parts_.data->RocksProperty(figure.property))},
              {{"log"}, static_cast<double>(parts_.log->RocksProperty(figure.property))}};
        });
  }
  AddGauge("quorate_store_poisoned",
           "1 once a write to disk failed: the node takes no writes until it is restarted.",
           [this] { return parts_.readiness->poisoned() ? 1 : 0; });
  AddGauge("quorate_log_writer_oldest_pending_seconds",
           "How long the oldest write to the log waits that is not durable.", [this] {
             const auto oldest = parts_.writer->OldestPending();
             return oldest ? SecondsOf(runtime_.clock->Now() - *oldest) : 0;
           });
  AddGauge("quorate_disk_free_bytes", "Room left where the data folder is.", [this] {
    rocksdb::Env* env = runtime_.env != nullptr ? runtime_.env : rocksdb::Env::Default();
    uint64_t bytes = 0;
    return env->GetFreeSpace(parts_.data_dir, &bytes).ok() ? static_cast<double>(bytes) : 0;
  });
}

void NodeMetrics::AddLoops() {
  Add({.name = "quorate_loop_queue_length",
       .help = "Tasks that wait on an event loop.",
       .labels = {"loop"}},
      "gauge", [this] {
        Samples samples;
        const auto add = [&samples](std::string name, const Executor* loop) {
          samples.push_back({{std::move(name)}, static_cast<double>(loop->QueueLength())});
        };
        for (size_t i = 0; i < runtime_.workers.size(); ++i) {
          add(fmt::format("worker_{}", i), runtime_.workers[i]);
        }
        add("log_writer", runtime_.log_writer);
        add("apply", runtime_.apply);
        add("background", runtime_.background);
        return samples;
      });
}

void NodeMetrics::AddCluster() {
  Add({.name = "quorate_build_info", .help = "Always 1.", .labels = {"version"}}, "gauge",
      [this] { return Samples{{{parts_.version}, 1}}; });
  AddGauge("quorate_ready", "1 when the node serves requests.",
           [this] { return parts_.readiness->Get().ready() ? 1 : 0; });
  AddGauge("quorate_node_id", "The node's id; 0 before it belongs to a cluster.",
           [this] { return static_cast<double>(parts_.messenger->self().node_id); });
  Add({.name = "quorate_boots_total", .help = "Starts of this data folder."}, "counter",
      [this] { return Samples{{{}, static_cast<double>(parts_.messenger->self().boot)}}; });
  Add({.name = "quorate_power_losses_total",
       .help = "Starts of this data folder that found that the machine had stopped under the node, "
               "or that an fsync had failed: writes that were not fsynced may be gone."},
      "counter", [this] { return Samples{{{}, static_cast<double>(parts_.power_losses)}}; });
  Add({.name = "quorate_peer_envelopes_refused_total",
       .help =
           "Envelopes received and dropped: of another cluster, an earlier life, or malformed."},
      "counter",
      [this] { return Samples{{{}, static_cast<double>(parts_.messenger->dropped())}}; });
  Add({.name = "quorate_peer_envelopes_damaged_total",
       .help = "Envelopes received and dropped since their checksum was wrong."},
      "counter",
      [this] { return Samples{{{}, static_cast<double>(parts_.messenger->damaged())}}; });
  const auto of_view = [this](const char* name, const char* help, auto value) {
    AddGauge(name, help, [this, value] {
      const auto view = parts_.view->Get();
      return view == nullptr ? 0 : static_cast<double>(value(*view));
    });
  };
  of_view("quorate_cluster_epoch", "Version of the cluster state that this node has.",
          [](const ClusterView& view) { return view.epoch(); });
  of_view("quorate_keyspaces", "Keyspaces of the cluster.",
          [](const ClusterView& view) { return view.state().keyspaces_size(); });
  of_view("quorate_peers", "Other nodes of the cluster.",
          [](const ClusterView& view) { return std::max(0, view.state().nodes_size() - 1); });
  of_view("quorate_peers_alive", "Other nodes heard of lately.", [this](const ClusterView& view) {
    size_t alive = 0;
    for (const internal::v1::NodeRecord& record : view.state().nodes()) {
      const uint64_t node = record.node().node_id();
      const bool heard = parts_.liveness->IsAlive(node, runtime_.clock->Now());
      alive += node != view.self() && heard ? 1 : 0;
    }
    return alive;
  });
}

}  // namespace quorate
