// One Raft group in a test's hands: replicas, their disks, the network between them and the time,
// all moved by explicit calls.
#ifndef RAFT_TEST_CLUSTER_H_
#define RAFT_TEST_CLUSTER_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "raft/config.h"
#include "raft/invariants.h"
#include "raft/memory_log.h"
#include "raft/message.h"
#include "raft/raft_node.h"
#include "raft/ready.h"
#include "raft/types.h"

namespace quorate::raft {

[[nodiscard]] std::string KindName(const MessageBody& body);

// Every replica's configuration save for self, and who the members are at first. Stories move the
// clock in large steps, so these count in full unless a story is about that.
struct TestGroup : RaftConfig {
  TestGroup() { wait_step_max = Duration::max(); }

  Configuration initial;
  // Disks fsync only what must be (Ready::must_sync).
  bool buffered = false;
};

// Plays the driver as raft/README.md shows it. Nothing moves by itself: a call on a replica is
// followed by Pump, which takes its Readys, puts messages on the network and writes into the disk's
// queue; Persist makes writes durable; Deliver hands messages over. Runs the invariants after each
// step. One thread.
class TestCluster {
 public:
  // The seed is varied by id.
  explicit TestCluster(const TestGroup& group);

  // A replica outside the first configuration, with an empty disk and no idea of its members.
  void AddSpare(uint64_t id);

  // ---- Replicas. A replica runs from Start (with what its disk holds) to Crash. Its state machine
  // has kept what was applied up to `applied`, or up to where its log begins if that is more.
  void Start(uint64_t id, LogIndex applied = LogIndex());
  // Loses memory and every write that is not durable yet.
  void Crash(uint64_t id);
  // The same, and of the writes that were not fsynced the newest `lost`; the state machine has
  // written down what it applied up to `flushed`. A new life begins.
  void LosePower(uint64_t id, size_t lost = SIZE_MAX, LogIndex flushed = LogIndex());
  [[nodiscard]] bool IsUp(uint64_t id) const;
  [[nodiscard]] RaftNode& node(uint64_t id);
  [[nodiscard]] MemoryLog& disk(uint64_t id) { return replicas_.at(ReplicaId(id)).disk; }
  [[nodiscard]] std::vector<uint64_t> ids() const;
  // The only leader of the newest term; zero if there is none.
  [[nodiscard]] uint64_t Leader();

  // ---- Disk. A slow disk writes only on Persist.
  void SetSlowDisk(uint64_t id, bool slow) { replicas_.at(ReplicaId(id)).slow_disk = slow; }
  // Makes the oldest `count` queued writes durable and reports them.
  void Persist(uint64_t id, size_t count = SIZE_MAX);
  // The same, but the report is lost with a crash that follows.
  void WriteUnreported(uint64_t id, size_t count);
  [[nodiscard]] size_t QueuedWrites(uint64_t id) const;
  // With a slow apply, committed entries are applied, but reported only by ReportApplied.
  void SetSlowApply(uint64_t id, bool slow) { replicas_.at(ReplicaId(id)).slow_apply = slow; }
  void ReportApplied(uint64_t id);
  [[nodiscard]] LogIndex Applied(uint64_t id) const { return replicas_.at(ReplicaId(id)).applied; }
  [[nodiscard]] const std::vector<std::string>& AppliedPayloads(uint64_t id) const {
    return replicas_.at(ReplicaId(id)).payloads;
  }

  // ---- Compaction and snapshots. A leader's wish for one becomes a stream of what it has applied
  // at that moment; DeliverAll hands streams over, unless they are slow.
  struct SnapshotStream {
    ReplicaId from;
    ReplicaId to;
    Term leader_term;
    SnapshotMeta meta;
    std::vector<std::string> payloads;
  };
  bool Compact(uint64_t id, LogIndex index);
  void SetSlowSnapshots(bool slow) { slow_snapshots_ = slow; }
  std::vector<SnapshotStream>& snapshots() { return snapshots_; }
  // All of it arrives, and the sender hears of it if it still runs.
  void DeliverSnapshotAt(size_t position);
  void InstallSnapshot(const SnapshotStream& stream);
  void FailSnapshotAt(size_t position);
  // The data of the snapshot in the queue of writes replaces the state, durably, as what is before
  // it in the queue becomes durable; its log comes later, or never.
  void IngestUnreported(uint64_t id);
  [[nodiscard]] uint64_t installed_snapshots() const { return installed_snapshots_; }

