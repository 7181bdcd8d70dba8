#include "server/cluster/founder.h"

#include <algorithm>
#include <utility>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "proto/error_detail.h"
#include "server/cluster/cluster_state.h"
#include "server/runtime/log.h"

namespace quorate {
namespace {

using internal::v1::Envelope;

absl::Status Refused(kv::v1::Reason reason, const std::string& message) {
  return MakeError(reason, kv::v1::OUTCOME_NOT_DONE, message);
}

}  // namespace

Founder::Founder(const Runtime& runtime, PeerMessenger* messenger, std::string own_address,
                 const std::vector<std::string>& join, const MembershipTiming& timing,
                 uint64_t first_question)
    : clock_(runtime.clock),
      control_(runtime.workers[0]),
      messenger_(messenger),
      own_address_(std::move(own_address)),
      timing_(timing),
      next_question_(first_question) {
  for (const std::string& address : join) {
    if (address != own_address_) {
      join_.push_back(address);
    }
  }
}

void Founder::Ask(bool force, MonotonicTime until, Done done) {
  done_ = std::move(done);
  until_ = until;
  open_.clear();
  if (!force) {
    for (const std::string& address : join_) {
      open_.emplace(++next_question_, address);
    }
  }
  if (open_.empty()) {
    Finish(absl::OkStatus());
    return;
  }
  Probe(++round_);
}

void Founder::Probe(uint64_t round) {
  if (!probing() || round != round_) {
    return;
  }
  const MonotonicTime now = clock_->Now();
  if (now >= until_) {
    Finish(Unanswered());
    return;
  }
  for (const auto& [question, address] : open_) {
    Envelope envelope;
    envelope.mutable_probe_request()->set_question(question);
    messenger_->SendTo(address, std::move(envelope));
  }
  control_->PostAt(std::min(until_, now + timing_.probe_interval), [this, round] { Probe(round); });
}

absl::Status Founder::Unanswered() const {
  std::vector<std::string> addresses;
  for (const auto& [question, address] : open_) {
    addresses.push_back(address);
  }
  return Refused(kv::v1::REASON_DEADLINE,
                 fmt::format("no cluster was made: {} named by --join did not answer, and may "
                             "belong to a cluster; start what is missing, or use --force if it is "
                             "gone for good",
                             fmt::join(addresses, ", ")));
}

void Founder::OnProbeRequest(const Envelope& envelope) {
  // From itself, by another name of its own address: not a rival.
  const bool rival = envelope.disk_id() != messenger_->self().disk_id;
  if (probing() && rival && envelope.from_address() < own_address_) {
    Finish(Refused(kv::v1::REASON_NOT_INITIALISED,
                   fmt::format("the node at {} is being initialised at this moment; this node "
                               "will join it by itself",
                               envelope.from_address())));
  }
  Envelope answer;
  answer.mutable_probe_response()->set_question(envelope.probe_request().question());
  answer.mutable_probe_response()->set_initialising(probing());
  messenger_->Reply(envelope, std::move(answer));
}

void Founder::OnProbeResponse(const Envelope& envelope) {
  const auto asked = open_.find(envelope.probe_response().question());
  if (!probing() || asked == open_.end()) {
    return;
  }
  const bool itself = envelope.disk_id() == messenger_->self().disk_id;
  if (!itself && !envelope.cluster_id().empty()) {
    Finish(Refused(kv::v1::REASON_WRONG_CLUSTER,
                   fmt::format("the node at {} belongs to cluster {} already; this node will join "
                               "it by itself",
                               asked->second, HexId(envelope.cluster_id()))));
    return;
  }
  if (!itself && envelope.probe_response().initialising() &&
      envelope.from_address() < own_address_) {
    Finish(Refused(kv::v1::REASON_NOT_INITIALISED,
                   fmt::format("the node at {} is being initialised at this moment; this node "
                               "will join it by itself",
                               asked->second)));
    return;
  }
  open_.erase(asked);
  if (open_.empty()) {
    Finish(absl::OkStatus());
  }
}

void Founder::Finish(const absl::Status& status) {
  if (!probing()) {
    return;
  }
  open_.clear();
  Done done = std::move(done_);
  done_ = nullptr;
  done(status);
}

}  // namespace quorate
