// Who belongs to a group: its leader makes the group what the cluster state wishes for.
#include <chrono>
#include <utility>

#include "server/replication/raft_groups/group.h"
#include "server/replication/raft_groups/next_membership.h"
#include "server/runtime/log.h"

namespace quorate {
namespace {

constexpr Duration kReportInterval = std::chrono::seconds(1);

}  // namespace

void Group::UpdateSpec(ReplicaSpec spec) {
  if (spec.self == spec_.self) {
    spec_ = std::move(spec);
    settled_reported_.reset();
    returnable_since_.reset();
    if (MustStayAwake()) {
      node_.Wake(context_->Now());
    }
  }
}

// Looks at the wish and at the log anew each time, so it goes on wherever an earlier leader, or an
// earlier life of this one, was interrupted.
void Group::DriveMembership(MonotonicTime now) {
  if (!spec_.moving || spec_.target_voters.empty() || !IsLeader()) {
    return;
  }
  const raft::RaftStatus status = node_.Status();
  const auto next =
      NextMembership(status.configuration, spec_.target_voters, spec_.placement_epoch);
  if (next) {
    if (const auto proposed = node_.ProposeConfiguration(*next, now); proposed.ok()) {
      LogInfo("replica/membership_changes", {{"group", spec_.group.value()},
                                             {"epoch", spec_.placement_epoch},
                                             {"voters", next->voters.size()},
                                             {"learners", next->learners.size()}});
    }
    return;
  }
  const bool settled = status.configuration.outgoing.empty() &&
                       status.configuration.epoch == spec_.placement_epoch &&
                       status.configuration_index <= status.commit;
  if (settled && (!settled_reported_ || now - *settled_reported_ >= kReportInterval)) {
    settled_reported_ = now;
    if (context_->hooks.membership_settled) {
      context_->hooks.membership_settled(spec_.group, spec_.placement_epoch, spec_.target_voters);
    }
  }
}

}  // namespace quorate
