// One replica of one group on its worker: the core, the requests that wait for it, and what others
// may know of it.
#ifndef SERVER_REPLICATION_RAFT_GROUPS_GROUP_H_
#define SERVER_REPLICATION_RAFT_GROUPS_GROUP_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kv/v1/admin.pb.h"
#include "raft/raft_node.h"
#include "server/replication/raft_groups/apply_work.h"
#include "server/replication/raft_groups/deadline_queue.h"
#include "server/replication/raft_groups/host_context.h"
#include "server/replication/raft_groups/log_truncation.h"
#include "server/replication/raft_groups/recovery.h"
#include "server/replication/raft_groups/snapshot_route.h"
#include "server/storage/log_append.h"

namespace quorate {

class Group;

using PeerMessages = std::map<uint64_t /*node*/, std::vector<internal::v1::RaftMessage>>;

// What a worker's turn sends to network, log and apply loop, of all its groups.
struct TurnOutput {
  // One group's part in the turn's write to the log.
  struct Persisting {
    std::shared_ptr<Group> group;
    uint64_t token = 0;
    raft::LogIndex last_index{};  // of the entries written; zero: none
    // Leave when the write is durable.
    std::vector<std::pair<uint64_t /*node*/, internal::v1::RaftMessage>> messages;
  };

  PeerMessages messages;
  std::vector<LogAppend> appends;
  std::vector<Persisting> persisting;
  std::vector<ApplyWork> applies;
  // A log could be cut if the data were flushed.
  bool flush_wanted = false;
};

// Drives a raft::RaftNode as raft/ready.h demands. Owned by its Worker (and by its part in log
// writes under way); touched on the worker's loop only, in the worker's turns: calls gather work,
// Flush at the end of the turn takes it out.
//
// A request that a call accepts is in `deadlines` until it is answered; one that it does not accept
// is refused before the call returns.
class Group : public std::enable_shared_from_this<Group> {
 public:
  Group(HostContext* context, DeadlineQueue* deadlines, std::shared_ptr<AppliedSink> worker,
        ReplicaSpec spec, RecoveredReplica replica, MonotonicTime now);

  void Step(const raft::Message& message, MonotonicTime now);
  void Tick(MonotonicTime now);
  void Write(std::shared_ptr<WriteRequest> request, MonotonicTime now);
  void Read(std::shared_ptr<ReadRequest> request, MonotonicTime now);
  void OnPersisted(const TurnOutput::Persisting& share, MonotonicTime now);
  void OnApplied(AppliedNotice notice, MonotonicTime now);
  // See raft::RaftNode.
  void Wake(MonotonicTime now) { node_.Wake(now); }
  void SuspectLeader(MonotonicTime now) { node_.SuspectLeader(now); }
  // Needs no Tick until something else is called.
  [[nodiscard]] bool quiet() const { return node_.quiet() && InService(); }
  // A Tick that leaves nothing behind needs no Flush: most of them, and there is one for each group
  // that is awake.
  [[nodiscard]] bool WantsFlush() const {
    return node_.HasReady() || flush_wanted_ || !drop_to_.IsZero();
  }
  // Checks and figures, about once a second, or less often while the group is quiet.
  void LookAfter(MonotonicTime now);
  // Takes no part in the group any more; nothing if it does not anyway.
  void Quarantine(std::string_view why, MonotonicTime now);
  // Gives up leadership. `why` is for people.
  void LeaveOffice(std::string_view why, MonotonicTime now);
  // Offers leadership, if it is here, to the voter that can take over soonest. `under_way` is held
  // until it is gone, or was kept.
  void HandOver(std::shared_ptr<void> under_way, MonotonicTime now);
  // Answers when another leads, or the transfer has failed.
  void Transfer(std::shared_ptr<TransferRequest> request, MonotonicTime now);
  // The same replica under a newer placement: where its peers are, and what its group shall become.
  void UpdateSpec(ReplicaSpec spec);
  // Snapshots (group_snapshots.cc). An offer of the leader of that term is welcome.
  [[nodiscard]] bool TakesSnapshot(raft::Term leader_term) const;
  void OnSnapshotArrived(ArrivedSnapshot arrived, MonotonicTime now);
  // To a follower: with the index that its data is as of, or nothing when it was given up.
  void OnSnapshotSent(const SnapshotRoute& route, std::optional<raft::LogIndex> index,
                      MonotonicTime now);
  void Flush(MonotonicTime now, TurnOutput* out);
  // Ends all requests and withdraws all that was published. Nothing may be called after it.
  void Stop(const Refusal& refusal);

  [[nodiscard]] kv::v1::ReplicaStatus Status() const;
  [[nodiscard]] const ReplicaSpec& spec() const { return spec_; }
  [[nodiscard]] const std::shared_ptr<ReplicaState>& state() const { return state_; }
  [[nodiscard]] bool stopped() const { return stopped_; }
  [[nodiscard]] const raft::RaftNode& node() const { return node_; }
  [[nodiscard]] const raft::LogStorage& log() const { return *log_; }

  // In the worker's list for this turn's Flush.
  bool dirty = false;
  // In the worker's list of groups to tick.
  bool awake = false;

