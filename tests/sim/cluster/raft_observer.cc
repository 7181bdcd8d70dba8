#include "tests/sim/cluster/raft_observer.h"

#include <fmt/format.h>

#include <algorithm>

#include "raft/raft_core.h"

namespace quorate::sim {

void RaftObserver::AfterEvent() {
  for (auto& [id, group] : groups_) {
    for (auto& [replica, watched] : group.replicas) watched.alive = false;
  }
  views_.clear();
  joint_leader_ = 0;
  for (uint32_t node = 1; node <= cluster_->size(); ++node) {
    if (!cluster_->IsRunning(node)) continue;
    ReplicaHost* const host = cluster_->node(node)->replica_host();
    if (host == nullptr) continue;
    host->Inspect([this, node](const ReplicaSpec& spec, const raft::RaftNode& replica,
                               const raft::LogStorage& log) {
      views_[spec.self] = {spec.self, &replica, &log, cluster_->machine(node).clock().Now()};
      Look(node, spec, replica);
    });
  }
  for (auto& [id, group] : groups_) {
    for (auto& [replica, watched] : group.replicas) {
      if (watched.alive || watched.node == nullptr) continue;
      const Signature& last = watched.signature;
      if (last.role == raft::Role::kLeader && last.joint && !cluster_->IsRunning(watched.machine)) {
        ++joints_interrupted_;
      }
      watched.node = nullptr;
    }
    if (group.changed) CheckGroup(id, &group);
  }
}

void RaftObserver::Look(uint32_t machine, const ReplicaSpec& spec, const raft::RaftNode& replica) {
  Group& group = groups_[spec.group];
  Watched& watched = group.replicas[spec.self];
  watched.alive = true;
  watched.machine = machine;
  if (watched.node != &replica) OnNewLife(spec, replica, &watched, &group);
  const raft::RaftCore& core = replica.core();
  const Signature now{core.role(),
                      core.term(),
                      core.voted_for(),
                      core.log().last_index(),
                      core.disk().persisted(),
                      core.log().commit(),
                      core.quiet(),
                      !core.configuration().outgoing.empty()};
  if (now.joint && now.role == raft::Role::kLeader) joint_leader_ = machine;
  // A snapshot leaves nothing behind the place where the log begins anew.
  const raft::LogIndex compacted = core.log().compacted_index();
  if (compacted > watched.compacted && now.last > compacted) ++truncations_;
  watched.compacted = compacted;
  if (now == watched.signature) return;
  if (now.role == raft::Role::kLeader && now.quiet != watched.signature.quiet) {
    ++(now.quiet ? rests_ : wakes_);
  }
  if (now.role == raft::Role::kLeader && watched.signature.role != raft::Role::kLeader) {
    ++elections_;
    for (const auto& [id, other] : group.replicas) {
      if (other.alive && other.signature.role == raft::Role::kLeader && other.signature.quiet) {
        ++quiet_leaders_deposed_;
      }
    }
  }
  watched.signature = now;
  // Messages leave only for what is durable, so this bounds every claim.
  watched.claimed = core.disk().durable();
  watched.claimed_persisted = core.disk().persisted();
  group.changed = true;
}

void RaftObserver::OnNewLife(const ReplicaSpec& spec, const raft::RaftNode& replica,
                             Watched* watched, Group* group) {
  watched->node = &replica;
  watched->signature = {};
  watched->compacted = replica.core().log().compacted_index();
  if (group->invariants == nullptr) {
    raft::Configuration configuration;
    for (const auto& [member, node] : spec.members) configuration.voters.push_back(member);
    std::sort(configuration.voters.begin(), configuration.voters.end());
    group->invariants = std::make_unique<raft::Invariants>(configuration);
  }
  group->invariants->OnStart(spec.self, replica.core().applies().applied());
  const raft::HardState& durable = replica.core().disk().durable();
  const auto complain = [&](const std::string& what) {
    violations_.push_back(fmt::format("durable_promise: group {} replica {} {}", spec.group.value(),
                                      spec.self.value(), what));
  };
  if (durable.term < watched->claimed.term) {
    complain(fmt::format("came back in term {}, had been in {}", durable.term.value(),
                         watched->claimed.term.value()));
  } else if (durable.term == watched->claimed.term) {
    if (!watched->claimed.voted_for.IsZero() && durable.voted_for != watched->claimed.voted_for) {
      complain(fmt::format("forgot its vote in term {}", durable.term.value()));
    }
    // Unless a snapshot's data came without its log, which then began anew behind it; or power was
    // lost where not all is synced.
    const raft::RaftLog& log = replica.core().log();
    if (durable.life == watched->claimed.life && log.last_index() < watched->claimed_persisted &&
        log.last_index() != log.compacted_index()) {
      complain(fmt::format("came back with a log that ends at {}, had been durable up to {}",
                           replica.core().log().last_index().value(),
                           watched->claimed_persisted.value()));
    }
  }
}

void RaftObserver::CheckGroup(GroupId id, Group* group) {
  group->changed = false;
  std::vector<raft::ReplicaView> views;
  for (const auto& [replica, watched] : group->replicas) {
    if (watched.alive) {
      views.push_back(views_.at(replica));
    } else {
      views.push_back({replica, nullptr, nullptr, std::nullopt});
    }
  }
  group->invariants->Check(views, MonotonicTime());
  const auto& found = group->invariants->violations();
  for (; group->reported < found.size(); ++group->reported) {
    violations_.push_back(fmt::format("group {}: {}", id.value(), found[group->reported]));
  }
}

uint64_t RaftObserver::committed_entries() const {
  uint64_t sum = 0;
  for (const auto& [id, group] : groups_) sum += group.invariants->LastCommitted().value();
  return sum;
}

}  // namespace quorate::sim
