#include "client/src/operation.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "client/src/convert.h"
#include "fmt/format.h"
#include "proto/error_detail.h"

namespace quorate::client {
namespace {

// Asked of different nodes before "no such keyspace" is believed.
constexpr int kKeyspaceLookupsMax = 3;
constexpr int kRenewalsMax = 3;
// A server that gets at least this long can answer in time that it ran out.
constexpr Duration kAnswerMargin = std::chrono::milliseconds(20);

// Which of two failures says more about why a call did not come through.
int Weight(Reason reason) {
  switch (reason) {
    case Reason::kUnreachable:
      return 0;
    case Reason::kDeadline:
      return 1;
    case Reason::kOverloaded:
      return 2;
    default:
      return 3;
  }
}

// Of an error that no server of ours gave.
Reason ReasonOfCode(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
      return Reason::kNotAuthorised;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return Reason::kInvalidArgument;
    case absl::StatusCode::kUnimplemented:
      return Reason::kNotAvailableYet;
    case absl::StatusCode::kResourceExhausted:
      return Reason::kOverloaded;
    default:
      return Reason::kUnreachable;
  }
}

}  // namespace

Reason PublicReason(const absl::Status& status) {
  switch (ReasonOf(status)) {
    case kv::v1::REASON_INVALID_FIELD:
    case kv::v1::REASON_ANSWER_TOO_LARGE:
      return Reason::kInvalidArgument;
    case kv::v1::REASON_KEY_NOT_FOUND:
      return Reason::kKeyNotFound;
    case kv::v1::REASON_KEYSPACE_NOT_FOUND:
      return Reason::kKeyspaceNotFound;
    case kv::v1::REASON_KEYSPACE_EXISTS:
      return Reason::kKeyspaceExists;
    case kv::v1::REASON_CONDITION_FALSE:
    case kv::v1::REASON_BATCH_NOT_APPLIED:
      return Reason::kConditionFalse;
    case kv::v1::REASON_NOT_A_NUMBER:
      return Reason::kNotANumber;
    case kv::v1::REASON_NUMBER_OVERFLOW:
      return Reason::kNumberOverflow;
    case kv::v1::REASON_NOT_INITIALISED:
      return Reason::kNotInitialised;
    case kv::v1::REASON_NOT_AVAILABLE_YET:
      return Reason::kNotAvailableYet;
    case kv::v1::REASON_WRONG_CLUSTER:
    case kv::v1::REASON_TOKEN_OF_OLDER_ERA:
      return Reason::kRefused;
    case kv::v1::REASON_NOT_LEADER:
    case kv::v1::REASON_NO_LEADER:
    case kv::v1::REASON_WRONG_NODE:
    case kv::v1::REASON_STALE_EPOCH:
    case kv::v1::REASON_LEADER_LOST:
    case kv::v1::REASON_SHUTTING_DOWN:
    case kv::v1::REASON_STORE_POISONED:
      return Reason::kCannotServe;
    case kv::v1::REASON_DEADLINE:
      return Reason::kDeadline;
    case kv::v1::REASON_QUEUE_FULL:
    case kv::v1::REASON_LOG_FULL:
    case kv::v1::REASON_MEMORY_PRESSURE:
      return Reason::kOverloaded;
    case kv::v1::REASON_REQUEST_ID_EXPIRED:
      return Reason::kRequestIdExpired;
    case kv::v1::REASON_CORRUPT:
      return Reason::kCorrupt;
    case kv::v1::REASON_UNSPECIFIED:
      return ReasonOfCode(status.code());
    default:
      return Reason::kInternal;
  }
}

Operation::Operation(std::shared_ptr<CoreParts> parts, OperationSpec spec)
    : parts_(std::move(parts)),
      spec_(std::move(spec)),
      turn_(spec_.scope == Scope::kPartition ? 0 : parts_->Turn()),
      maybe_applied_(spec_.repeats) {}

Operation::~Operation() {
  if (entered_) {
    parts_->Leave(spec_.bytes);
  }
}

void Operation::Start() {
  entered_ = parts_->Enter(spec_.bytes);
  if (entered_) {
    Step();
    return;
  }
  EndRefused(MakeError(kv::v1::REASON_QUEUE_FULL, kv::v1::OUTCOME_NOT_DONE,
                       fmt::format("this client has {} operations in flight, at most {} ({} bytes) "
                                   "are begun; wait for some of them",
                                   parts_->inflight.load(), parts_->inflight_max,
                                   parts_->inflight_bytes_max)),
             false);
}

