#include "raft/raft_node.h"

#include <utility>

#include "raft/raft_core.h"

namespace quorate::raft {

RaftNode::RaftNode(const RaftConfig& config, const LogStorage* storage, LogIndex applied,
                   MonotonicTime now)
    : core_(std::make_unique<RaftCore>(config, storage, applied, now)) {}
RaftNode::~RaftNode() = default;

void RaftNode::Step(const Message& message, MonotonicTime now) { core_->Step(message, now); }
void RaftNode::Tick(MonotonicTime now) { core_->Tick(now); }
void RaftNode::Campaign(MonotonicTime now) { core_->Campaign(now); }

absl::StatusOr<ProposalPosition> RaftNode::Propose(std::shared_ptr<const std::string> payload,
                                                   MonotonicTime now) {
  return core_->Propose(std::move(payload), now);
}
absl::StatusOr<ProposalPosition> RaftNode::ProposeConfiguration(const Configuration& target,
                                                                MonotonicTime now) {
  return core_->ProposeConfiguration(target, now);
}
absl::Status RaftNode::ReadIndex(uint64_t context, MonotonicTime now) {
  return core_->ReadIndex(context, now);
}
absl::Status RaftNode::TransferLeadership(ReplicaId target, MonotonicTime now) {
  return core_->TransferLeadership(target, now);
}
ReplicaId RaftNode::TransferCandidate() const { return core_->TransferCandidate(); }
bool RaftNode::quiet() const { return core_->quiet(); }
void RaftNode::Wake(MonotonicTime now) { core_->Wake(now); }
void RaftNode::SuspectLeader(MonotonicTime now) { core_->SuspectLeader(now); }
void RaftNode::StepDown(MonotonicTime now) { core_->StepDown(now); }

bool RaftNode::HasReady() const { return core_->HasReady(); }
Ready RaftNode::TakeReady() { return core_->TakeReady(); }
void RaftNode::OnPersisted(uint64_t persist_token, MonotonicTime now) {
  core_->OnPersisted(persist_token, now);
}
void RaftNode::OnApplied(LogIndex index) { core_->OnApplied(index); }

bool RaftNode::CompactTo(LogIndex index) { return core_->CompactTo(index); }
SnapshotOutcome RaftNode::InstallSnapshot(const SnapshotMeta& snapshot, ReplicaId leader,
                                          Term leader_term, MonotonicTime now) {
  return core_->InstallSnapshot(snapshot, leader, leader_term, now);
}
void RaftNode::ReportSnapshot(ReplicaId follower, std::optional<LogIndex> installed,
                              MonotonicTime now) {
  core_->ReportSnapshot(follower, installed, now);
}

std::optional<Lease> RaftNode::CurrentLease(MonotonicTime now) const {
  return core_->CurrentLease(now);
}
Role RaftNode::role() const { return core_->role(); }
bool RaftNode::DiskLagsBehind() const { return core_->DiskLagsBehind(); }
Term RaftNode::term() const { return core_->term(); }
ReplicaId RaftNode::leader() const { return core_->leader(); }
bool RaftNode::returning() const { return core_->IsReturning(); }
RaftStatus RaftNode::Status() const { return core_->Status(); }

}  // namespace quorate::raft
