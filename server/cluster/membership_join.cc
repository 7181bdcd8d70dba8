// Membership: joining a cluster, letting others join, and telling a new address.
#include <utility>

#include "fmt/format.h"
#include "proto/error_detail.h"
#include "server/cluster/cluster_state.h"
#include "server/cluster/membership.h"
#include "server/cluster/replica_specs.h"
#include "server/runtime/log.h"

namespace quorate {
namespace {

using internal::v1::Envelope;

constexpr Duration kNodeProposalTimeout = std::chrono::seconds(2);

// Whether the state machine will never take this node as it is.
bool IsFinal(const absl::Status& status) {
  return status.code() == absl::StatusCode::kInvalidArgument ||
         status.code() == absl::StatusCode::kAborted;
}

}  // namespace

Envelope Membership::JoinRequest() const {
  Envelope envelope;
  // The nonce: an answer to an earlier start of this node is recognised.
  envelope.mutable_join_request()->set_question(identity_.nonce);
  *envelope.mutable_join_request()->mutable_node() = Announcement();
  return envelope;
}

void Membership::SendJoinRequests() {
  for (const std::string& address : KnownAddresses()) {
    parts_.messenger->SendTo(address, JoinRequest());
  }
}

// Until the cluster state says of this node what it says of itself.
void Membership::Announce() {
  if (view_ == nullptr) {
    return;
  }
  const internal::v1::NodeRecord* known = view_->node(identity_.node_id);
  const internal::v1::NodeRecord own = Announcement();
  if (known != nullptr && SameAnnouncement(*known, own)) {
    return;
  }
  if (parts_.host->LeaderOf(kMetaGroup) != identity_.node_id) {
    SendJoinRequests();
    return;
  }
  if (announcing_) {
    return;
  }
  announcing_ = true;
  internal::v1::ClusterCommand command;
  *command.mutable_upsert_node()->mutable_node() = own;
  parts_.host->ProposeCluster(
      std::move(command), Now() + kNodeProposalTimeout, [this](const absl::Status& status) {
        if (IsFinal(status)) {
          LogError("membership/announcement_refused", {{"why", std::string(status.message())}});
        }
        control_->Post([this] { announcing_ = false; });
      });
}

void Membership::OnJoinRequest(const Envelope& envelope) {
  const internal::v1::NodeRecord& record = envelope.join_request().node();
  if (!envelope.cluster_id().empty() && envelope.cluster_id() != identity_.cluster_id) {
    Envelope answer;
    answer.mutable_join_response()->set_question(envelope.join_request().question());
    answer.mutable_join_response()->set_refused(fmt::format(
        "the node at {} belongs to cluster {}, the one that asks to join it to cluster {}",
        options_.announced.peer_address(), HexId(identity_.cluster_id),
        HexId(envelope.cluster_id())));
    LogWarning("membership/stranger_refused", {{"address", envelope.from_address()},
                                               {"cluster_id", HexId(envelope.cluster_id())}});
    parts_.messenger->Reply(envelope, std::move(answer));
    return;
  }
  if (record.disk_id() != envelope.disk_id() || view_ == nullptr) {
    return;
  }
  if (parts_.host->LeaderOf(kMetaGroup) == identity_.node_id) {
    const internal::v1::NodeRecord* known = FindNodeByDisk(view_->state(), record.disk_id());
    if (known != nullptr && SameAnnouncement(*known, record)) {
      AnswerJoin(envelope, known->node().node_id());
    } else {
      ProposeNode(envelope);
    }
    return;
  }
  Envelope answer;
  answer.mutable_join_response()->set_question(envelope.join_request().question());
  if (const uint64_t leader = meta_leader(); leader != 0 && leader != identity_.node_id) {
    answer.mutable_join_response()->set_leader_peer_address(parts_.addresses->Resolve(leader));
  }
  parts_.messenger->Reply(envelope, std::move(answer));
}

void Membership::ProposeNode(const Envelope& envelope) {
  const std::string& disk_id = envelope.join_request().node().disk_id();
  if (joins_pending_.size() >= kJoinsPendingMax ||
      !joins_pending_.emplace(disk_id, envelope).second) {
    return;
  }
  internal::v1::ClusterCommand command;
  *command.mutable_upsert_node()->mutable_node() = envelope.join_request().node();
  command.mutable_upsert_node()->mutable_node()->mutable_node()->clear_node_id();
  parts_.host->ProposeCluster(
      std::move(command), Now() + kNodeProposalTimeout,
      [this, disk_id](const absl::Status& status) {
        if (status.ok()) {
          return;  // answered when the state is adopted
        }
        control_->Post([this, disk_id, status] {
          const auto pending = joins_pending_.extract(disk_id);
          if (stopped_ || pending.empty() || !IsFinal(status)) {
            return;  // it asks again
          }
          Envelope answer;
          answer.mutable_join_response()->set_question(pending.mapped().join_request().question());
          answer.mutable_join_response()->set_refused(std::string(status.message()));
          parts_.messenger->Reply(pending.mapped(), std::move(answer));
        });
      });
}

void Membership::AnswerJoin(const Envelope& envelope, uint64_t node_id) {
  Envelope answer;
  answer.mutable_join_response()->set_question(envelope.join_request().question());
  answer.mutable_join_response()->set_node_id(node_id);
  parts_.messenger->Reply(envelope, std::move(answer));
}

void Membership::AnswerPendingJoins() {
  for (auto pending = joins_pending_.begin(); pending != joins_pending_.end();) {
    const internal::v1::NodeRecord* known = FindNodeByDisk(view_->state(), pending->first);
    if (known == nullptr || known->boot() < pending->second.join_request().node().boot()) {
      ++pending;
      continue;
    }
    AnswerJoin(pending->second, known->node().node_id());
    pending = joins_pending_.erase(pending);
  }
}

void Membership::OnJoinResponse(const Envelope& envelope) {
  const internal::v1::JoinResponse& response = envelope.join_response();
  if (response.question() != identity_.nonce) {
    return;
  }
  if (!response.refused().empty()) {
    if (refusals_logged_.size() < kJoinsPendingMax &&
        refusals_logged_.insert(response.refused()).second) {
      LogError("membership/join_refused", {{"why", response.refused()}});
    }
    return;
  }
  const bool unjoined = mode_ == Mode::kUnjoined && !founder_.probing();
  if (response.node_id() == 0) {
    const bool asks = unjoined || mode_ == Mode::kMember;
    if (asks && !redirected_ && !response.leader_peer_address().empty()) {
      redirected_ = true;
      parts_.messenger->SendTo(response.leader_peer_address(), JoinRequest());
    }
    return;
  }
  if (unjoined && envelope.cluster_id().size() == kIdBytes) {
    BecomeMember(envelope);
  }
}

void Membership::BecomeMember(const Envelope& envelope) {
  NodeIdentity joined = identity_;
  joined.cluster_id = envelope.cluster_id();
  joined.node_id = envelope.join_response().node_id();
  mode_ = Mode::kSaving;
  SaveIdentity(joined, [this, joined, envelope](const absl::Status& saved) {
    if (!saved.ok()) {
      mode_ = Mode::kUnjoined;
      LogError("membership/identity_not_stored", {{"error", saved.ToString()}});
      AnswerInitWaiters(saved);
      return;
    }
    identity_ = joined;
    mode_ = Mode::kMember;
    keeper_.SetSelf(identity_.node_id);
    parts_.messenger->SetSelf(SelfOf(identity_));
    LogInfo("membership/joined", {{"cluster_id", HexId(identity_.cluster_id)},
                                  {"node_id", identity_.node_id},
                                  {"by", envelope.from_address()}});
    AnswerInitWaiters(absl::OkStatus());
    Pull(envelope);
  });
}

}  // namespace quorate
