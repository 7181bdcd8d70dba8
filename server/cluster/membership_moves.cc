// Membership: what a node tells of moves that are through, and, where it leads the meta group, what
// it does next about moves.
#include <utility>

#include "server/cluster/cluster_state_moves.h"
#include "server/cluster/membership.h"
#include "server/cluster/reconciler.h"
#include "server/cluster/replica_specs.h"
#include "server/runtime/log.h"

namespace quorate {
namespace {

using internal::v1::Envelope;

constexpr Duration kMoveProposalTimeout = std::chrono::seconds(2);

}  // namespace

void Membership::OnSettled(GroupId group, uint64_t placement_epoch,
                           const std::vector<ReplicaId>& voters) {
  internal::v1::MembershipSettled settled;
  settled.set_group_id(group.value());
  settled.set_placement_epoch(placement_epoch);
  for (const ReplicaId voter : voters) {
    settled.add_voters(voter.value());
  }
  control_->Post([this, settled = std::move(settled)] {
    if (stopped_ || view_ == nullptr) {
      return;
    }
    if (parts_.host->LeaderOf(kMetaGroup) == identity_.node_id) {
      FinishMove(settled);
    } else if (const uint64_t leader = meta_leader(); leader != 0) {
      Envelope envelope;
      *envelope.mutable_membership_settled() = settled;
      parts_.messenger->Send(leader, std::move(envelope));
    }
  });
}

void Membership::FinishMove(const internal::v1::MembershipSettled& settled) {
  if (view_ == nullptr || parts_.host->LeaderOf(kMetaGroup) != identity_.node_id) {
    return;  // told again, and then to the right one
  }
  const auto placement = PlacementOf(view_->state(), settled.group_id());
  if (!placement || placement->coming_size() == 0 || finishing_.size() >= kFinishingMax ||
      !finishing_.insert(settled.group_id()).second) {
    return;
  }
  internal::v1::ClusterCommand command;
  command.mutable_finish_move()->set_group_id(settled.group_id());
  command.mutable_finish_move()->set_placement_epoch(settled.placement_epoch());
  *command.mutable_finish_move()->mutable_voters() = settled.voters();
  parts_.host->ProposeCluster(std::move(command), Now() + kMoveProposalTimeout,
                              [this, group = settled.group_id()](const absl::Status& status) {
                                LogInfo("membership/move_finished",
                                        {{"group", group}, {"status", status.ToString()}});
                                control_->Post([this, group] { finishing_.erase(group); });
                              });
}

void Membership::ReportDamage() {
  const uint64_t leader = meta_leader();
  if (leader == 0 || leader == identity_.node_id) {
    return;
  }
  Envelope envelope;
  envelope.mutable_damage_report()->set_complete(parts_.host->AllStarted());  // before the list
  for (const auto& [replica, silent] : parts_.host->Damaged()) {
    envelope.mutable_damage_report()->add_incarnations(replica.value());
    if (silent) envelope.mutable_damage_report()->add_silent(replica.value());
  }
  parts_.messenger->Send(leader, std::move(envelope));
}

void Membership::OnDamageReport(const Envelope& envelope) {
  const auto& report = envelope.damage_report();
  if (envelope.from_node() != 0) {
    damage_[envelope.from_node()] = {
        .incarnations = {report.incarnations().begin(), report.incarnations().end()},
        .silent = {report.silent().begin(), report.silent().end()},
        .complete = report.complete(),
        .boot = envelope.boot(),
        .heard = Now()};
  }
}

NodeSights Membership::Sights() const {
  const MonotonicTime now = Now();
  NodeSights sights;
  for (const internal::v1::NodeRecord& record : view_->state().nodes()) {
    const uint64_t node_id = record.node().node_id();
    const auto heard = parts_.liveness->Of(node_id);
    const MonotonicTime last = heard ? heard->last_heard : started_;
    const bool self = node_id == identity_.node_id;
    sights[node_id] = {.alive = self || parts_.liveness->IsAlive(node_id, now),
                       .gone = !self && now - last > options_.timing.gone_after};
    if (const auto damage = damage_.find(node_id);
        damage != damage_.end() && now - damage->second.heard <= options_.timing.dead_after) {
      sights[node_id].damaged = damage->second.incarnations;
      sights[node_id].silent = damage->second.silent;
      sights[node_id].reported =
          damage->second.complete &&
          now - damage->second.heard <= 2 * options_.timing.heartbeat_interval;
    }
  }
  sights[identity_.node_id].reported = parts_.host->AllStarted();
  for (const auto& [replica, silent] : parts_.host->Damaged()) {
    sights[identity_.node_id].damaged.insert(replica.value());
    if (silent) sights[identity_.node_id].silent.insert(replica.value());
  }
  return sights;
}

void Membership::Reconcile() {
  if (view_ == nullptr || steps_pending_ > 0 ||
      parts_.host->LeaderOf(kMetaGroup) != identity_.node_id) {
    return;
  }
  for (internal::v1::ClusterCommand& step : NextSteps(view_->state(), Sights())) {
    ++steps_pending_;
    const std::string what = step.ShortDebugString();
    parts_.host->ProposeCluster(
        std::move(step), Now() + kMoveProposalTimeout, [this, what](const absl::Status& status) {
          LogInfo("reconciler/step", {{"what", what}, {"status", status.ToString()}});
          control_->Post([this] { --steps_pending_; });
        });
  }
}

}  // namespace quorate
