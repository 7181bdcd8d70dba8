// The node's place in its cluster: founding or joining one, hearing and telling news, and making
// its replicas what the cluster state says.
#ifndef SERVER_CLUSTER_MEMBERSHIP_H_
#define SERVER_CLUSTER_MEMBERSHIP_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "internal/v1/cluster_state.pb.h"
#include "internal/v1/peer.pb.h"
#include "server/cluster/address_book.h"
#include "server/cluster/cluster_view.h"
#include "server/cluster/founder.h"
#include "server/cluster/liveness.h"
#include "server/cluster/membership_options.h"
#include "server/cluster/peer_messenger.h"
#include "server/cluster/reconciler.h"
#include "server/cluster/state_keeper.h"
#include "server/replication/quiet_watch.h"
#include "server/replication/replica_host.h"
#include "server/runtime/runtime.h"
#include "server/storage/node_records.h"

namespace quorate {

struct InitAnswer {
  std::string cluster_id;  // 16 bytes
  uint64_t node_id = 0;
  bool created = false;
};

struct MembershipOptions {
  // What the node announces: addresses, zone, weight; node_id is not looked at.
  kv::v1::Node announced;
  std::vector<std::string> join;
  MembershipTiming timing;
  // Draws the cluster's id, should this node found one.
  uint64_t seed = 0;
  // For heartbeats. Any thread.
  std::function<bool()> ready;
};

// Lives on one control loop, the runtime's first worker; the disk is written on the log writer's
// loop, whose other tasks are as short. A node is
//
//   unjoined  has a disk id only. Asks the addresses of --join to let it in; takes init.
//   saving    is writing down which cluster it belongs to from now on.
//   member    for ever: has a cluster id and a node id. Without a cluster state it pulls one; the
//             founder without one finishes founding, also after a restart in the middle.
//
// Owned by the node, outlives its loops. Methods say which thread.
class Membership {
 public:
  // What it works on. All outlive it.
  struct Parts {
    PeerMessenger* messenger;
    AddressBook* addresses;
    NodeRecords* records;
    ReplicaHost* host;
    PublishedView* view;
    Liveness* liveness;
  };

  Membership(const Runtime& runtime, const Parts& parts, MembershipOptions options,
             const NodeIdentity& identity);

  // Takes up what was stored. `cached` has epoch 0 when there is no cluster state yet. Before the
  // messenger starts; the caller's thread.
  void Start(internal::v1::ClusterState cached);
  // Control loop. Nothing happens any more; those who wait for init are refused.
  void StopOnLoop();

  // Any thread. Answers by the deadline.
  void Init(bool force, MonotonicTime deadline, Callback<InitAnswer> done);
  // Any thread. The meta group's replica here has applied this.
  void OnApplied(const internal::v1::ClusterState& state);
  // Any thread. ReplicaHost::Hooks::membership_settled of a group led here.
  void OnSettled(GroupId group, uint64_t placement_epoch, const std::vector<ReplicaId>& voters);
  // Any thread. What the messenger received, but for pages and Raft.
  void OnEnvelope(internal::v1::Envelope envelope);

  // Any thread. The meta group's leader as far as known here; 0: unknown.
  [[nodiscard]] uint64_t meta_leader() const;

 private:
  enum class Mode : uint8_t { kUnjoined, kSaving, kMember };

  struct InitWaiter {
    bool created = false;
    Callback<InitAnswer> done;
  };

  // Control messages that wait for the loop; more are dropped, as any envelope may be.
  static constexpr size_t kQueueMax = 10'000;
  static constexpr size_t kInitWaitersMax = 64;
  static constexpr size_t kJoinsPendingMax = 256;
  static constexpr size_t kFinishingMax = 256;

  [[nodiscard]] PeerSelf SelfOf(const NodeIdentity& identity) const;
  [[nodiscard]] internal::v1::NodeRecord Announcement() const;
  [[nodiscard]] MonotonicTime Now() const { return clock_->Now(); }
  void Tick();
  void Dispatch(const internal::v1::Envelope& envelope);

