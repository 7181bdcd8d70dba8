#include "raft/test_cluster.h"

#include <algorithm>
#include <array>
#include <utility>

#include "raft/check.h"
#include "raft/quorum.h"
#include "raft/raft_core.h"

namespace quorate::raft {

std::string KindName(const MessageBody& body) {
  static constexpr std::array<const char*, 9> kNames = {
      "prevote",   "prevote-response",   "vote",       "vote-response", "append", "append-response",
      "heartbeat", "heartbeat-response", "timeout-now"};
  return kNames[body.index()];
}

TestCluster::TestCluster(const TestGroup& group) : invariants_(group.initial) {
  for (ReplicaId id : Members(group.initial)) {
    Replica& replica = replicas_[id];
    replica.config = group;
    replica.config.self = id;
    replica.config.seed = group.seed * 1000 + id.value();
    replica.buffered = group.buffered;
    replica.disk = MemoryLog(group.initial);
  }
}

void TestCluster::AddSpare(uint64_t id) {
  QUORATE_CHECK(!replicas_.empty());
  RaftConfig config = replicas_.begin()->second.config;
  config.self = ReplicaId(id);
  config.seed += id * 1'000'000;
  const bool buffered = replicas_.begin()->second.buffered;
  replicas_[ReplicaId(id)].config = config;
  replicas_[ReplicaId(id)].buffered = buffered;
}

void TestCluster::Start(uint64_t id, LogIndex applied) {
  Replica& replica = replicas_.at(ReplicaId(id));
  QUORATE_CHECK(replica.node == nullptr);
  // As a server does at start: the log follows the state where a crash came between the two.
  const SnapshotMeta& base = replica.state_base;
  if (base.index > replica.disk.CompactedIndex() &&
      replica.disk.TermAt(base.index).value_or(Term()) != base.term) {
    replica.disk.Reset(base);
  }
  applied = std::max({applied, base.index, replica.disk.CompactedIndex()});
  replica.applied = applied;
  invariants_.OnStart(ReplicaId(id), applied);
  replica.node = std::make_unique<RaftNode>(replica.config, &replica.disk, applied, now_);
  Pump(id);
}

void TestCluster::WriteLog(Replica* replica, const QueuedWrite& write) {
  if (replica->buffered) {
    if (write.must_sync) {
      replica->unsynced.clear();
    } else {
      replica->unsynced.push_back(replica->disk);
    }
  }
  if (write.snapshot) {
    Ingest(replica);
    replica->disk.Reset(*write.snapshot);
  }
  if (write.cut > replica->disk.CompactedIndex()) replica->disk.CompactTo(write.cut);
  replica->disk.Write(write.hard_state, write.entries);
}

void TestCluster::Ingest(Replica* replica) {
  const SnapshotMeta& meta = replica->staged.meta;
  if (replica->state_base == meta) return;
  replica->applied = meta.index;
  replica->payloads = replica->staged.payloads;
  replica->state_base = meta;
  ++installed_snapshots_;
  invariants_.OnInstall(replica->config.self, meta);
}

void TestCluster::IngestUnreported(uint64_t id) {
  Replica& replica = replicas_.at(ReplicaId(id));
  for (QueuedWrite& write : replica.writes) {
    if (write.snapshot) return Ingest(&replica);
    if (!write.written) WriteLog(&replica, write);
    write.written = true;
  }
}

bool TestCluster::Compact(uint64_t id, LogIndex index) {
  Replica& replica = replicas_.at(ReplicaId(id));
  if (index > replica.node->Status().applied || !replica.node->CompactTo(index)) return false;
  // The state up to there is durable.
  replica.state_base = {.index = index,
                        .term = *replica.node->core().log().TermAt(index),
                        .configuration = replica.disk.ConfigurationAt(index)};
  replica.writes.push_back(
      {.token = 0, .hard_state = std::nullopt, .entries = {}, .messages = {}, .cut = index});
  Pump(id);
  return true;
}

void TestCluster::OfferSnapshot(Replica* replica, ReplicaId to) {
  const RaftNode& node = *replica->node;
  const LogIndex index = replica->applied;
  snapshots_.push_back({.from = replica->config.self,
                        .to = to,
                        .leader_term = node.term(),
                        .meta = {.index = index,
                                 .term = *node.core().log().TermAt(index),
                                 .configuration = replica->disk.ConfigurationAt(index)},
                        .payloads = replica->payloads});
}

void TestCluster::DeliverSnapshotAt(size_t position) {
  const SnapshotStream stream = std::move(snapshots_.at(position));
  snapshots_.erase(snapshots_.begin() + static_cast<ptrdiff_t>(position));
  const auto receiver = replicas_.find(stream.to);
  const bool arrives = receiver != replicas_.end() && receiver->second.node != nullptr &&
                       cuts_.count({stream.from, stream.to}) == 0;
  if (arrives) InstallSnapshot(stream);
  const auto sender = replicas_.find(stream.from);
  if (sender->second.node == nullptr || sender->second.node->term() != stream.leader_term) return;
  sender->second.node->ReportSnapshot(
      stream.to, arrives ? std::optional(stream.meta.index) : std::nullopt, now_);
  Pump(stream.from.value());
}

void TestCluster::InstallSnapshot(const SnapshotStream& stream) {
  Replica& replica = replicas_.at(stream.to);
  const SnapshotOutcome outcome =
      replica.node->InstallSnapshot(stream.meta, stream.from, stream.leader_term, now_);
  if (outcome == SnapshotOutcome::kInstalls) replica.staged = stream;
  Pump(stream.to.value());
}

void TestCluster::FailSnapshotAt(size_t position) {
  const SnapshotStream stream = std::move(snapshots_.at(position));
  snapshots_.erase(snapshots_.begin() + static_cast<ptrdiff_t>(position));
  const auto sender = replicas_.find(stream.from);
  if (sender->second.node == nullptr || sender->second.node->term() != stream.leader_term) return;
  sender->second.node->ReportSnapshot(stream.to, std::nullopt, now_);
  Pump(stream.from.value());
}

void TestCluster::Crash(uint64_t id) {
  Replica& replica = replicas_.at(ReplicaId(id));
  replica.node.reset();
  replica.writes.clear();
  replica.payloads.clear();
}

void TestCluster::LosePower(uint64_t id, size_t lost, LogIndex flushed) {
  Crash(id);
  Replica& replica = replicas_.at(ReplicaId(id));
  const MemoryLog before = replica.disk;
  lost = std::min(lost, replica.unsynced.size());
  if (lost > 0) replica.disk = replica.unsynced[replica.unsynced.size() - lost];
  replica.unsynced.clear();
  flushed = std::clamp(flushed, replica.state_base.index, replica.applied);
  if (flushed > replica.state_base.index && flushed > replica.disk.LastIndex()) {
    replica.state_base = {.index = flushed,
                          .term = *before.TermAt(flushed),
                          .configuration = before.ConfigurationAt(flushed)};
  }
  replica.applied = flushed;
  HardState state = replica.disk.InitialHardState();
  ++state.life;
  replica.disk.Write(state, {});
}

bool TestCluster::IsUp(uint64_t id) const { return replicas_.at(ReplicaId(id)).node != nullptr; }

RaftNode& TestCluster::node(uint64_t id) {
  Replica& replica = replicas_.at(ReplicaId(id));
  QUORATE_CHECK(replica.node != nullptr, "replica is down");
  return *replica.node;
}

std::vector<uint64_t> TestCluster::ids() const {
  std::vector<uint64_t> ids;
  for (const auto& [id, replica] : replicas_) ids.push_back(id.value());
  return ids;
}

uint64_t TestCluster::Leader() {
  const RaftNode* leader = nullptr;
  uint64_t leader_id = 0;
  for (const auto& [id, replica] : replicas_) {
    if (replica.node == nullptr || replica.node->role() != Role::kLeader) continue;
    if (leader != nullptr && replica.node->term() < leader->term()) continue;
    leader = replica.node.get();
    leader_id = id.value();
  }
  if (leader == nullptr) return 0;
  // One that was removed while it was away may campaign for ever; nobody listens.
  for (ReplicaId id : Members(leader->Status().configuration)) {
    const auto member = replicas_.find(id);
    if (member == replicas_.end() || member->second.node == nullptr) continue;
    if (member->second.node->term() > leader->term()) return 0;
  }
  return leader_id;
}

void TestCluster::SendAll(Replica* replica, std::vector<Message> messages) {
  for (Message& message : messages) {
    // Term, vote and cure must be there after a loss of power, too.
    const MemoryLog& synced = replica->unsynced.empty() ? replica->disk : replica->unsynced.front();
    invariants_.OnSend(message, replica->disk, synced.InitialHardState());
    network_.push_back(std::move(message));
  }
}

void TestCluster::Perform(Replica* replica, Ready ready) {
  SendAll(replica, std::move(ready.messages));
  if (ready.NeedsPersist() || !ready.messages_after_persist.empty()) {
    replica->writes.push_back({.token = ready.persist_token,
                               .hard_state = ready.hard_state,
                               .entries = std::move(ready.entries),
                               .messages = std::move(ready.messages_after_persist),
                               .snapshot = ready.snapshot,
                               .must_sync = ready.must_sync});
  }
  for (const Entry& entry : ready.committed_entries) {
    invariants_.OnApply(replica->config.self, entry);
    replica->applied = entry.index;
    if (entry.kind == EntryKind::kCommand) replica->payloads.push_back(*entry.payload);
  }
  if (!replica->slow_apply) replica->node->OnApplied(replica->applied);
  for (const ReadState& read : ready.reads) served_[read.context] = read.index;
  refused_.insert(ready.reads_refused.begin(), ready.reads_refused.end());
  if (ready.role_changed) {
    std::erase_if(snapshots_, [&](const SnapshotStream& stream) {
      return !slow_snapshots_ && stream.from == replica->config.self &&
             stream.leader_term != replica->node->term();
    });
  }
  for (ReplicaId follower : ready.snapshots_wanted) OfferSnapshot(replica, follower);
}

void TestCluster::Pump(uint64_t id) {
  Replica& replica = replicas_.at(ReplicaId(id));
  CheckInvariants();
  while (replica.node->HasReady()) {
    Perform(&replica, replica.node->TakeReady());
    CheckInvariants();
  }
  if (!replica.slow_disk && !replica.writes.empty()) Persist(id);
}

void TestCluster::Persist(uint64_t id, size_t count) {
  Replica& replica = replicas_.at(ReplicaId(id));
  for (; count > 0 && !replica.writes.empty(); --count) {
    QueuedWrite write = std::move(replica.writes.front());
    replica.writes.pop_front();
    if (!write.written) WriteLog(&replica, write);
    if (write.snapshot) replica.node->OnApplied(write.snapshot->index);
    replica.node->OnPersisted(write.token, now_);
    SendAll(&replica, std::move(write.messages));
  }
  Pump(id);
}

void TestCluster::WriteUnreported(uint64_t id, size_t count) {
  Replica& replica = replicas_.at(ReplicaId(id));
  for (QueuedWrite& write : replica.writes) {
    if (count-- == 0) break;
    if (!write.written) WriteLog(&replica, write);
    write.written = true;
  }
}

size_t TestCluster::QueuedWrites(uint64_t id) const {
  return replicas_.at(ReplicaId(id)).writes.size();
}

void TestCluster::ReportApplied(uint64_t id) {
  node(id).OnApplied(Applied(id));
  Pump(id);
}

void TestCluster::StepMessageAt(ReplicaId receiver, const Message& message) {
  const auto replica = replicas_.find(receiver);
  if (replica == replicas_.end() || replica->second.node == nullptr) return;
  if (cuts_.count({message.from, receiver}) > 0) return;
  replica->second.node->Step(message, now_);
  Pump(receiver.value());
}

void TestCluster::DeliverAt(size_t position) {
  const Message message = std::move(network_.at(position));
  network_.erase(network_.begin() + static_cast<ptrdiff_t>(position));
  StepMessage(message);
}

void TestCluster::DeliverAll() {
  size_t steps_left = 100'000;
  const auto snapshot_due = [this] { return !slow_snapshots_ && !snapshots_.empty(); };
  while (!network_.empty() || snapshot_due()) {
    QUORATE_CHECK(steps_left-- > 0, "messages never end");
    if (network_.empty()) {
      DeliverSnapshotAt(0);
    } else {
      DeliverAt(0);
    }
  }
}

std::vector<Message> TestCluster::Take(const Filter& filter) {
  std::vector<Message> taken;
  std::vector<Message> rest;
  for (Message& message : network_) (filter(message) ? taken : rest).push_back(std::move(message));
  network_ = std::move(rest);
  return taken;
}

void TestCluster::Tick(uint64_t id) {
  node(id).Tick(now_);
  Pump(id);
}

void TestCluster::Run(Duration duration) {
  const MonotonicTime end = now_ + duration;
  while (now_ < end) {
    now_ += std::min<Duration>(std::chrono::milliseconds(20), end - now_);
    for (uint64_t id : ids()) {
      if (IsUp(id)) Tick(id);
    }
    DeliverAll();
    if (watch_quiet_ && now_ - watched_at_ >= std::chrono::milliseconds(500)) SuspectLostLeaders();
  }
}

void TestCluster::SuspectLostLeaders() {
  watched_at_ = now_;
  for (const auto& [id, replica] : replicas_) {
    if (replica.node == nullptr || !replica.node->quiet()) continue;
    if (replica.node->role() == Role::kLeader) continue;
    const auto found = replicas_.find(replica.node->leader());
    const RaftNode* leader = found == replicas_.end() ? nullptr : found->second.node.get();
    if (leader != nullptr && leader->role() == Role::kLeader &&
        leader->term() == replica.node->term() && cuts_.count({found->first, id}) == 0) {
      continue;
    }
    replica.node->SuspectLeader(now_);
    Pump(id.value());
  }
}

void TestCluster::Campaign(uint64_t id) {
  node(id).Campaign(now_);
  Pump(id);
}

absl::StatusOr<ProposalPosition> TestCluster::Propose(uint64_t id, const std::string& payload) {
  absl::StatusOr<ProposalPosition> position =
      node(id).Propose(std::make_shared<const std::string>(payload), now_);
  Pump(id);
  return position;
}

absl::Status TestCluster::Read(uint64_t id, uint64_t context) {
  absl::Status status = node(id).ReadIndex(context, now_);
  Pump(id);
  return status;
}

absl::Status TestCluster::Transfer(uint64_t id, uint64_t target) {
  absl::Status status = node(id).TransferLeadership(ReplicaId(target), now_);
  Pump(id);
  return status;
}

absl::Status TestCluster::Configure(uint64_t id, const Configuration& target) {
  absl::Status status = node(id).ProposeConfiguration(target, now_).status();
  Pump(id);
  return status;
}

void TestCluster::CheckInvariants() {
  std::vector<ReplicaView> views;
  views.reserve(replicas_.size());
  for (const auto& [id, replica] : replicas_) {
    views.push_back({id, replica.node.get(), &replica.disk});
  }
  invariants_.Check(views, now_);
}

}  // namespace quorate::raft