  // ---- Network: messages under way, in the order of sending.
  std::vector<Message>& network() { return network_; }
  void Cut(uint64_t from, uint64_t to) { cuts_.emplace(ReplicaId(from), ReplicaId(to)); }
  void Heal() { cuts_.clear(); }
  // Hands over the message at `position` (it is lost if the link is cut or the receiver down).
  void DeliverAt(size_t position);
  void StepMessage(const Message& message) { StepMessageAt(message.to, message); }
  // At `receiver`, whomever the message names.
  void StepMessageAt(ReplicaId receiver, const Message& message);
  // Hands over everything, and what follows from it, until nothing is under way.
  void DeliverAll();
  using Filter = std::function<bool(const Message&)>;
  // Takes the matching messages off the network.
  std::vector<Message> Take(const Filter& filter);

  // ---- Time. Advance only moves the clock; Run ticks, writes and delivers in steps of 20 ms.
  [[nodiscard]] MonotonicTime now() const { return now_; }
  void Advance(Duration duration) { now_ += duration; }
  void Tick(uint64_t id);
  void Run(Duration duration);
  // What a driver's watch over leaders finds: quiet followers whose leader is down, is cut off from
  // them, or leads no more in their term suspect it. WatchQuiet(true): Run looks twice a second.
  void SuspectLostLeaders();
  void WatchQuiet(bool watch) { watch_quiet_ = watch; }

  // ---- Calls, each followed by Pump.
  void Campaign(uint64_t id);
  absl::StatusOr<ProposalPosition> Propose(uint64_t id, const std::string& payload);
  absl::Status Read(uint64_t id, uint64_t context);
  absl::Status Transfer(uint64_t id, uint64_t target);
  absl::Status Configure(uint64_t id, const Configuration& target);
  void Pump(uint64_t id);

  [[nodiscard]] const std::map<uint64_t, LogIndex>& served() const { return served_; }
  [[nodiscard]] const std::set<uint64_t>& refused() const { return refused_; }
  Invariants& invariants() { return invariants_; }
  void CheckInvariants();

 private:
  struct QueuedWrite {
    uint64_t token;
    std::optional<HardState> hard_state;
    std::vector<Entry> entries;
    std::vector<Message> messages;
    bool written = false;
    std::optional<SnapshotMeta> snapshot = std::nullopt;
    LogIndex cut{};
    bool must_sync = false;
  };
  struct Replica {
    RaftConfig config;
    bool buffered = false;
    MemoryLog disk;
    // What the disk held before each write since the last fsync.
    std::vector<MemoryLog> unsynced{};
    std::unique_ptr<RaftNode> node;
    std::deque<QueuedWrite> writes;
    bool slow_disk = false;
    bool slow_apply = false;
    LogIndex applied;
    std::vector<std::string> payloads;
    SnapshotStream staged;    // complete, not installed yet
    SnapshotMeta state_base;  // a crash does not take the state back behind this
  };

  void Ingest(Replica* replica);
  void WriteLog(Replica* replica, const QueuedWrite& write);
  void OfferSnapshot(Replica* replica, ReplicaId to);

  void SendAll(Replica* replica, std::vector<Message> messages);
  void Perform(Replica* replica, Ready ready);

  std::map<ReplicaId, Replica> replicas_;
  std::vector<Message> network_;
  std::set<std::pair<ReplicaId, ReplicaId>> cuts_;
  MonotonicTime now_{std::chrono::seconds(1000)};
  bool watch_quiet_ = false;
  MonotonicTime watched_at_;
  std::map<uint64_t, LogIndex> served_;
  std::set<uint64_t> refused_;
  std::vector<SnapshotStream> snapshots_;
  bool slow_snapshots_ = false;
  uint64_t installed_snapshots_ = 0;
  Invariants invariants_;
};

}  // namespace quorate::raft

#endif  // RAFT_TEST_CLUSTER_H_
