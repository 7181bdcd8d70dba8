// Life and founding; membership_join.cc and membership_news.cc have the rest.
#include "server/cluster/membership.h"

#include <algorithm>
#include <utility>

#include "fmt/format.h"
#include "proto/error_detail.h"
#include "server/cluster/cluster_state.h"
#include "server/cluster/identity.h"
#include "server/cluster/replica_specs.h"
#include "server/runtime/log.h"
#include "server/runtime/random.h"

namespace quorate {
namespace {

using internal::v1::Envelope;

constexpr Duration kFoundingProposalTimeout = std::chrono::seconds(2);
// What an answer needs to reach its asker in time.
constexpr Duration kAnswerMarginMax = std::chrono::milliseconds(200);

}  // namespace

Membership::Membership(const Runtime& runtime, const Parts& parts, MembershipOptions options,
                       const NodeIdentity& identity)
    : clock_(runtime.clock),
      control_(runtime.workers[0]),
      disk_(runtime.log_writer),
      parts_(parts),
      options_(std::move(options)),
      started_(clock_->Now()),
      identity_(identity),
      founder_(runtime, parts.messenger, options_.announced.peer_address(), options_.join,
               options_.timing, identity.nonce),
      keeper_(runtime, parts.records,
              [this](std::shared_ptr<const ClusterView> view) { Adopt(std::move(view)); }),
      quiet_watch_(parts.host, options_.timing.quiet_silence_max) {}

PeerSelf Membership::SelfOf(const NodeIdentity& identity) const {
  return {.cluster_id = identity.cluster_id,
          .node_id = identity.node_id,
          .address = options_.announced.peer_address(),
          .disk_id = identity.disk_id,
          .boot = identity.boot,
          .nonce = identity.nonce};
}

internal::v1::NodeRecord Membership::Announcement() const {
  internal::v1::NodeRecord record;
  *record.mutable_node() = options_.announced;
  record.mutable_node()->set_node_id(identity_.node_id);
  record.set_disk_id(identity_.disk_id);
  record.set_boot(identity_.boot);
  return record;
}

void Membership::Start(internal::v1::ClusterState cached) {
  parts_.messenger->SetSelf(SelfOf(identity_));
  keeper_.SetStoredEpoch(cached.epoch());
  keeper_.SetSelf(identity_.node_id);
  std::vector<ReplicaSpec> specs;
  if (identity_.node_id != 0) {
    mode_ = Mode::kMember;
    if (cached.epoch() != 0) {
      view_ = std::make_shared<const ClusterView>(std::move(cached), identity_.node_id);
      parts_.addresses->SetState(view_->state());
      specs = SpecsOf(view_->state(), identity_.node_id);
    } else if (identity_.node_id == kFounderNode) {
      specs.push_back(FounderMetaSpec());
    }
  }
  control_->Post([this] {
    Tick();
    WatchQuietLeaders(Now());
    if (mode_ == Mode::kMember && view_ == nullptr && identity_.node_id == kFounderNode) {
      ProposeInit();
    }
  });
  // Without a state nobody says which replicas are no longer wanted, so none is touched.
  if (!specs.empty() || view_ != nullptr) {
    parts_.host->SetReplicas(std::move(specs));
  }
  parts_.view->Set(view_);
}

void Membership::StopOnLoop() {
  stopped_ = true;
  const absl::Status status =
      MakeError(kv::v1::REASON_SHUTTING_DOWN, kv::v1::OUTCOME_UNKNOWN, "the node is stopping");
  founder_.GiveUp(status);
  AnswerInitWaiters(status);
}

void Membership::Tick() {
  if (stopped_) {
    return;
  }
  redirected_ = false;
  if (mode_ == Mode::kUnjoined && !founder_.probing()) {
    SendJoinRequests();
  } else if (mode_ == Mode::kMember) {
    AskAboutStart();
    Announce();
    SendHeartbeats();
    if (view_ == nullptr) {
      PullFromAnyone();
    }
    ReportDamage();
    Reconcile();
  }
  control_->PostAt(Now() + options_.timing.heartbeat_interval, [this] { Tick(); });
}

void Membership::OnEnvelope(Envelope envelope) {
  if (control_->QueueLength() > kQueueMax) {
    return;
  }
  control_->Post([this, envelope = std::move(envelope)] {
    if (!stopped_) {
      Dispatch(envelope);
    }
  });
}

void Membership::Dispatch(const Envelope& envelope) {
  const bool member = mode_ == Mode::kMember;
  switch (envelope.control_case()) {
    case Envelope::kProbeRequest:
      founder_.OnProbeRequest(envelope);
      break;
    case Envelope::kProbeResponse:
      founder_.OnProbeResponse(envelope);
      break;
    case Envelope::kJoinRequest:
      if (member) OnJoinRequest(envelope);
      break;
    case Envelope::kJoinResponse:
      OnJoinResponse(envelope);
      break;
    case Envelope::kHeartbeat:
      if (member) OnHeartbeat(envelope);
      break;
    case Envelope::kQuietQuestion:
      if (member) OnQuietQuestion(envelope);
      break;
    case Envelope::kQuietAnswer:
      if (member) OnQuietAnswer(envelope);
      break;
    case Envelope::kPullRequest:
      if (member) OnPullRequest(envelope);
      break;
    case Envelope::kMembershipSettled:
      if (member) FinishMove(envelope.membership_settled());
      break;
    case Envelope::kStartQuestion:
      if (member) OnStartQuestion(envelope);
      break;
    case Envelope::kStartAnswer:
      if (member) OnStartAnswer(envelope);
      break;
    case Envelope::kDamageReport:
      if (member) OnDamageReport(envelope);
      break;
    case Envelope::kPullResponse:
      if (member) OnPullResponse(envelope);
      break;
    default:
      break;
  }
}

void Membership::Init(bool force, MonotonicTime deadline, Callback<InitAnswer> done) {
  auto shared = std::make_shared<Callback<InitAnswer>>(std::move(done));
  const bool posted = control_->Post(
      [this, force, deadline, shared] { InitOnLoop(force, deadline, std::move(*shared)); });
  if (!posted) {
    (*shared)(
        MakeError(kv::v1::REASON_SHUTTING_DOWN, kv::v1::OUTCOME_NOT_DONE, "the node is stopping"));
  }
}

void Membership::InitOnLoop(bool force, MonotonicTime deadline, Callback<InitAnswer> done) {
  if (stopped_ || init_waiters_.size() >= kInitWaitersMax) {
    done(stopped_ ? MakeError(kv::v1::REASON_SHUTTING_DOWN, kv::v1::OUTCOME_NOT_DONE,
                              "the node is stopping")
                  : MakeError(kv::v1::REASON_QUEUE_FULL, kv::v1::OUTCOME_NOT_DONE,
                              "too many init requests wait already"));
    return;
  }
  const bool founding = identity_.node_id == kFounderNode && view_ == nullptr;
  if (mode_ == Mode::kMember && !founding) {
    done(InitAnswer{.cluster_id = identity_.cluster_id, .node_id = identity_.node_id});
    return;
  }
  const Duration left = std::max(Duration::zero(), deadline - Now());
  const MonotonicTime until = Now() + left - std::min(kAnswerMarginMax, left / 5);
  if (mode_ != Mode::kUnjoined || founder_.probing()) {
    AddInitWaiter(false, until, std::move(done));
    return;
  }
  AddInitWaiter(true, until, std::move(done));
  founder_.Ask(force, until, [this](const absl::Status& status) {
    if (status.ok()) {
      Found();
    } else {
      LogWarning("membership/init_refused", {{"why", std::string(status.message())}});
      AnswerInitWaiters(status);
    }
  });
}

void Membership::AddInitWaiter(bool created, MonotonicTime deadline, Callback<InitAnswer> done) {
  const uint64_t number = ++next_init_waiter_;
  init_waiters_.emplace(number, InitWaiter{.created = created, .done = std::move(done)});
  control_->PostAt(deadline, [this, number] {
    const auto found = init_waiters_.find(number);
    // While probing, the founder's own answer, which says who is missing, comes at the same time.
    if (found == init_waiters_.end() || founder_.probing()) {
      return;
    }
    Callback<InitAnswer> waiting = std::move(found->second.done);
    init_waiters_.erase(found);
    waiting(MakeError(kv::v1::REASON_DEADLINE, kv::v1::OUTCOME_UNKNOWN,
                      "founding has begun and goes on, but took longer than the deadline"));
  });
}

void Membership::AnswerInitWaiters(const absl::Status& status) {
  auto waiters = std::exchange(init_waiters_, {});
  for (auto& [number, waiter] : waiters) {
    if (status.ok()) {
      waiter.done(InitAnswer{.cluster_id = identity_.cluster_id,
                             .node_id = identity_.node_id,
                             .created = waiter.created});
    } else {
      waiter.done(status);
    }
  }
}

void Membership::Found() {
  NodeIdentity founded = identity_;
  founded.cluster_id = DrawId(MixSeed(MixSeed(options_.seed, 3), identity_.boot));
  founded.node_id = kFounderNode;
  mode_ = Mode::kSaving;
  // From this moment on whoever probes hears of the new cluster.
  parts_.messenger->SetSelf(SelfOf(founded));
  SaveIdentity(founded, [this, founded](const absl::Status& saved) {
    if (!saved.ok()) {
      mode_ = Mode::kUnjoined;
      parts_.messenger->SetSelf(SelfOf(identity_));
      AnswerInitWaiters(MakeError(
          kv::v1::REASON_STORE_POISONED, kv::v1::OUTCOME_UNKNOWN,
          fmt::format("the new cluster could not be written down: {}", saved.ToString())));
      return;
    }
    identity_ = founded;
    mode_ = Mode::kMember;
    keeper_.SetSelf(identity_.node_id);
    LogInfo("membership/founded", {{"cluster_id", HexId(identity_.cluster_id)}});
    parts_.host->SetReplicas({FounderMetaSpec()});
    ProposeInit();
  });
}

void Membership::ProposeInit() {
  if (stopped_ || view_ != nullptr) {
    return;
  }
  internal::v1::ClusterCommand command;
  command.mutable_init()->set_cluster_id(identity_.cluster_id);
  *command.mutable_init()->mutable_first_node() = Announcement();
  command.mutable_init()->set_meta_incarnation(kFounderMetaReplica.value());
  // Until the state comes back through OnApplied: the one voter may still be electing itself.
  parts_.host->ProposeCluster(std::move(command), Now() + kFoundingProposalTimeout,
                              [this](const absl::Status& status) {
                                if (!status.ok()) {
                                  LogDebug("membership/founding", {{"status", status.ToString()}});
                                }
                                control_->PostAt(clock_->Now() + options_.timing.founding_interval,
                                                 [this] { ProposeInit(); });
                              });
}

void Membership::SaveIdentity(const NodeIdentity& identity,
                              absl::AnyInvocable<void(absl::Status)> then) {
  disk_->Post([this, identity, then = std::move(then)]() mutable {
    absl::Status saved = parts_.records->SaveIdentity(identity);
    control_->Post([this, saved = std::move(saved), then = std::move(then)]() mutable {
      if (!stopped_) {
        then(std::move(saved));
      }
    });
  });
}

uint64_t Membership::meta_leader() const {
  if (const uint64_t own = parts_.host->LeaderOf(kMetaGroup); own != 0) {
    return own;
  }
  if (const uint64_t heard = heard_meta_leader_.load(std::memory_order_relaxed); heard != 0) {
    return heard;
  }
  // Nothing heard yet: where there is one voter, it is that one.
  const auto view = parts_.view->Get();
  return view != nullptr && view->state().meta_replicas_size() == 1
             ? view->state().meta_replicas(0).node_id()
             : 0;
}

}  // namespace quorate
