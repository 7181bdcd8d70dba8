// Group: a leader sends its data to who is too far behind for its log, and a follower takes it.
//
// A follower's way: the stream is staged (snapshot_receiver.h) → the core judges it and, if it is
// of use, says so in a Ready → the apply loop installs the data, which is durable then → the log is
// emptied so that it begins behind it → the core answers the leader. A crash in the middle leaves
// data that is ahead of its log and marked as installed, which RecoverReplica knows; the other way
// round cannot be.
#include <iterator>
#include <string>
#include <utility>

#include "raft/configuration.h"
#include "server/replication/raft_groups/group.h"
#include "server/replication/raft_groups/snapshot_exchange.h"
#include "server/runtime/check.h"
#include "server/runtime/log.h"
#include "server/storage/staged_snapshot.h"

namespace quorate {

// ---- The leader's side.

void Group::OfferSnapshots(const raft::Ready& ready, MonotonicTime now) {
  for (const ReplicaId follower : ready.snapshots_wanted) {
    const uint64_t node = NodeOf(follower);
    if (node == 0) {
      node_.ReportSnapshot(follower, std::nullopt, now);
      continue;
    }
    offers_of_ = node_.term();
    context_->snapshots->Offer(
        {.group = spec_.group, .from = spec_.self, .to = follower, .leader_term = node_.term()},
        node);
  }
}

void Group::WithdrawSnapshots() {
  if (!offers_of_.IsZero() && (!IsLeader() || node_.term() != offers_of_)) {
    offers_of_ = raft::Term();
    context_->snapshots->Withdraw(spec_.group);
  }
}

void Group::OnSnapshotSent(const SnapshotRoute& route, std::optional<raft::LogIndex> index,
                           MonotonicTime now) {
  if (InService() && IsLeader() && route.leader_term == node_.term()) {
    node_.ReportSnapshot(route.to, index, now);
  }
}

// ---- The follower's side.

bool Group::TakesSnapshot(raft::Term leader_term) const {
  return InService() && !IsLeader() && leader_term >= node_.term() && snapshot_ == nullptr &&
         after_install_ == nullptr;
}

void Group::OnSnapshotArrived(ArrivedSnapshot arrived, MonotonicTime now) {
  const internal::v1::ReplicaMeta& meta = arrived.staged->meta();
  auto outcome = raft::SnapshotOutcome::kIgnored;
  auto configuration = raft::DecodeConfiguration(meta.configuration());
  if (InService() && configuration.ok()) {
    outcome = node_.InstallSnapshot({.index = raft::LogIndex(meta.applied_index()),
                                     .term = raft::Term(meta.applied_term()),
                                     .configuration = *std::move(configuration)},
                                    arrived.route.from, arrived.route.leader_term, now);
  }
  const bool taken = outcome != raft::SnapshotOutcome::kIgnored;
  context_->snapshots->Answer(arrived, taken, taken ? "" : "it is of no use");
  if (outcome == raft::SnapshotOutcome::kInstalls) {
    snapshot_ = std::move(arrived.staged);
  } else {
    context_->snapshots->Discard(std::move(arrived.staged));
  }
}

// The part for the log waits until the data is there.
void Group::EmitSnapshot(raft::Ready& ready, TurnOutput* out) {
  QUORATE_CHECK(snapshot_ != nullptr && after_install_ == nullptr) << "a snapshot from nowhere";
  handed_over_ = ready.snapshot->index;
  after_install_ = std::make_unique<TurnOutput>();
  EmitMessages(ready, after_install_.get());
  for (auto& [node, messages] : std::exchange(after_install_->messages, {})) {
    auto& leaving = out->messages[node];
    std::move(messages.begin(), messages.end(), std::back_inserter(leaving));
  }
  out->applies.push_back({.replica = state_,
                          .worker = worker_,
                          .entries = {},
                          .writes = {},
                          .reads = {},
                          .snapshot = std::move(snapshot_)});
}

void Group::EmitInstalled(TurnOutput* out) {
  if (!std::exchange(installed_, false) || after_install_ == nullptr) {
    return;
  }
  std::move(after_install_->appends.begin(), after_install_->appends.end(),
            std::back_inserter(out->appends));
  std::move(after_install_->persisting.begin(), after_install_->persisting.end(),
            std::back_inserter(out->persisting));
  after_install_.reset();
}

void Group::DropSnapshot() {
  WithdrawSnapshots();
  after_install_.reset();  // holds this group
  if (snapshot_ != nullptr) {
    context_->snapshots->Discard(std::move(snapshot_));
  }
}

}  // namespace quorate
