// Membership: heartbeats, and newer cluster states.
#include <algorithm>
#include <utility>

#include "server/cluster/cluster_state.h"
#include "server/cluster/membership.h"
#include "server/cluster/replica_specs.h"
#include "server/runtime/log.h"

namespace quorate {
namespace {

using internal::v1::Envelope;

}  // namespace

std::set<std::string> Membership::KnownAddresses() const {
  std::set<std::string> addresses(options_.join.begin(), options_.join.end());
  if (view_ != nullptr) {
    for (const internal::v1::NodeRecord& record : view_->state().nodes()) {
      if (record.node().node_id() != identity_.node_id) {
        addresses.insert(parts_.addresses->Resolve(record.node().node_id()));
      }
    }
  }
  addresses.erase(options_.announced.peer_address());
  addresses.erase("");
  return addresses;
}

void Membership::SendHeartbeats() {
  Envelope envelope;
  internal::v1::NodeHeartbeat* heartbeat = envelope.mutable_heartbeat();
  heartbeat->set_epoch(view_ == nullptr ? 0 : view_->epoch());
  heartbeat->set_ready(options_.ready());
  heartbeat->set_meta_leader(meta_leader());
  // By node id where it is known, so that one which lives at another's old address drops it; the
  // rest of --join by address, which finds nodes whose address is new.
  std::set<std::string> others = KnownAddresses();
  if (view_ != nullptr) {
    for (const internal::v1::NodeRecord& record : view_->state().nodes()) {
      const uint64_t node_id = record.node().node_id();
      if (node_id != identity_.node_id) {
        others.erase(parts_.addresses->Resolve(node_id));
        const QuietDigest led = parts_.host->LedQuietly(node_id);
        heartbeat->mutable_quiet()->set_groups(led.groups);
        heartbeat->mutable_quiet()->set_sum(led.sum);
        parts_.messenger->Send(node_id, envelope);
      }
    }
  }
  heartbeat->clear_quiet();
  for (const std::string& address : others) {
    parts_.messenger->SendTo(address, envelope);
  }
}

// Only voters and the leader itself know; others tell what they heard, and two of them would tell
// each other of a leader of the past for ever.
bool Membership::KnowsMetaLeader(const Envelope& heartbeat) const {
  if (view_ == nullptr || heartbeat.heartbeat().meta_leader() == heartbeat.from_node()) {
    return true;
  }
  const internal::v1::ClusterState& state = view_->state();
  const auto is_sender = [&heartbeat](const kv::v1::ReplicaRef& voter) {
    return voter.node_id() == heartbeat.from_node();
  };
  return std::any_of(state.meta_replicas().begin(), state.meta_replicas().end(), is_sender) ||
         std::any_of(state.meta_coming().begin(), state.meta_coming().end(), is_sender);
}

void Membership::OnHeartbeat(const Envelope& envelope) {
  const internal::v1::NodeHeartbeat& heartbeat = envelope.heartbeat();
  parts_.liveness->Heard(
      envelope.from_node(),
      {.last_heard = Now(), .epoch = heartbeat.epoch(), .ready = heartbeat.ready()});
  // What an earlier life said of its replicas says nothing of what this one found.
  if (const auto damage = damage_.find(envelope.from_node());
      damage != damage_.end() && damage->second.boot != envelope.boot()) {
    damage_.erase(damage);
  }
  if (heartbeat.meta_leader() != 0 && KnowsMetaLeader(envelope)) {
    heard_meta_leader_.store(heartbeat.meta_leader(), std::memory_order_relaxed);
  }
  WatchQuiet(envelope);
  if (heartbeat.epoch() > (view_ == nullptr ? 0 : view_->epoch())) {
    Pull(envelope);
  }
}

void Membership::Pull(const Envelope& from) {
  Envelope envelope;
  envelope.mutable_pull_request()->set_known_epoch(view_ == nullptr ? 0 : view_->epoch());
  parts_.messenger->Reply(from, std::move(envelope));
}

void Membership::PullFromAnyone() {
  for (const std::string& address : KnownAddresses()) {
    Envelope envelope;
    envelope.mutable_pull_request()->set_known_epoch(0);
    parts_.messenger->SendTo(address, std::move(envelope));
  }
}

void Membership::OnPullRequest(const Envelope& envelope) {
  if (view_ == nullptr || view_->epoch() <= envelope.pull_request().known_epoch()) {
    return;
  }
  Envelope answer;
  *answer.mutable_pull_response()->mutable_state() = view_->state();
  parts_.messenger->Reply(envelope, std::move(answer));
}

void Membership::OnPullResponse(const Envelope& envelope) {
  const internal::v1::ClusterState& state = envelope.pull_response().state();
  if (state.cluster_id() != identity_.cluster_id || state.epoch() == 0) {
    return;
  }
  if (state.format() > kClusterStateFormat) {
    LogError("membership/newer_format",
             {{"format", state.format()}, {"from", envelope.from_address()}});
    return;
  }
  keeper_.Offer(state);
}

void Membership::OnApplied(const internal::v1::ClusterState& state) {
  control_->Post([this, state] {
    if (!stopped_) {
      keeper_.Offer(state);
    }
  });
}

void Membership::Adopt(std::shared_ptr<const ClusterView> view) {
  if (stopped_) {
    return;
  }
  view_ = std::move(view);
  LogInfo("membership/state", {{"epoch", view_->epoch()},
                               {"nodes", view_->state().nodes_size()},
                               {"keyspaces", view_->state().keyspaces_size()}});
  parts_.addresses->SetState(view_->state());
  AskAboutStart();
  parts_.host->SetReplicas(SpecsOf(view_->state(), identity_.node_id));
  parts_.view->Set(view_);
  AnswerPendingJoins();
  AnswerInitWaiters(absl::OkStatus());
  // Tell everybody at once: a new keyspace is wanted now, not at the next beat.
  if (parts_.host->LeaderOf(kMetaGroup) == identity_.node_id) {
    SendHeartbeats();
  }
}

}  // namespace quorate
