// All replicas of one node: the face that replication shows to services and to the cluster layer.
//
// A request names a group; the host finds the replica, and either serves it, or says in a typed
// error that it cannot (NOT_LEADER with a hint, NO_LEADER, WRONG_NODE…) and whether a write may
// have happened. Every call ends by its deadline.
#ifndef SERVER_REPLICATION_REPLICA_HOST_H_
#define SERVER_REPLICATION_REPLICA_HOST_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "internal/v1/command.pb.h"
#include "internal/v1/peer.pb.h"
#include "kv/v1/admin.pb.h"
#include "kv/v1/key_value.pb.h"
#include "server/placement/routing_key.h"
#include "server/replication/request_trace.h"
#include "server/runtime/runtime.h"

namespace quorate {

namespace raft {
class LogStorage;
class RaftNode;
}  // namespace raft

class DataStore;
class LogStore;
class LogWriter;

template <class T>
using Callback = absl::AnyInvocable<void(absl::StatusOr<T>)>;

// What a replica must know to exist. Comes from the cluster state.
struct ReplicaSpec {
  GroupId group;
  ReplicaId self;
  // The group's replicas with their nodes, self included, those to come while a move is under way
  // too. The first one is where leadership is wanted: it campaigns at once in a group without
  // history.
  std::vector<std::pair<ReplicaId, uint64_t /*node id*/>> members;
  // Those of `members` that came by a move, sorted.
  std::vector<ReplicaId> joined;
  // The other members are the group's first voters. False: one of those is gone, or this replica is
  // not one; without a log it then knows no voters until the leader tells. A replica with a log
  // goes by that.
  bool founding = true;
  // Takes over the log and the data of this replica of its node, which was of the group as it was,
  // and is the group's only voter; zero: does not. Nothing to do where that is done already.
  ReplicaId recovered_from{};
  // What the group's leader makes of its voters, by joint consensus; sorted. Looked at while
  // moving.
  std::vector<ReplicaId> target_voters;
  // The voters shall change, or have changed and the cluster state does not say so yet.
  bool moving = false;
  uint64_t keyspace_id = 0;  // 0: the meta group
  std::string keyspace;      // name, for people; empty: the meta group
  uint32_t partition = 0;
  uint64_t placement_epoch = 0;
  uint32_t era = 0;
  bool lease_enabled = true;
  // Writes are acknowledged from the page caches of a majority: plain entries are not synced.
  bool buffered = false;
  // The keyspace's rule: each record carries its routing key's hash, which a split goes by.
  RoutingRule routing = RoutingRule::kTag;

  // Voters of the configuration that a log without history begins with, sorted; none: not founding.
  [[nodiscard]] std::vector<ReplicaId> FirstVoters() const;

  // Among the members.
  [[nodiscard]] bool Names(ReplicaId replica) const;