Router::Lookup Operation::FindRoute() {
  route_ = {};
  switch (spec_.scope) {
    case Scope::kPartition:
      return parts_->router->FindKey(spec_.keyspace, spec_.routing, &route_);
    case Scope::kKeyspace:
      return parts_->router->FindKeyspace(spec_.keyspace, turn_, &route_);
    case Scope::kMeta:
      return parts_->router->FindMeta(&route_);
    case Scope::kAnyNode:
      route_.leader_only = false;
      break;
  }
  return Router::Lookup::kFound;
}

void Operation::Step() {
  if (parts_->closed.load(std::memory_order_acquire)) {
    EndCancelled();
    return;
  }
  const MonotonicTime now = parts_->clock->Now();
  if (now >= spec_.deadline) {
    EndAtDeadline();
    return;
  }
  switch (FindRoute()) {
    case Router::Lookup::kFound:
      break;
    case Router::Lookup::kNoState:
      AwaitRefresh();
      return;
    case Router::Lookup::kNoKeyspace:
      OnKeyspaceUnknown();
      return;
  }
  const auto target = spec_.scope == Scope::kAnyNode ? parts_->router->PickAny(tried_, now, turn_)
                                                     : parts_->router->Pick(route_, tried_, now);
  if (!target) {
    NextRound();
    return;
  }
  SendTo(*target, now);
}

void Operation::SendTo(const Target& target, MonotonicTime now) {
  const Duration timeout = AttemptTimeout(timeouts_, spec_.deadline - now);
  if (spec_.named && !spec_.request_id) {
    spec_.request_id = parts_->ids->Next(now, spec_.names);
  }
  Stamp stamp;
  stamp.placement_epoch = route_.placement_epoch;
  stamp.policy_epoch = route_.policy_epoch;
  const Duration server_time = timeout > 2 * kAnswerMargin ? timeout - kAnswerMargin : timeout;
  const auto milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(server_time).count();
  stamp.timeout_ms = static_cast<uint32_t>(std::max<int64_t>(milliseconds, 1));
  stamp.request_id = spec_.request_id;
  ++attempts_;
  Send(target, stamp, now + timeout);
}

void Operation::OnAttemptEnd(const Target& target, const absl::Status& status) {
  if (status.ok()) {
    parts_->router->NoteServed(route_, target);
    EndDone();
    return;
  }
  OnFailure(target, status);
}

void Operation::OnPartlyServed(const Target& target) {
  parts_->router->NoteServed(route_, target);
  tried_.clear();
  Step();
}

void Operation::OnFailure(const Target& target, const absl::Status& status) {
  const AttemptEnd end = EndOf(status, spec_.write, spec_.repeatable, maybe_applied_);
  const Decision decision = Decide(end);
  maybe_applied_ = maybe_applied_ || end.maybe_applied;
  LearnFrom(target, status, decision);
  tried_.push_back(target.address);
  if (end.reason != kv::v1::REASON_NOT_INITIALISED) {
    uninitialised_only_ = false;
  }
  if (end.reason == kv::v1::REASON_UNSPECIFIED && end.code == absl::StatusCode::kDeadlineExceeded) {
    ++timeouts_;
  }
  switch (decision.action) {
    case Action::kGiveUp:
      EndRefused(status, decision.settles_earlier_attempts);
      return;
    case Action::kLater: {
      tried_.clear();
      const Duration advice = std::chrono::milliseconds(end.retry_delay_ms);
      Pause(parts_->AdvisedPause(advice, ++round_));
      return;
    }
    case Action::kRenewRequestId:
      if (++renewals_ > kRenewalsMax) {
        EndRefused(status, false);
        return;
      }
      spec_.request_id.reset();
      tried_.clear();
      AwaitRefresh();
      return;
    case Action::kElsewhere:
      decision.refresh ? AwaitRefresh() : Step();
      return;
  }
}

void Operation::LearnFrom(const Target& target, const absl::Status& status,
                          const Decision& decision) {
  const Reason reason = PublicReason(status);
  if (Weight(reason) >= Weight(told_reason_)) {
    told_reason_ = reason;
    told_status_ = absl::Status(
        status.code(), fmt::format("node {}: {}", target.address, std::string(status.message())));
  }
  Router& router = *parts_->router;
  if (decision.settles_earlier_attempts) {
    router.NoteServed(route_, target);
  } else if (decision.suspect_node) {
    router.NoteNoAnswer(target.address, parts_->clock->Now());
  } else {
    router.NoteAnswer(target.address);
  }
  if (route_.leader_only && (decision.forget_leader || decision.action == Action::kElsewhere)) {
    router.ForgetLeader(route_.group, target.node_id);
  }
  const auto detail = DetailOf(status);
  if (!detail) {
    return;
  }
  if (detail->has_leader() && route_.leader_only) {
    router.NoteLeader(route_.group, detail->leader());
  }
  if (detail->has_placement()) {
    router.NotePlacement(spec_.keyspace, detail->placement());
  }
}

