#include "server/service/http_metrics.h"

#include <fmt/format.h>

namespace quorate {

std::string FormatMetric(std::string_view name, std::string_view kind, std::string_view help,
                         double value) {
  return fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n{0} {3}\n", name, help, kind, value);
}

std::string FormatNodeMetrics(const kv::v1::GetNodeStatusResponse& status) {
  std::string text = FormatMetric("quorate_up", "gauge", "1 while the process runs.", 1);
  const auto gauge = [&text](std::string_view name, std::string_view help, double value) {
    text += FormatMetric(name, "gauge", help, value);
  };
  int alive = 0;
  for (const auto& peer : status.peers()) alive += peer.alive() ? 1 : 0;
  gauge("quorate_ready", "1 when the node serves requests.", status.ready() ? 1 : 0);
  gauge("quorate_node_id", "The node's id; 0 before it belongs to a cluster.",
        static_cast<double>(status.node_id()));
  gauge("quorate_cluster_epoch", "Version of the cluster state that this node has.",
        static_cast<double>(status.epoch()));
  gauge("quorate_replicas", "Replicas held, the meta group's included.", status.replicas());
  gauge("quorate_leaders", "Replicas that lead their group.", status.leaders());
  gauge("quorate_peers", "Other nodes of the cluster.", status.peers_size());
  gauge("quorate_peers_alive", "Other nodes heard of lately.", alive);
  gauge("quorate_uptime_seconds", "Time since the start.",
        static_cast<double>(status.uptime_ms()) / 1000);
  text += FormatMetric("quorate_boots_total", "counter", "Starts of this data folder.",
                       static_cast<double>(status.boot()));
  return text;
}

}  // namespace quorate