  friend bool operator==(const ReplicaSpec&, const ReplicaSpec&) = default;
};

struct ReadAnswer {
  bool found = false;
  std::string version;  // 16 bytes when found
  std::string value;
  kv::v1::ServedBy served_by = kv::v1::SERVED_BY_UNSPECIFIED;
};

struct WriteAnswer {
  internal::v1::AppliedResult result;
  bool repeated = false;  // the first answer to an earlier arrival of the same id
};

struct PageQuery {
  std::string begin;
  std::string end;       // empty: to the end
  uint64_t limit = 0;    // entries, at least 1
  size_t bytes_max = 0;  // keys and values; at least one entry is returned
  bool keys_only = false;
};

struct PageAnswer {
  std::vector<kv::v1::ScanEntry> entries;
  bool more = false;
};

// What metrics tell of one replica, as of about the last second.
struct ReplicaFigures {
  GroupId group;
  kv::v1::ReplicaRole role = kv::v1::REPLICA_ROLE_UNSPECIFIED;  // unspecified: still starting
  bool quarantined = false;
  bool returning = false;    // raft::RaftStatus
  uint64_t leader_node = 0;  // 0: unknown
  uint64_t term = 0;
  // In entries: committed and not applied; in the log and not known to be committed; of leaders,
  // what the slowest follower lacks.
  uint64_t apply_lag = 0;
  uint64_t commit_lag = 0;
  uint64_t follower_lag = 0;
  uint64_t log_bytes = 0;
  uint64_t open_writes = 0;
  uint64_t open_reads = 0;
  uint64_t request_rows = 0;
  bool quiet = false;
};

// A group, and the term in which somebody leads it quietly (raft/raft_node.h).
struct QuietGroup {
  GroupId group;
  uint64_t term = 0;
};

// A set of QuietGroups, in short.
struct QuietDigest {
  uint64_t groups = 0;
  uint64_t sum = 0;  // of a hash of each
  friend bool operator==(const QuietDigest&, const QuietDigest&) = default;
};

struct HostFigures {
  std::vector<ReplicaFigures> replicas;  // by group
  uint64_t pending_write_bytes = 0;
};

// Applies the meta group's commands; implemented by server/cluster. Called on the apply loop, in
// log order. What ApplyCluster returns is the new state to store (the host writes it in the same
// batch as the applied index) and the answer for the proposer.
class ClusterApplier {
 public:
  virtual ~ClusterApplier() = default;
  // OK: the state changed, or the command was a harmless repeat. Error: refused, state unchanged;
  // the proposer gets it, with outcome not done.
  virtual absl::Status ApplyCluster(const internal::v1::ClusterCommand& command,
                                    std::string* new_state) = 0;
  // At start-up, before anything is applied: the stored state, or empty.
  virtual void RestoreCluster(const std::string& state) = 0;
};

// Whose log or data failed its checksum, or is gone in part.
struct DamagedReplica {
  ReplicaId replica;
  // It takes no part in its group any more. Otherwise only some value cannot be read.
  bool silent = false;

  friend bool operator==(const DamagedReplica&, const DamagedReplica&) = default;
};

// What a peer has seen of this node before its present start.
struct PeerMemory {
  uint64_t node = 0;  // the peer
  // The highest batch of this node's log that it was told to be durable; 0: nothing seen.
  uint64_t batch = 0;
  // Above all replicas that there were then.
  ReplicaId first_unused;
};

// Threads: all methods may be called from any thread unless said otherwise; callbacks run on a loop
// of the runtime (worker or apply) or on the caller's thread, and must not block.
class ReplicaHost {
 public:
  // How replicas reach others. `send_raft` is called once a worker's turn for each peer node with
  // all its messages; it must not block.
  struct Hooks {
    absl::AnyInvocable<void(uint64_t node_id, std::vector<internal::v1::RaftMessage> messages)>
        send_raft;
    // Part of a snapshot, for a peer node; as send_raft. Any loop.
    absl::AnyInvocable<void(uint64_t node_id, internal::v1::SnapshotMessage message)> send_snapshot;
    // May be null on nodes without a meta replica.
    ClusterApplier* cluster = nullptr;
    // Leadership of a group changed as far as this node knows (0: unknown). Any loop.
    absl::AnyInvocable<void(GroupId group, uint64_t leader_node)> leader_changed;
    // A group that this node leads has the voters that its spec wishes for, durably; `epoch` is the
    // spec's placement epoch. Called again each second while the spec says `moving`. Any loop.
    absl::AnyInvocable<void(GroupId group, uint64_t epoch, std::vector<ReplicaId> voters)>
        membership_settled;
    // The store failed for good (fsync error, disk full): serve nothing that writes. Any loop.
    absl::AnyInvocable<void(absl::Status)> store_poisoned;
  };