void Operation::Park(Parking::Continuation continuation, MonotonicTime wake_at, uint64_t* ticket) {
  *ticket = parts_->parking.Park(std::move(continuation));
  if (*ticket == 0) {
    EndCancelled();
    return;
  }
  parts_->executor->PostAt(wake_at, [parts = parts_, number = *ticket] {
    parts->parking.Wake(number, absl::DeadlineExceededError("no answer about the cluster state"));
  });
}

void Operation::AwaitRefresh() {
  uint64_t ticket = 0;
  Park(
      [self = shared_from_this()](const absl::Status& status) {
        if (status.ok()) {
          self->Step();
          return;
        }
        if (self->attempts_ == 0) {
          self->told_status_ = status;
        }
        if (ReasonOf(status) == kv::v1::REASON_NOT_INITIALISED) {
          self->EndRefused(status, false);
        } else {
          self->NextRound();
        }
      },
      spec_.deadline, &ticket);
  if (ticket == 0) {
    return;
  }
  parts_->refresher->Refresh([parts = parts_, ticket](absl::Status status) {
    parts->parking.Wake(ticket, std::move(status));
  });
}

void Operation::OnKeyspaceUnknown() {
  if (++keyspace_lookups_ <= kKeyspaceLookupsMax) {
    AwaitRefresh();
    return;
  }
  EndRefused(MakeError(kv::v1::REASON_KEYSPACE_NOT_FOUND, kv::v1::OUTCOME_NOT_DONE,
                       fmt::format("no keyspace is named {}", spec_.keyspace)),
             false);
}

void Operation::NextRound() {
  if (uninitialised_only_ && !tried_.empty()) {
    EndRefused(MakeError(kv::v1::REASON_NOT_INITIALISED, kv::v1::OUTCOME_NOT_DONE,
                         std::string(told_status_.message())),
               false);
    return;
  }
  tried_.clear();
  uninitialised_only_ = true;
  if (spec_.scope != Scope::kAnyNode) {
    parts_->refresher->Refresh([](const absl::Status&) {});
  }
  Pause(parts_->JitteredBackoff(++round_));
}

void Operation::Pause(Duration delay) {
  uint64_t ticket = 0;
  const MonotonicTime wake_at = std::min(parts_->clock->Now() + delay, spec_.deadline);
  Park([self = shared_from_this()](const absl::Status&) { self->Step(); }, wake_at, &ticket);
}

void Operation::EndDone() { End(absl::OkStatus(), Reason::kNone, Outcome::kDone); }

void Operation::EndRefused(const absl::Status& status, bool settles_earlier_attempts) {
  const bool unknown = maybe_applied_ && !settles_earlier_attempts;
  End(status, PublicReason(status), unknown ? Outcome::kUnknown : Outcome::kNotDone);
}

void Operation::EndAtDeadline() {
  const char* what = maybe_applied_ ? "it may or may not have been applied" : "nothing was applied";
  std::string message = told_reason_ == Reason::kUnreachable
                            ? std::string("no node answered before the deadline")
                            : fmt::format("the deadline passed after {} attempt{}", attempts_,
                                          attempts_ == 1 ? "" : "s");
  message += fmt::format("; {}", spec_.write ? what : "nothing was read");
  if (!told_status_.ok()) {
    message += fmt::format("; {}", std::string(told_status_.message()));
  }
  End(absl::DeadlineExceededError(message), told_reason_,
      maybe_applied_ ? Outcome::kUnknown : Outcome::kNotDone);
}

void Operation::EndCancelled() {
  End(absl::CancelledError("the client was closed"), Reason::kCancelled,
      maybe_applied_ ? Outcome::kUnknown : Outcome::kNotDone);
}

void Operation::End(absl::Status status, Reason reason, Outcome outcome) {
  Ended ended;
  if (const auto detail = DetailOf(status)) {
    ended.current_version = VersionOf(detail->current_version());
  }
  ended.status = std::move(status);
  ended.reason = reason;
  ended.outcome = outcome;
  ended.attempts = attempts_;
  ended.request_id = spec_.request_id;
  Finish(std::move(ended));
}

}  // namespace quorate::client
