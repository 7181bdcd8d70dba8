// Who leads a group: giving leadership up, handing it on, and giving it back to where it is wanted.
#include <algorithm>
#include <optional>
#include <utility>

#include "fmt/format.h"
#include "server/replication/raft_groups/group.h"
#include "server/runtime/log.h"

namespace quorate {
namespace {

// How much longer than at first a member waits for leadership that never stays with it.
constexpr int kReturnDelayTimes = 60;

}  // namespace

void Group::LeaveOffice(std::string_view why, MonotonicTime now) {
  if (IsLeader()) {
    node_.StepDown(now);
    TellLeftOffice(why);
  }
}

void Group::TellLeftOffice(std::string_view why) {
  context_->metrics.step_downs.Add();
  LogWarning("replica/steps_down", {{"group", spec_.group.value()}, {"why", std::string(why)}});
}

void Group::HandOver(std::shared_ptr<void> under_way, MonotonicTime now) {
  if (!InService() || !IsLeader()) {
    return;
  }
  const ReplicaId target = node_.TransferCandidate();
  if (!target.IsZero() && node_.TransferLeadership(target, now).ok()) {
    handing_over_ = std::move(under_way);
  }
}

void Group::Transfer(std::shared_ptr<TransferRequest> request, MonotonicTime now) {
  if (const auto refusal = WhyNotServed()) {
    request->Refuse(*refusal);
    return;
  }
  if (request->to_node() == self_node_) {
    request->Answer();
    return;
  }
  const auto member =
      std::find_if(spec_.members.begin(), spec_.members.end(),
                   [&](const auto& each) { return each.second == request->to_node(); });
  absl::Status asked = absl::InvalidArgumentError("it holds no replica of this partition");
  if (member != spec_.members.end()) {
    asked = transferring_ == nullptr && handing_over_ == nullptr
                ? node_.TransferLeadership(member->first, now)
                : absl::UnavailableError("another transfer is under way");
  }
  if (!asked.ok()) {
    request->Refuse({.reason = kv::v1::REASON_INVALID_FIELD,
                     .message = fmt::format("to_node: node {} cannot take over now: {}",
                                            request->to_node(), std::string(asked.message()))});
    return;
  }
  Accept(request);
  transferring_ = std::move(request);
}

void Group::CheckHandOver() {
  if (handing_over_ == nullptr && transferring_ == nullptr) {
    return;
  }
  if (IsLeader() && !node_.Status().transfer_target.IsZero()) {
    return;
  }
  handing_over_.reset();
  if (const auto request = std::exchange(transferring_, nullptr)) {
    if (IsLeader()) {
      End(*request, {.reason = kv::v1::REASON_DEADLINE,
                     .message = fmt::format("node {} did not take over within an election time-out",
                                            request->to_node())});
    } else {
      deadlines_->Remove(*request);
      request->Answer();
    }
  }
}

// A leader that met a value of its own that it cannot read: another has it, and can send it to a
// replica that is built anew. Each time once, so that replicas that are damaged in different places
// do not hand leadership around for nothing.
void Group::YieldWhereDamaged(MonotonicTime now) {
  const uint64_t on_node = context_->damaged.Times();
  if (std::exchange(damage_seen_on_node_, on_node) == on_node) {
    return;
  }
  const uint64_t here = context_->damaged.TimesIn(spec_.group);
  if (std::exchange(damage_seen_, here) >= here || !InService() || !IsLeader()) {
    return;
  }
  const ReplicaId target = node_.TransferCandidate();
  if (!target.IsZero() && node_.TransferLeadership(target, now).ok()) {
    TellLeftOffice("its data is damaged");
  }
}

// The first member leads where the planner wants it, which is what spreads leaders over nodes.
void Group::ReturnLeadership(MonotonicTime now) {
  const ReplicaId wanted = spec_.members.empty() ? ReplicaId() : spec_.members.front().first;
  if (!IsLeader() || wanted == spec_.self || handing_over_ != nullptr || spec_.moving) {
    returnable_since_.reset();
    return;
  }
  const Duration least = context_->options.leadership_return_delay;
  const raft::RaftStatus status = node_.Status();
  const auto fit = [&](const raft::FollowerProgress& follower) {
    return follower.replica == wanted && follower.recently_active && !follower.log_unavailable &&
           follower.match >= status.commit;
  };
  if (std::none_of(status.followers.begin(), status.followers.end(), fit)) {
    returnable_since_.reset();
  } else if (!returnable_since_) {
    returnable_since_ = now;
  } else if (now - *returnable_since_ >= std::max(return_delay_, least)) {
    returnable_since_.reset();
    const bool came_back = returned_ && now - *returned_ < 2 * return_delay_;
    return_delay_ = came_back ? std::min(2 * return_delay_, kReturnDelayTimes * least) : least;
    returned_ = now;
    if (const absl::Status asked = node_.TransferLeadership(wanted, now); asked.ok()) {
      LogDebug("replica/returns_leadership",
               {{"group", spec_.group.value()}, {"to", NodeOf(wanted)}});
    }
  }
}

}  // namespace quorate