  // Founding.
  void InitOnLoop(bool force, MonotonicTime deadline, Callback<InitAnswer> done);
  void AddInitWaiter(bool created, MonotonicTime deadline, Callback<InitAnswer> done);
  void AnswerInitWaiters(const absl::Status& status);
  void Found();
  void ProposeInit();
  // Writes the identity down; then, on the loop, with the outcome.
  void SaveIdentity(const NodeIdentity& identity, absl::AnyInvocable<void(absl::Status)> then);

  // Joining, and telling where this node is.
  void SendJoinRequests();
  void Announce();
  [[nodiscard]] internal::v1::Envelope JoinRequest() const;
  void OnJoinRequest(const internal::v1::Envelope& envelope);
  void ProposeNode(const internal::v1::Envelope& envelope);
  void AnswerJoin(const internal::v1::Envelope& envelope, uint64_t node_id);
  void AnswerPendingJoins();
  void OnJoinResponse(const internal::v1::Envelope& envelope);
  void BecomeMember(const internal::v1::Envelope& envelope);

  // News.
  void SendHeartbeats();
  void OnHeartbeat(const internal::v1::Envelope& envelope);
  // Whether what the heartbeat says of the meta group's leader is to be believed.
  [[nodiscard]] bool KnowsMetaLeader(const internal::v1::Envelope& heartbeat) const;
  // membership_quiet.cc
  void WatchQuietLeaders(MonotonicTime due);
  void WatchQuiet(const internal::v1::Envelope& heartbeat);
  void OnQuietQuestion(const internal::v1::Envelope& envelope);
  void OnQuietAnswer(const internal::v1::Envelope& envelope);
  void Pull(const internal::v1::Envelope& from);
  void PullFromAnyone();
  void OnPullRequest(const internal::v1::Envelope& envelope);
  void OnPullResponse(const internal::v1::Envelope& envelope);
  void Adopt(std::shared_ptr<const ClusterView> view);

  // membership_start.cc
  void AskAboutStart();
  void AskAboutStart(uint64_t node_id);
  void OnStartQuestion(const internal::v1::Envelope& envelope);
  void OnStartAnswer(const internal::v1::Envelope& envelope);

  // Moves.
  void FinishMove(const internal::v1::MembershipSettled& settled);
  void ReportDamage();
  void OnDamageReport(const internal::v1::Envelope& envelope);
  void Reconcile();
  [[nodiscard]] NodeSights Sights() const;

  // Peer addresses of all other known nodes and of --join.
  [[nodiscard]] std::set<std::string> KnownAddresses() const;

  Clock* const clock_;
  Executor* const control_;
  Executor* const disk_;
  const Parts parts_;
  const MembershipOptions options_;
  const MonotonicTime started_;
  std::atomic<uint64_t> heard_meta_leader_{0};

  // Control loop only, from here on.
  bool stopped_ = false;
  Mode mode_ = Mode::kUnjoined;
  NodeIdentity identity_;
  std::shared_ptr<const ClusterView> view_;
  Founder founder_;
  StateKeeper keeper_;
  QuietWatch quiet_watch_;
  uint64_t next_init_waiter_ = 0;
  std::map<uint64_t, InitWaiter> init_waiters_;
  // Join requests whose change is proposed or applied but not adopted here yet, by disk id.
  std::map<std::string, internal::v1::Envelope> joins_pending_;
  bool announcing_ = false;
  // A redirect was followed since the last tick: two nodes that each take the other for the leader
  // must not send this one back and forth without end.
  bool redirected_ = false;
  std::set<std::string> refusals_logged_;
  // Who has said what it remembers of this node's earlier lives.
  std::set<uint64_t> start_answers_;
  // What other nodes said last of damaged replicas, and when; by node.
  struct Damage {
    std::set<uint64_t> incarnations;
    std::set<uint64_t> silent;
    bool complete = false;
    uint64_t boot = 0;
    MonotonicTime heard;
  };
  std::map<uint64_t, Damage> damage_;
  // Groups whose FinishMove is proposed.
  std::set<uint64_t> finishing_;
  // Steps of the reconciler that are proposed. The next ones wait for them: they would be the same.
  size_t steps_pending_ = 0;
};

}  // namespace quorate

#endif  // SERVER_CLUSTER_MEMBERSHIP_H_
