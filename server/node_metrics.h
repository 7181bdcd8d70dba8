// A node's figures that are asked for, not counted: replicas, stores, loops, the cluster.
#ifndef SERVER_NODE_METRICS_H_
#define SERVER_NODE_METRICS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/cluster/cluster_view.h"
#include "server/cluster/liveness.h"
#include "server/cluster/peer_messenger.h"
#include "server/replication/replica_host.h"
#include "server/runtime/metrics.h"
#include "server/runtime/mutex.h"
#include "server/runtime/runtime.h"
#include "server/service/readiness.h"
#include "server/storage/data_store.h"
#include "server/storage/log_store.h"
#include "server/storage/log_writer.h"

namespace quorate {

// Told in the runtime's registry for as long as this lives. Everything is read on the thread that
// asks, from what the loops publish anyway: no loop is asked, so a node whose loops are stuck still
// tells its figures.
//
// Groups are many (thousands on one node) and metrics few: figures are sums and maxima over all
// groups, and only the kGroupsTold worst of them have series of their own.
class NodeMetrics {
 public:
  static constexpr size_t kGroupsTold = 10;
  // A group that lags by less is not told by itself, or every busy one would come and go.
  static constexpr uint64_t kLagTold = 1000;

  struct Parts {
    const ReplicaHost* host;
    const LogStore* log;
    const DataStore* data;
    const LogWriter* writer;
    const PeerMessenger* messenger;
    const Liveness* liveness;
    const Readiness* readiness;
    const PublishedView* view;
    std::string data_dir;
    std::string version;
    uint64_t power_losses;  // MachineRecord's
  };

  // All of `parts` outlives it.
  NodeMetrics(const Runtime& runtime, Parts parts);
  NodeMetrics(const NodeMetrics&) = delete;
  NodeMetrics& operator=(const NodeMetrics&) = delete;

 private:
  // One look at all replicas, shared by the collectors of one scrape.
  struct Summary {
    size_t replicas = 0;
    size_t leaders = 0;
    size_t followers = 0;
    size_t candidates = 0;
    size_t quarantined = 0;
    size_t returning = 0;
    size_t starting = 0;
    size_t leaderless = 0;
    size_t quiet = 0;
    uint64_t term_max = 0;
    uint64_t apply_lag_max = 0;
    uint64_t apply_lag_sum = 0;
    uint64_t commit_lag_max = 0;
    uint64_t commit_lag_sum = 0;
    uint64_t follower_lag_max = 0;
    uint64_t log_bytes_max = 0;
    uint64_t log_bytes_sum = 0;
    uint64_t request_rows = 0;
    uint64_t open_writes = 0;
    uint64_t open_reads = 0;
    uint64_t pending_write_bytes = 0;
    std::vector<Sample> groups_in_trouble;
    std::vector<Sample> apply_lags;
    std::vector<Sample> follower_lags;
  };
  using Samples = std::vector<Sample>;

  [[nodiscard]] Summary Look() const;
  void TellGroups(const std::vector<ReplicaFigures>& replicas, Summary* summary) const;
  [[nodiscard]] std::shared_ptr<const Summary> Latest();
  void Add(MetricName name, const std::string& kind, std::function<Samples()> collect);
  void AddGauge(const char* name, const char* help, std::function<double()> value);
  void AddSum(const char* name, const char* help, std::function<double(const Summary&)> value);
  void AddReplicas();
  void AddLags();
  void AddStores();
  void AddLoops();
  void AddCluster();

  const Runtime runtime_;
  const Parts parts_;
  Mutex mutex_;
  MonotonicTime looked_ ABSL_GUARDED_BY(mutex_){};
  std::shared_ptr<const Summary> latest_ ABSL_GUARDED_BY(mutex_);
  // Last: collectors end before what they read.
  std::vector<std::shared_ptr<void>> handles_;
};

}  // namespace quorate

#endif  // SERVER_NODE_METRICS_H_