  struct Options {
    Duration election_timeout_min = std::chrono::milliseconds(600);
    Duration election_timeout_max = std::chrono::milliseconds(1200);
    Duration heartbeat_interval = std::chrono::milliseconds(100);
    Duration tick_interval = std::chrono::milliseconds(25);
    double clock_drift_max = 0.01;
    // A group's stored log above this refuses writes (LOG_FULL).
    uint64_t log_bytes_max = uint64_t{1} << 30;
    // A group's log is cut to about this, and entries older than that go, as soon as the data holds
    // their effects durably. A longer log spares followers that were away a snapshot.
    uint64_t log_keep_bytes = uint64_t{16} << 20;
    Duration log_age_max = std::chrono::minutes(10);
    // Ids that a group remembers, bytes of the answers to its atomic batches that also read, and
    // for how long of the group's own age (request_dedup.h). Part of the replicated state machine:
    // the same on all nodes.
    size_t request_rows_max = 32768;
    size_t request_answer_bytes_max = size_t{16} << 20;
    Duration request_age_max = std::chrono::minutes(10);
    // What all snapshots that this node sends may take of its network and disk; not 0.
    uint64_t snapshot_bytes_per_second = uint64_t{64} << 20;
    // Snapshots on their way at a time, those that leave this node and those that arrive each; not
    // 0.
    size_t snapshots_max = 4;
    // Client writes waiting in one group before QUEUE_FULL.
    size_t pending_writes_max = 8192;
    // Encoded bytes of all client writes on this node that have no answer yet; more are refused
    // with QUEUE_FULL before they cost memory.
    size_t pending_write_bytes_max = size_t{256} << 20;
    // A leader hands over to the group's first member, where its leadership is wanted, once that
    // has been fit to lead for this long: leaders spread again after restarts.
    Duration leadership_return_delay = std::chrono::seconds(10);
    // A group in which nothing has happened for this long goes quiet: it costs neither messages nor
    // CPU until it is asked for something. Zero: never. Somebody must run a QuietWatch.
    Duration quiet_after{0};
    // Replicas are held after a start until a majority of their group's nodes has said what it
    // remembers (OnRemembered). Only a mutant does without: a disk that was rolled back then votes
    // and acknowledges as if it had never promised anything since.
    bool held_at_start = true;
    // How often the node's machine has lost power under it so far (MachineRecord).
    uint64_t power_losses = 0;
  };

  // The stores outlive the host. Nothing runs before Start.
  static std::unique_ptr<ReplicaHost> Create(const Runtime& runtime, const Options& options,
                                             DataStore* data, LogStore* log, LogWriter* writer,
                                             Hooks hooks);
  virtual ~ReplicaHost() = default;

  // Makes the set of replicas equal to `specs` (by group and incarnation): new ones are recovered
  // from the stores or begun, ones no longer listed are stopped and their data removed; one that
  // stays goes by its new spec (members, placement epoch and wishes may differ). Idempotent. Where
  // a later incarnation takes the place of one that is still a member (it is damaged), only the log
  // of that one goes now, and its data when no spec names it any more.
  virtual void SetReplicas(std::vector<ReplicaSpec> specs) = 0;
  // For a node about to stop: offers every group led here to the voter that can take over soonest.
  // `done` is called once they are led elsewhere, or cannot be within an election time-out (groups
  // of one voter at once); also when the host stops meanwhile. On any thread.
  virtual void HandOverLeadership(absl::AnyInvocable<void()> done) = 0;
  // Asks the group's leader, which must be here, to hand over to `node`. OK: it did, or `node`
  // leads already. Errors, all not done: REASON_NOT_LEADER with whom to ask; REASON_INVALID_FIELD
  // when the node holds no voter or cannot take over now; REASON_DEADLINE when it did not in time
  // (an election time-out). Who leads is a hint only: it may change at any time.
  virtual void TransferLeadership(GroupId group, uint64_t node, CallTerms terms,
                                  absl::AnyInvocable<void(absl::Status)> done) = 0;
  // Stops all loops' work of the host: pending writes end as unknown or not done. No callback comes
  // after it has returned. Call from outside the loops.
  virtual void Stop() = 0;

  // A peer's answer about this node's earlier lives; each once in a life. Groups of more than one
  // voter neither vote nor acknowledge until enough have come, unless this is the first start of
  // the folder. If the peer remembers more than the disk holds, the disk was rolled back: replicas
  // that there were then are damaged, all of them, and never speak again.
  virtual void OnRemembered(const PeerMemory& memory) = 0;
  // A peer's messages; those for replicas not here or of another incarnation are dropped.
  virtual void StepRaft(uint64_t from_node, std::vector<internal::v1::RaftMessage> messages) = 0;
  // A peer's part of a snapshot; the same.
  virtual void StepSnapshot(uint64_t from_node, internal::v1::SnapshotMessage message) = 0;

