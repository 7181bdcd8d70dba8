// One node, composed: stores, replicas, membership and services on one Runtime. What kvd's main()
// makes one of, and the simulator several.
#ifndef SERVER_NODE_H_
#define SERVER_NODE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "server/cluster/membership_options.h"
#include "server/cluster/peer_messenger.h"
#include "server/replication/replica_host.h"
#include "server/runtime/runtime.h"
#include "server/service/readiness.h"
#include "server/service/services.h"

namespace rocksdb {
struct Options;
}  // namespace rocksdb

namespace quorate {

class ClusterView;

struct NodeOptions {
  // The node's folder; made when missing. One node at a time uses it.
  std::string data_dir;
  // host:port as others reach them: clients, nodes, and metrics and health.
  std::string client_address;
  std::string peer_address;
  std::string http_address;
  // Peer addresses (host:port) of nodes to find a cluster by. May name this node itself.
  std::vector<std::string> join;
  // Where to reach a node's peer port, by node id, instead of at the address it tells.
  std::map<uint64_t, std::string> peer_addresses;
  // A path such as "region/zone"; may be empty.
  std::string zone;
  // Share of the data relative to other nodes, at least 1.
  uint32_t weight = 1;
  // RocksDB's block cache for data.
  size_t cache_bytes = size_t{256} << 20;
  // Applied last to the options of every RocksDB instance. The simulator turns off what would make
  // a write wait for a background job.
  std::function<void(rocksdb::Options&)> adjust_storage;
  // Timing and bounds of replication and of membership. Idle groups go quiet, since a node watches
  // over those who lead what is quiet here.
  ReplicaHost::Options replication{.quiet_after = std::chrono::seconds(5)};
  MembershipTiming membership;
  // The program's version, as told by GetNodeStatus.
  std::string version;
};

// Life: construct, Start, serve, Stop, stop the runtime's loops, destroy. A node whose loops are
// gone and will never run again (the simulator's crash) is destroyed without Stop: the destructor
// waits for nothing. It must not run while one of the runtime's loops runs a task.
//
// Threads: Start, Stop and destruction from one thread outside the loops; all else from any.
class Node {
 public:
  // What `runtime` points to outlives the node.
  Node(const Runtime& runtime, NodeOptions options);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // Opens the folder and takes part in the cluster from then on. Everything that reads the disk at
  // start happens here, on the calling thread. An error names the cause and the mend; the node
  // then only wants to be destroyed.
  absl::Status Start();

  // Before Stop, for a node whose peers go on: leaders here hand over. See ReplicaHost.
  void HandOverLeadership(absl::AnyInvocable<void()> done);
  // From now on requests are refused as SHUTTING_DOWN and those under way end, as unknown or not
  // done. Waits for the loops to let go of the node. Only after Start; a second call does nothing.
  void Stop();

  // Live as long as the node; only after Start.
  [[nodiscard]] KeyValueService* key_value_service();
  [[nodiscard]] AdminService* admin_service();

  [[nodiscard]] NodeReadiness readiness() const;
  // Only what a restart of the process mends.
  [[nodiscard]] NodeReadiness health() const;
  // Who the node is; ids are 0 or empty before it belongs to a cluster. Only after Start.
  [[nodiscard]] PeerSelf identity() const;
  // The cluster as the node knows it; null before it belongs to one.
  [[nodiscard]] std::shared_ptr<const ClusterView> cluster_view() const;
  // For metrics and for the simulator's invariants; only after Start.
  [[nodiscard]] ReplicaHost* replica_host();

 private:
  struct Parts;

  absl::Status OpenStores();
  absl::Status LoadRecords();
  void Compose();
  void ComposeMembership();
  void ComposeContext();
  void ComposeMetrics();

  const Runtime runtime_;
  const NodeOptions options_;
  std::unique_ptr<Parts> parts_;
};

}  // namespace quorate

#endif  // SERVER_NODE_H_