 private:
  [[nodiscard]] bool IsLeader() const { return node_.role() == raft::Role::kLeader; }
  [[nodiscard]] bool InService() const { return fault_.empty() && !stopped_; }
  [[nodiscard]] uint64_t NodeOf(ReplicaId replica) const;
  // Why a request cannot be served here now; nothing when it can.
  [[nodiscard]] std::optional<Refusal> WhyNotServed() const;
  [[nodiscard]] std::optional<Refusal> WhyNotWritten() const;
  // Command.elapsed_us of what is proposed now.
  [[nodiscard]] uint64_t SinceLastCommandMicros(MonotonicTime now) const;
  void Accept(const std::shared_ptr<OpenRequest>& request);
  void End(OpenRequest& request, const Refusal& refusal);

  void StartReadRound(MonotonicTime now);
  void Emit(raft::Ready ready, MonotonicTime now, TurnOutput* out);
  void EmitMessages(raft::Ready& ready, TurnOutput* out);
  void EmitCommitted(std::vector<raft::Entry> entries, MonotonicTime now, TurnOutput* out);
  void EmitReads(MonotonicTime now, TurnOutput* out);
  void TakeConfirmedReads(const raft::Ready& ready);
  void OnRoleChanged();
  void CountCampaign();
  void PublishRole();
  void PublishFigures(const raft::RaftStatus& raft);
  void PublishLeader();
  void PublishLease(MonotonicTime now);
  void CheckLog();
  // group_quiet.cc
  [[nodiscard]] bool MustStayAwake() const;
  void PublishQuiet(MonotonicTime now);
  void CheckHandOver();
  void TellLeftOffice(std::string_view why);
  void ReturnLeadership(MonotonicTime now);
  void YieldWhereDamaged(MonotonicTime now);
  void DriveMembership(MonotonicTime now);
  // group_truncation.cc
  void TruncateLog(MonotonicTime now);
  void EmitTruncation(TurnOutput* out);
  void SetFault(std::string fault, bool damaged, MonotonicTime now);
  // group_snapshots.cc
  void OfferSnapshots(const raft::Ready& ready, MonotonicTime now);
  void WithdrawSnapshots();
  void EmitSnapshot(raft::Ready& ready, TurnOutput* out);
  void EmitInstalled(TurnOutput* out);
  void DropSnapshot();

  HostContext* const context_;
  DeadlineQueue* const deadlines_;
  const std::shared_ptr<AppliedSink> worker_;
  ReplicaSpec spec_;
  const std::shared_ptr<GroupLog> log_;
  const std::shared_ptr<ReplicaState> state_;  // for the apply loop; not touched here
  GroupSlot* const slot_;
  uint64_t self_node_ = 0;
  raft::RaftNode node_;

  bool stopped_ = false;
  std::string fault_;
  uint64_t last_stamp_ = 0;
  // Proposed here last.
  struct LastCommand {
    raft::Term term;
    MonotonicTime at;
  };
  LastCommand last_command_;
  int ticks_ = 0;
  raft::Term counted_term_;  // of the last election here that was counted
  // Until then the designated first leader of a new group asks again and again: the others may
  // still be making their replicas.
  MonotonicTime eager_until_;

  // What the ledgers hold of this replica while it is quiet.
  struct Quiet {
    QuietGroup group;
    uint64_t leader_node = 0;              // 0: led here
    std::vector<uint64_t> member_nodes{};  // of what is led here
  };
  std::optional<Quiet> published_quiet_;
  LogAges log_ages_;
  raft::LogIndex drop_to_;  // to be told to the log; zero: nothing
  bool flush_wanted_ = false;
  // In which term snapshots were offered; zero: none are under way.
  raft::Term offers_of_;
  // Taken by the core, not yet handed to the apply loop; and what goes to the log once its data is
  // installed, which it is now.
  std::shared_ptr<StagedSnapshot> snapshot_;
  std::unique_ptr<TurnOutput> after_install_;
  bool installed_ = false;

  // Held while leadership is being handed over.
  std::shared_ptr<void> handing_over_;
  // Waits for the transfer under way.
  std::shared_ptr<TransferRequest> transferring_;
  // Since when this replica leads and the first member could do so in its place.
  std::optional<MonotonicTime> returnable_since_;
  // When leadership was given back last, and how long the next return waits: longer each time when
  // it comes straight back again, as it does from a member that is damaged.
  std::optional<MonotonicTime> returned_;
  Duration return_delay_{0};
  // How often damage had been met when this replica looked last: on the node, and in its group.
  uint64_t damage_seen_on_node_ = 0;
  uint64_t damage_seen_ = 0;
  // When it was last told that the membership is as wished for.
  std::optional<MonotonicTime> settled_reported_;

  // Proposed in the present term, not yet committed; in order of index.
  std::deque<std::shared_ptr<WriteRequest>> proposed_;
  // Up to here the proposed ones are in this node's own log.
  raft::LogIndex marked_durable_;
  // Accepted and not finished, wherever they are.
  size_t open_writes_ = 0;
  size_t open_reads_ = 0;

  // A read goes through these in order: arrived in this turn; in a round, by context; confirmed but
  // ahead of what was handed to the apply loop; ready to leave for the apply loop.
  std::vector<std::shared_ptr<ReadRequest>> gathering_;
  std::map<uint64_t, std::vector<std::shared_ptr<ReadRequest>>> rounds_;
  std::map<raft::LogIndex, std::vector<std::shared_ptr<ReadRequest>>> confirmed_;
  std::vector<std::shared_ptr<ReadRequest>> servable_;
  uint64_t last_context_ = 0;
  raft::LogIndex handed_over_;
};

}  // namespace quorate

#endif  // SERVER_REPLICATION_RAFT_GROUPS_GROUP_H_
