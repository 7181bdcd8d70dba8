// Membership: after a start the others are asked what they remember of this node's earlier lives
// (server/replication/raft_groups/start_check.h).
#include <utility>

#include "server/cluster/membership.h"

namespace quorate {
namespace {

using internal::v1::Envelope;

constexpr uint64_t kFirstBoot = 1;

}  // namespace

void Membership::AskAboutStart() {
  if (view_ == nullptr || identity_.boot == kFirstBoot) {
    return;
  }
  for (const internal::v1::NodeRecord& record : view_->state().nodes()) {
    AskAboutStart(record.node().node_id());
  }
}

void Membership::AskAboutStart(uint64_t node_id) {
  if (node_id != identity_.node_id && !start_answers_.contains(node_id)) {
    Envelope envelope;
    envelope.mutable_start_question();
    parts_.messenger->Send(node_id, std::move(envelope));
  }
}

void Membership::OnStartQuestion(const Envelope& envelope) {
  if (view_ == nullptr) {
    return;  // asked again
  }
  Envelope answer;
  answer.mutable_start_answer()->set_boot(envelope.boot());
  answer.mutable_start_answer()->set_batch(
      parts_.addresses->EarlierBatch(envelope.from_node(), envelope.boot(), envelope.nonce()));
  answer.mutable_start_answer()->set_next_incarnation(view_->state().next_incarnation());
  parts_.messenger->Reply(envelope, std::move(answer));
  // It may not have been there when this node asked.
  if (identity_.boot != kFirstBoot) {
    AskAboutStart(envelope.from_node());
  }
}

void Membership::OnStartAnswer(const Envelope& envelope) {
  const internal::v1::StartAnswer& answer = envelope.start_answer();
  if (answer.boot() == identity_.boot && start_answers_.insert(envelope.from_node()).second) {
    parts_.host->OnRemembered({.node = envelope.from_node(),
                               .batch = answer.batch(),
                               .first_unused = ReplicaId(answer.next_incarnation())});
  }
}

}  // namespace quorate
