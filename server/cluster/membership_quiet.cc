// Membership: the nodes that lead what is quiet here (server/replication/quiet_watch.h).
#include <utility>
#include <vector>

#include "server/cluster/membership.h"

namespace quorate {
namespace {

using internal::v1::Envelope;
using Groups = google::protobuf::RepeatedPtrField<internal::v1::QuietGroup>;

void Fill(const std::vector<QuietGroup>& groups, Groups* to) {
  for (const QuietGroup& group : groups) {
    internal::v1::QuietGroup* const added = to->Add();
    added->set_group_id(group.group.value());
    added->set_term(group.term);
  }
}

std::vector<QuietGroup> Read(const Groups& from) {
  std::vector<QuietGroup> groups;
  for (const internal::v1::QuietGroup& group : from) {
    groups.push_back({GroupId(group.group_id()), group.term()});
  }
  return groups;
}

}  // namespace

// More often than they send heartbeats: how exact the bound on their silence is. A look that comes
// late is left out: this node stood still, and what others said meanwhile waits to be read.
void Membership::WatchQuietLeaders(MonotonicTime due) {
  if (stopped_) {
    return;
  }
  const MonotonicTime now = Now();
  if (now - due < options_.timing.heartbeat_interval) {
    quiet_watch_.Tick(now);
  }
  const MonotonicTime next = now + options_.timing.heartbeat_interval / 5;
  control_->PostAt(next, [this, next] { WatchQuietLeaders(next); });
}

void Membership::WatchQuiet(const Envelope& envelope) {
  // One that was sent by address says nothing of quiet groups.
  if (!envelope.heartbeat().has_quiet()) {
    return;
  }
  const auto& led = envelope.heartbeat().quiet();
  const QuietDigest digest{.groups = led.groups(), .sum = led.sum()};
  if (!quiet_watch_.OnHeartbeat(envelope.from_node(), envelope.boot(), digest, Now())) {
    return;
  }
  Envelope question;
  Fill(parts_.host->ListFollowedQuietly(envelope.from_node()),
       question.mutable_quiet_question()->mutable_groups());
  parts_.messenger->Send(envelope.from_node(), std::move(question));
}

void Membership::OnQuietQuestion(const Envelope& envelope) {
  const std::vector<QuietGroup> denied =
      parts_.host->NotLedFor(envelope.from_node(), Read(envelope.quiet_question().groups()));
  if (denied.empty()) {
    return;
  }
  Envelope answer;
  Fill(denied, answer.mutable_quiet_answer()->mutable_groups());
  parts_.messenger->Send(envelope.from_node(), std::move(answer));
}

// Whoever leads such a group now, by whatever mistake, shows itself to the woken follower.
void Membership::OnQuietAnswer(const Envelope& envelope) {
  parts_.host->SuspectLeadersOf(Read(envelope.quiet_answer().groups()));
}

}  // namespace quorate