  // Proposes `command` (format, feature_level and stamp are filled in here) and answers when it is
  // applied on this leader. Errors as in kv/v1/errors.proto, with the outcome.
  virtual void Write(GroupId group, internal::v1::Command command, CallTerms terms,
                     Callback<WriteAnswer> done) = 0;
  // Meta group only: as Write, answering when the change is applied here.
  virtual void ProposeCluster(internal::v1::ClusterCommand command, MonotonicTime deadline,
                              absl::AnyInvocable<void(absl::Status)> done) = 0;

  // Linearizable under the leader's lease, on the calling thread, without any hand-off; nothing
  // when there is no usable lease. Safe while replicas come and go.
  [[nodiscard]] virtual std::optional<ReadAnswer> TryLeaseGet(GroupId group,
                                                              std::string_view key) = 0;
  // Linearizable by lease or ReadIndex.
  virtual void Get(GroupId group, std::string key, CallTerms terms, Callback<ReadAnswer> done) = 0;
  // All at one moment, linearizable. Answers the first keys, in their order: as many as `bytes_max`
  // bytes of values admit, and at least one.
  virtual void GetMany(GroupId group, std::vector<std::string> keys, size_t bytes_max,
                       CallTerms terms, Callback<std::vector<ReadAnswer>> done) = 0;
  virtual void ReadPage(GroupId group, PageQuery query, CallTerms terms,
                        Callback<PageAnswer> done) = 0;

  // ---- Quiet groups, for a QuietWatch.
  // What this node leads quietly with a member on `node`, and what it follows quietly under it.
  [[nodiscard]] virtual QuietDigest LedQuietly(uint64_t node) const = 0;
  [[nodiscard]] virtual QuietDigest FollowedQuietly(uint64_t node) const = 0;
  [[nodiscard]] virtual std::vector<QuietGroup> ListFollowedQuietly(uint64_t node) const = 0;
  // Nodes of the leaders of all groups followed quietly.
  [[nodiscard]] virtual std::vector<uint64_t> QuietLeaders() const = 0;
  // Which of `groups`, which `node` follows quietly, have no leader here that would wake them.
  [[nodiscard]] virtual std::vector<QuietGroup> NotLedFor(
      uint64_t node, const std::vector<QuietGroup>& groups) const = 0;
  // `node` is silent, or denied that it leads `groups`: wakes those followers.
  virtual void SuspectLeadersOn(uint64_t node) = 0;
  virtual void SuspectLeadersOf(const std::vector<QuietGroup>& groups) = 0;
  // `node` has begun a new life: wakes followers of its leaders, and leaders with members on it.
  virtual void WakeQuietWith(uint64_t node) = 0;

  // Leader's node as far as known here; 0: unknown or no replica here.
  [[nodiscard]] virtual uint64_t LeaderOf(GroupId group) const = 0;
  // All known leaders by group.
  [[nodiscard]] virtual std::map<GroupId, uint64_t> Leaders() const = 0;
  // Replicas here whose log or data is damaged, or in part gone; their peers' are better.
  [[nodiscard]] virtual std::vector<DamagedReplica> Damaged() const = 0;
  // Every replica wanted here was recovered, or found damaged, and none is held or returning: none
  // of the rest will turn out to be damaged by its start, and all of them count.
  [[nodiscard]] virtual bool AllStarted() const = 0;
  // Status of all replicas here; with checksum each is read completely on the background loop.
  virtual void ListReplicas(bool checksum, Callback<std::vector<kv::v1::ReplicaStatus>> done) = 0;
  // What is published anyway: asks no loop.
  [[nodiscard]] virtual HostFigures Figures() const = 0;
  // The newest stamp any group here has given or applied, in microseconds: for request ids.
  [[nodiscard]] virtual uint64_t ClusterTimeMicros() const = 0;

  // Shows every replica's core and durable log, for invariant checkers. Only where nothing else
  // runs during the call: between two events of the simulator.
  using Inspector = std::function<void(const ReplicaSpec& spec, const raft::RaftNode& node,
                                       const raft::LogStorage& log)>;
  virtual void Inspect(const Inspector& inspector) const = 0;
};

}  // namespace quorate

#endif  // SERVER_REPLICATION_REPLICA_HOST_H_
