// An event loop's share of a node's groups.
#ifndef SERVER_REPLICATION_RAFT_GROUPS_WORKER_H_
#define SERVER_REPLICATION_RAFT_GROUPS_WORKER_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/functional/any_invocable.h"
#include "server/replication/raft_groups/apply.h"
#include "server/replication/raft_groups/apply_work.h"
#include "server/replication/raft_groups/deadline_queue.h"
#include "server/replication/raft_groups/gate.h"
#include "server/replication/raft_groups/group.h"
#include "server/replication/raft_groups/host_context.h"
#include "server/replication/raft_groups/raft_codec.h"
#include "server/replication/raft_groups/snapshot_route.h"

namespace quorate {

// Works in turns. What arrives while a turn runs gathers in the inbox; the next turn takes all of
// it, lets each group take its part, and only then asks the groups what has to leave: one call for
// each peer node, one write to the log, one hand-off to the apply loop, whatever the number of
// groups and requests. So batches grow by themselves when there is more to do, and no timer delays
// anything. A turn never waits: not for the disk, nor for another loop.
//
// Owned by the host and by its tasks on loops. Threads: Enqueue, OnApplied and Close from any; all
// else in turns on the worker's own loop, inside the gate.
class Worker final : public AppliedSink, public std::enable_shared_from_this<Worker> {
 public:
  struct Persisted {
    absl::Status status;
    std::vector<TurnOutput::Persisting> shares;
  };
  // Runs in a turn.
  using Control = absl::AnyInvocable<void(Worker&)>;
  using Input = std::variant<std::shared_ptr<WriteRequest>, std::shared_ptr<ReadRequest>,
                             std::shared_ptr<TransferRequest>, std::vector<GroupMessage>, Persisted,
                             std::vector<AppliedNotice>, Control>;

  Worker(size_t number, std::shared_ptr<HostContext> context, std::shared_ptr<Applier> applier);

  // Begins to tick.
  void Start();
  // Requests that come after Close are refused; everything else is dropped.
  void Enqueue(Input input);
  // Peers' messages, of `bytes` in all. Dropped when more than kPeerBytesMax wait: Raft sends again
  // what matters, and a worker that far behind must not grow without bound.
  void EnqueuePeers(std::vector<GroupMessage> messages, size_t bytes);
  static constexpr size_t kPeerBytesMax = size_t{64} << 20;
  // Snapshots (worker_snapshots.cc). To the replica they name, if it is here.
  void EnqueueSnapshotOffer(uint64_t from_node, internal::v1::SnapshotMessage offer);
  void EnqueueSnapshot(ArrivedSnapshot arrived);
  void EnqueueSnapshotSent(const SnapshotRoute& route, std::optional<raft::LogIndex> index);
  void OnApplied(std::vector<AppliedNotice> notices) override { Enqueue(std::move(notices)); }
  [[nodiscard]] size_t number() const override { return number_; }
  // Ends every request and stops every group. When it returns no turn runs or ever will.
  void Close();

  // ---- In turns only.
  void AddGroup(const ReplicaSpec& spec, RecoveredReplica replica);
  // A replica that could not be recovered: it is only reported.
  void AddBroken(const ReplicaSpec& spec, const absl::Status& why);
  // A peer has told of earlier lives of this node: replicas that were held may begin, or never may.
  void JudgeStarts();
  void RemoveGroup(GroupId group);
  // See Group::UpdateSpec.
  void UpdateGroup(ReplicaSpec spec);
  // Those of `groups` that are here and still quiet in that term.
  using WakeCall = void (Group::*)(MonotonicTime now);
  void Wake(const std::vector<QuietGroup>& groups, WakeCall call);
  // See Group::HandOver.
  void HandOver(const std::shared_ptr<void>& under_way);
  // Appends the status of all replicas, with the state for the apply loop (null: broken).
  void AppendStatus(
      std::vector<std::pair<kv::v1::ReplicaStatus, std::shared_ptr<ReplicaState>>>* to) const;
  // See ReplicaHost::Inspect.
  void Inspect(const ReplicaHost::Inspector& inspector) const {
    for (const auto& [id, group] : groups_) inspector(group->spec(), group->node(), group->log());
  }

 private:
  struct Broken {
    ReplicaSpec spec;
    std::string fault;
  };
  // Recovered, and waiting for what the peers remember (start_check.h).
  struct Held {
    ReplicaSpec spec;
    RecoveredReplica replica;
  };

  void Drain();
  // Quarantines a replica that lost promises.
  void JudgeRunning(Group& group);
  void OnTick();
  void LookAtOneQuietGroup();
  void ScheduleTick();
  void Take(std::shared_ptr<WriteRequest>& request);
  void Take(std::shared_ptr<ReadRequest>& request);
  void Take(std::shared_ptr<TransferRequest>& request);
  void Take(std::vector<GroupMessage>& messages);
  void Take(Persisted& persisted);
  void Take(std::vector<AppliedNotice>& notices);
  void Take(Control& control) { control(*this); }
  // The replica, if it is here and the node's store is sound.
  [[nodiscard]] Group* FindReplica(GroupId group, ReplicaId replica) const;
  // The group that may take the request; refuses it otherwise.
  Group* Admit(OpenRequest& request);
  [[nodiscard]] Group* Find(GroupId group) const;
  void MarkDirty(Group& group);
  void EndTurn();
  // So that logs can be cut; one flush of the node's data at a time.
  void FlushData();
  void SendAll(PeerMessages& messages);
  // Every leader here gives up its office, and no group does anything any more.
  void OnPoisoned();
  void ArmDeadlineTimer();
  void OnDeadline();

  const size_t number_;
  const std::shared_ptr<HostContext> context_;
  const std::shared_ptr<Applier> applier_;
  Executor* const loop_;
  Counter& messages_sent_;
  Gate gate_;

  Mutex inbox_mutex_;
  std::vector<Input> inbox_ ABSL_GUARDED_BY(inbox_mutex_);
  size_t inbox_peer_bytes_ ABSL_GUARDED_BY(inbox_mutex_) = 0;
  bool scheduled_ ABSL_GUARDED_BY(inbox_mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(inbox_mutex_) = false;

  // The turns' own.
  MonotonicTime now_;  // as of the turn's begin
  absl::btree_map<GroupId, std::shared_ptr<Group>> groups_;
  absl::btree_map<GroupId, Broken> broken_;
  absl::btree_map<GroupId, Held> held_;
  DeadlineQueue deadlines_;
  std::optional<std::pair<MonotonicTime, TimerId>> deadline_timer_;
  std::vector<std::shared_ptr<Group>> dirty_;
  // What a tick goes over: all groups that are not quiet.
  absl::btree_map<GroupId, Group*> awake_;
  GroupId looked_at_;           // the last quiet one
  PeerMessages after_persist_;  // leave at the end of this turn
  bool poisoned_ = false;
};

}  // namespace quorate

#endif  // SERVER_REPLICATION_RAFT_GROUPS_WORKER_H_
