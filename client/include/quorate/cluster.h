// The cluster as clients see it: nodes, keyspaces with their policies and placements, replicas.
// Plain values.
#ifndef QUORATE_CLUSTER_H_
#define QUORATE_CLUSTER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "quorate/result.h"

namespace quorate::client {

struct Node {
  uint64_t id = 0;
  std::string address;       // host:port for clients
  std::string peer_address;  // host:port for other nodes
  std::string http_address;  // host:port of metrics and health
  std::string zone;          // a path such as "region/zone"; may be empty
  uint32_t weight = 1;       // share of the data relative to other nodes
  bool drained = false;      // its replicas are moved away, and it gets no others
};

enum class Replication : uint8_t { kDefault, kRaft, kQuorum };
enum class Routing : uint8_t { kDefault, kTag, kWhole };
// kBuffered: acknowledged from the page caches of a majority; power loss of a majority loses recent
// writes, and the partition then stays down until it is recovered without them.
enum class Durability : uint8_t { kDefault, kFsync, kBuffered };
enum class ReadMode : uint8_t { kDefault, kLinearizable, kBounded, kSession, kAny };
enum class LeaseUse : uint8_t { kDefault, kOn, kOff };

// A keyspace's place on CAP/PACELC. Zero values mean the server's default.
struct Policy {
  Replication replication = Replication::kDefault;  // raft
  uint32_t replicas = 0;                            // copies of each partition: 1, 3, 5 or 7
  uint32_t partitions = 0;                          // a power of two, 1..4096; default 16; fixed
  Routing routing = Routing::kDefault;              // tag: "{…}" in a key decides; fixed
  ReadMode read = ReadMode::kDefault;               // linearizable
  Durability durability = Durability::kDefault;     // fsync
  uint32_t value_bytes_max = 0;                     // default 1 MiB, at most 16 MiB
  LeaseUse lease = LeaseUse::kDefault;              // on
};

struct ReplicaRef {
  uint64_t node_id = 0;
  uint64_t incarnation = 0;  // this life of the replica; never reused
};

struct Partition {
  uint32_t partition = 0;
  uint64_t group_id = 0;  // the Raft group
  uint64_t epoch = 0;     // grows whenever the owners change
  std::vector<ReplicaRef> replicas;
  // While a move is under way: all of them as they shall be. Empty: no move.
  std::vector<ReplicaRef> coming;
};

struct KeyspaceInfo {
  uint64_t id = 0;
  std::string name;
  Policy policy;
  uint64_t policy_epoch = 0;
  uint32_t era = 0;
  std::vector<Partition> partitions;  // in order
};

struct ClusterState {
  std::string cluster_id;  // 32 hexadecimal digits
  uint64_t epoch = 0;
  std::vector<Node> nodes;               // by id
  std::vector<KeyspaceInfo> keyspaces;   // by name
  std::map<uint64_t, uint64_t> leaders;  // group → node; hints; group 0 is the meta group
  Partition meta;                        // where the meta group is
};

struct PeerView {
  uint64_t node_id = 0;
  bool alive = false;          // heard from lately
  uint64_t last_heard_ms = 0;  // how long ago; 0: never
  uint64_t epoch = 0;          // of the cluster state it last announced
};

struct NodeStatus {
  std::string cluster_id;  // empty before it joined a cluster
  uint64_t node_id = 0;    // 0 before it joined a cluster
  std::string version;
  uint64_t boot = 0;  // counted up at each start
  bool ready = false;
  std::string not_ready_reason;
  uint64_t epoch = 0;
  std::vector<PeerView> peers;
  uint64_t uptime_ms = 0;
  uint32_t replicas = 0;
  uint32_t leaders = 0;
  uint64_t meta_leader = 0;  // 0: unknown
  // Since it started; 0: unknown.
  uint64_t requests_total = 0;
  uint64_t errors_total = 0;  // of them, answered with an error
  uint64_t memory_bytes = 0;  // in RAM now
  uint64_t disk_bytes = 0;    // of the stores' sorted files now
};

enum class ReplicaRole : uint8_t { kUnspecified, kFollower, kCandidate, kLeader };

struct ReplicaStatus {
  std::string keyspace;  // empty: the meta group
  uint32_t partition = 0;
  uint64_t group_id = 0;
  uint64_t incarnation = 0;
  ReplicaRole role = ReplicaRole::kUnspecified;
  uint64_t term = 0;
  uint64_t leader_node = 0;  // 0: none known
  uint64_t last_index = 0;
  uint64_t commit_index = 0;
  uint64_t applied_index = 0;
  uint64_t applied_hash = 0;  // equal applied indexes mean equal hashes
  uint64_t checksum = 0;      // when asked for: over all keys, versions and values
  uint64_t records = 0;       // when asked for
  uint64_t checksum_index = 0;
  std::string fault;  // not empty: quarantined, and why
  uint64_t log_bytes = 0;
  // Incarnations, in the newest configuration that the replica knows; `voters_outgoing` is empty
  // but while voters change.
  std::vector<uint64_t> voters;
  std::vector<uint64_t> voters_outgoing;
  std::vector<uint64_t> learners;
  // Its machine lost power in a keyspace without fsync: until it has again all that it may have
  // acknowledged, it neither votes nor counts.
  bool returning = false;
  // Of the entry at last_index. Of two logs the one that ends in the later term holds more of what
  // was committed; of equal terms the longer one.
  uint64_t last_term = 0;
};

// Which replica goes where.
struct PartitionMove {
  std::string keyspace;  // empty in DrainNodeResult: the meta group
  uint32_t partition = 0;
  uint64_t from_node = 0;
  uint64_t to_node = 0;  // 0 in DrainNodeResult: nowhere, the group gets smaller
};

// A partition that goes on from one replica alone.
struct PartitionRecovery {
  std::string keyspace;
  uint32_t partition = 0;
  uint64_t from_node = 0;
  uint64_t incarnation = 0;  // of the replica there
  bool accept_loss = false;  // what only the others have is lost; must be true but in a dry run
};

struct ClusterStateResult : Result {
  ClusterState state;
};

struct InitResult : Result {
  std::string cluster_id;
  bool created = false;  // false: the node belonged to this cluster before
  uint64_t node_id = 0;
};

struct NodeStatusResult : Result {
  NodeStatus node;
};

struct CreateKeyspaceResult : Result {
  KeyspaceInfo keyspace;
  bool created = false;  // false: it was there already, with an equal policy
};

struct DropKeyspaceResult : Result {
  KeyspaceInfo keyspace;  // what was dropped
};

struct MovePartitionResult : Result {
  Partition partition;   // its `coming` is empty once the move is through
  bool changed = false;  // false: it was under way, or through, already
};

struct RecoverPartitionResult : Result {
  Partition partition;
  bool changed = false;  // false: it was recovered from this replica already
};

struct TransferLeaderResult : Result {
  uint64_t leader_node = 0;
};

struct DrainNodeResult : Result {
  Node node;
  bool changed = false;              // false: it was so already
  std::vector<PartitionMove> moves;  // replicas that wait to be moved away
};

struct ListReplicasResult : Result {
  uint64_t node_id = 0;
  std::vector<ReplicaStatus> replicas;
};

}  // namespace quorate::client

#endif  // QUORATE_CLUSTER_H_
