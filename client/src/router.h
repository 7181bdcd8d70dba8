// Which node to ask for a key: the cached cluster state and what answers taught since.
#ifndef CLIENT_SRC_ROUTER_H_
#define CLIENT_SRC_ROUTER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "kv/v1/admin.pb.h"
#include "kv/v1/placement.pb.h"
#include "server/placement/routing_key.h"
#include "server/runtime/mutex.h"
#include "server/runtime/runtime.h"

namespace quorate::client {

// The meta group's number.
inline constexpr uint64_t kMetaGroup = 0;

struct Target {
  // 0: an endpoint of which no more is known than its address.
  uint64_t node_id = 0;
  std::string address;
};

// Where a request belongs.
struct Route {
  uint64_t group = kMetaGroup;
  uint64_t placement_epoch = 0;
  uint64_t policy_epoch = 0;
  // Nodes that hold a replica, the wanted leader first; of a whole keyspace: all nodes.
  absl::InlinedVector<uint64_t, 8> nodes;
  // The leader serves it; false: any of the nodes does.
  bool leader_only = true;
};

// Addresses tried in the present round of one operation.
using Tried = absl::InlinedVector<std::string, 4>;

// The state is replaced as a whole by a newer one (higher epoch); leaders are hints, learned from
// refusals and successes, and from the state only where nothing is known. A node that did not
// answer is suspect for one to two seconds: it is asked only when all others were, so that each of
// many operations does not pay for finding out again.
//
// One per client; any thread.
class Router {
 public:
  explicit Router(std::vector<std::string> endpoints) : endpoints_(std::move(endpoints)) {}

  enum class Lookup : uint8_t { kFound, kNoState, kNoKeyspace };

  // The partition of a routing key or key.
  [[nodiscard]] Lookup FindKey(const std::string& keyspace, std::string_view key,
                               Route* route) const;
  // Any node, for what concerns a whole keyspace; starts at another one for each `turn`.
  [[nodiscard]] Lookup FindKeyspace(const std::string& keyspace, uint64_t turn, Route* route) const;
  // The meta group, asked at any node.
  [[nodiscard]] Lookup FindMeta(Route* route) const;
  // How the keyspace cuts routing keys out of keys; unset when the keyspace is not known.
  [[nodiscard]] std::optional<RoutingRule> RuleOf(const std::string& keyspace) const;

  // The best node not yet tried: the known leader, then replicas in order, suspects only when there
  // are no others. Nothing: the round is over.
  [[nodiscard]] std::optional<Target> Pick(const Route& route, const Tried& tried,
                                           MonotonicTime now) const;
  // The same for requests that any node answers, before anything is known too. Starts at another
  // node for each `turn`.
  [[nodiscard]] std::optional<Target> PickAny(const Tried& tried, MonotonicTime now,
                                              uint64_t turn) const;

  // Takes a state if it is newer than the cached one, and its leader hints either way.
  // FAILED_PRECONDITION when it is another cluster's.
  absl::Status Install(const kv::v1::GetClusterStateResponse& state);
  [[nodiscard]] uint64_t epoch() const;
  // A keyspace created or dropped by this client, before the state that says so arrives.
  void AddKeyspace(const kv::v1::Keyspace& keyspace);
  void RemoveKeyspace(const std::string& name);
  // Newer owners of a partition, told by a refusal.
  void NotePlacement(const std::string& keyspace, const kv::v1::PartitionPlacement& placement);

  // A refusal named the leader.
  void NoteLeader(uint64_t group, const kv::v1::NodeRef& leader);
  // The target answered the request, and thereby leads the route's group where that is needed.
  void NoteServed(const Route& route, const Target& target);
  // Forgets the leader if it is this node, or whoever it is when node_id is 0.
  void ForgetLeader(uint64_t group, uint64_t node_id);
  void NoteNoAnswer(const std::string& address, MonotonicTime now);
  void NoteAnswer(const std::string& address);

 private:
  struct PartitionEntry {
    uint64_t group = 0;
    uint64_t epoch = 0;
    absl::InlinedVector<uint64_t, 8> nodes;
  };
  struct KeyspaceEntry {
    RoutingRule rule = RoutingRule::kTag;
    uint64_t policy_epoch = 0;
    std::vector<PartitionEntry> partitions;
  };
  struct Suspicion {
    MonotonicTime until;
    int failures = 0;
  };

  static PartitionEntry EntryOf(const kv::v1::PartitionPlacement& placement);
  static KeyspaceEntry EntryOf(const kv::v1::Keyspace& keyspace);
  [[nodiscard]] bool Suspect(const std::string& address, MonotonicTime now) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  [[nodiscard]] const std::string* AddressOf(uint64_t node_id) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AllNodes(Route* route) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::vector<std::string> endpoints_;

  mutable Mutex mutex_;
  std::string cluster_id_ ABSL_GUARDED_BY(mutex_);
  uint64_t epoch_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<uint64_t, std::string> addresses_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, KeyspaceEntry> keyspaces_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, uint64_t> leaders_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Suspicion> suspicions_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quorate::client

#endif  // CLIENT_SRC_ROUTER_H_
