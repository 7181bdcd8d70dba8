// Group: what keeps it awake, and who is told that it is quiet.
#include <algorithm>

#include "server/replication/raft_groups/group.h"

namespace quorate {

// Work of this replica that the core knows nothing of, and that only ticks bring on.
bool Group::MustStayAwake() const {
  if (!IsLeader()) {
    return false;
  }
  if (open_writes_ > 0 || open_reads_ > 0 || handing_over_ != nullptr || spec_.moving) {
    return true;
  }
  // Leadership is to go back where it is wanted; see ReturnLeadership.
  const ReplicaId wanted = spec_.members.empty() ? ReplicaId() : spec_.members.front().first;
  if (wanted.IsZero() || wanted == spec_.self) {
    return false;
  }
  const std::vector<ReplicaId> voters = node_.Status().configuration.voters;
  return std::find(voters.begin(), voters.end(), wanted) != voters.end();
}

void Group::PublishQuiet(MonotonicTime now) {
  const uint64_t leader_node = IsLeader() ? 0 : NodeOf(node_.leader());
  if (quiet() && !IsLeader() && leader_node == 0) {
    node_.Wake(now);  // nobody could watch over a leader that lives nobody knows where
  }
  const bool is_quiet = quiet();
  if (published_quiet_ && is_quiet && published_quiet_->group.term == node_.term().value() &&
      published_quiet_->leader_node == leader_node) {
    return;
  }
  if (published_quiet_) {
    for (const uint64_t node : published_quiet_->member_nodes) {
      context_->led_quietly.Remove(node, published_quiet_->group);
    }
    context_->followed_quietly.Remove(published_quiet_->leader_node, published_quiet_->group);
    published_quiet_.reset();
    slot_->figures.quiet.store(false, std::memory_order_relaxed);
  }
  if (!is_quiet) {
    return;
  }
  const raft::RaftStatus status = node_.Status();
  PublishFigures(status);
  published_quiet_ =
      Quiet{.group = {spec_.group, node_.term().value()}, .leader_node = leader_node};
  if (IsLeader()) {
    for (const raft::FollowerProgress& follower : status.followers) {
      published_quiet_->member_nodes.push_back(NodeOf(follower.replica));
      context_->led_quietly.Add(published_quiet_->member_nodes.back(), published_quiet_->group);
    }
  } else {
    context_->followed_quietly.Add(leader_node, published_quiet_->group);
  }
  slot_->figures.quiet.store(true, std::memory_order_relaxed);
}

}  // namespace quorate
