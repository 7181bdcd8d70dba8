#include "server/service/admin_service.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "fmt/format.h"
#include "proto/error_detail.h"
#include "server/cluster/cluster_state.h"
#include "server/cluster/cluster_state_moves.h"
#include "server/cluster/keyspace_policy.h"
#include "server/cluster/replica_specs.h"
#include "server/service/authorize.h"
#include "server/service/plan_keyspace.h"
#include "server/service/routing.h"
#include "server/service/validate.h"

namespace quorate {
namespace {

// Between two looks whether a change has reached this node's own view.
constexpr Duration kPollInterval = std::chrono::milliseconds(10);
// What an answer needs to reach its asker in time.
constexpr Duration kAnswerMargin = std::chrono::milliseconds(50);

absl::Status DeadlineUnknown(const std::string& message) {
  return MakeError(kv::v1::REASON_DEADLINE, kv::v1::OUTCOME_UNKNOWN, message);
}

}  // namespace

struct NodeAdminService::Creation {
  std::string name;
  kv::v1::KeyspacePolicy policy;
  bool dry_run = false;
  MonotonicTime deadline;
  Reply<kv::v1::CreateKeyspaceResponse> reply;
};

struct NodeAdminService::Drop {
  kv::v1::Keyspace keyspace;
  MonotonicTime deadline;
  Reply<kv::v1::DropKeyspaceResponse> reply;
};

void NodeAdminService::Init(const CallContext& call, const kv::v1::InitRequest& request,
                            Reply<kv::v1::InitResponse> reply) {
  if (absl::Status status = Authorize(call, Action::kChangeCluster, ""); !status.ok()) {
    reply(std::move(status));
    return;
  }
  parts_.membership->Init(request.force(), DeadlineOf(call, 0, context_->clock->Now()),
                          [reply = std::move(reply)](absl::StatusOr<InitAnswer> answer) mutable {
                            if (!answer.ok()) {
                              reply(answer.status());
                              return;
                            }
                            kv::v1::InitResponse response;
                            response.set_cluster_id(HexId(answer->cluster_id));
                            response.set_created(answer->created);
                            response.set_node_id(answer->node_id);
                            reply(std::move(response));
                          });
}

void NodeAdminService::GetClusterState(const CallContext& call,
                                       const kv::v1::GetClusterStateRequest& request,
                                       Reply<kv::v1::GetClusterStateResponse> reply) {
  absl::Status status = Authorize(call, Action::kSeeCluster, "");
  const auto view = status.ok() ? context_->View() : absl::StatusOr<View>(std::move(status));
  if (!view.ok()) {
    reply(view.status());
    return;
  }
  const internal::v1::ClusterState& state = (*view)->state();
  kv::v1::GetClusterStateResponse response;
  response.set_cluster_id(HexId(state.cluster_id()));
  response.set_epoch(state.epoch());
  response.set_cluster_time_us(context_->ClusterTimeMicros());
  for (const auto& [group, node] : context_->host->Leaders()) {
    if (node != 0) {
      kv::v1::LeaderHint* hint = response.add_leaders();
      hint->set_group_id(group.value());
      hint->set_node_id(node);
    }
  }
  if (request.known_epoch() != 0 && request.known_epoch() >= state.epoch()) {
    response.set_unchanged(true);
    reply(std::move(response));
    return;
  }
  for (const internal::v1::NodeRecord& record : state.nodes()) {
    *response.add_nodes() = record.node();
  }
  *response.mutable_keyspaces() = state.keyspaces();
  *response.mutable_meta() = *PlacementOf(state, kMetaGroup.value());
  reply(std::move(response));
}

void NodeAdminService::GetNodeStatus(const CallContext& /*call*/,
                                     const kv::v1::GetNodeStatusRequest& /*request*/,
                                     Reply<kv::v1::GetNodeStatusResponse> reply) {
  const MonotonicTime now = context_->clock->Now();
  const auto millis = [](Duration duration) {
    return static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
  };
  const PeerSelf self = parts_.messenger->self();
  const NodeReadiness readiness = parts_.readiness->Get();
  kv::v1::GetNodeStatusResponse response;
  response.set_cluster_id(HexId(self.cluster_id));
  response.set_node_id(self.node_id);
  response.set_version(parts_.version);
  response.set_boot(self.boot);
  response.set_ready(readiness.ready());
  response.set_not_ready_reason(readiness.Reason());
  response.set_uptime_ms(millis(now - parts_.started));
  response.set_meta_leader(parts_.membership->meta_leader());
  const auto sum = [this](const char* name) {
    return static_cast<uint64_t>(parts_.metrics->Sum(name));
  };
  response.set_requests_total(sum("quorate_requests_total"));
  response.set_errors_total(sum("quorate_request_errors_total"));
  response.set_memory_bytes(sum("process_resident_memory_bytes"));
  response.set_disk_bytes(sum("quorate_rocksdb_sst_bytes"));
  for (const auto& [group, node] : context_->host->Leaders()) {
    response.set_leaders(response.leaders() + (node != 0 && node == self.node_id ? 1 : 0));
  }
  const View view = context_->view->Get();
  if (view != nullptr) {
    response.set_epoch(view->epoch());
    response.set_replicas(static_cast<uint32_t>(SpecsOf(view->state(), self.node_id).size()));
    for (const internal::v1::NodeRecord& record : view->state().nodes()) {
      const uint64_t node_id = record.node().node_id();
      if (node_id == self.node_id) {
        continue;
      }
      kv::v1::PeerView* peer = response.add_peers();
      peer->set_node_id(node_id);
      peer->set_alive(parts_.liveness->IsAlive(node_id, now));
      if (const auto heard = parts_.liveness->Of(node_id)) {
        // At least 1: 0 says "never".
        peer->set_last_heard_ms(std::max<uint64_t>(1, millis(now - heard->last_heard)));
        peer->set_epoch(heard->epoch);
      }
    }
  }
  reply(std::move(response));
}

absl::StatusOr<NodeAdminService::View> NodeAdminService::ViewOfLeader() const {
  auto view = context_->View();
  if (!view.ok()) {
    return view.status();
  }
  const uint64_t leader = parts_.membership->meta_leader();
  if (leader == (*view)->self() && leader != 0) {
    return *std::move(view);
  }
  kv::v1::ErrorDetail detail;
  detail.set_outcome(kv::v1::OUTCOME_NOT_DONE);
  if (leader == 0) {
    detail.set_reason(kv::v1::REASON_NO_LEADER);
    return MakeError(detail, "the meta group has no leader that this node knows of");
  }
  detail.set_reason(kv::v1::REASON_NOT_LEADER);
  *detail.mutable_leader() = NodeRefOf(**view, leader);
  return MakeError(detail, fmt::format("node {} leads the meta group; ask it at {}", leader,
                                       detail.leader().address()));
}

absl::Status NodeAdminService::WithLeader(const absl::Status& status) const {
  const View view = context_->view->Get();
  return view == nullptr ? status : WithLeaderAddress(status, *view);
}

void NodeAdminService::CreateKeyspace(const CallContext& call,
                                      const kv::v1::CreateKeyspaceRequest& request,
                                      Reply<kv::v1::CreateKeyspaceResponse> reply) {
  absl::Status status = Authorize(call, Action::kChangeCluster, request.name());
  if (status.ok()) {
    status = CheckKeyspaceName("name", request.name());
  }
  auto policy = status.ok() ? CompletePolicy(request.policy())
                            : absl::StatusOr<kv::v1::KeyspacePolicy>(std::move(status));
  if (!policy.ok()) {
    reply(policy.status());
    return;
  }
  auto creation = std::make_shared<Creation>();
  creation->name = request.name();
  creation->policy = *std::move(policy);
  creation->dry_run = request.dry_run();
  creation->deadline = DeadlineOf(call, 0, context_->clock->Now()) - kAnswerMargin;
  creation->reply = std::move(reply);
  TryCreate(creation);
}

void NodeAdminService::TryCreate(const std::shared_ptr<Creation>& creation) {
  const auto view = ViewOfLeader();
  if (!view.ok()) {
    creation->reply(view.status());
    return;
  }
  kv::v1::CreateKeyspaceResponse response;
  if (const kv::v1::Keyspace* found = (*view)->keyspace(creation->name); found != nullptr) {
    if (!SamePolicy(found->policy(), creation->policy)) {
      creation->reply(
          MakeError(kv::v1::REASON_KEYSPACE_EXISTS, kv::v1::OUTCOME_NOT_DONE,
                    fmt::format("keyspace {} exists with another policy", creation->name)));
      return;
    }
    *response.mutable_keyspace() = *found;
    creation->reply(std::move(response));
    return;
  }
  const MonotonicTime now = context_->clock->Now();
  auto planned = PlanNewKeyspace(**view, *parts_.liveness, now, creation->name, creation->policy);
  if (!planned.ok()) {
    creation->reply(planned.status());
    return;
  }
  if (creation->dry_run) {
    *response.mutable_keyspace() = *std::move(planned);
    response.set_created(true);
    creation->reply(std::move(response));
    return;
  }
  internal::v1::ClusterCommand command;
  *command.mutable_create_keyspace()->mutable_keyspace() = *std::move(planned);
  command.mutable_create_keyspace()->set_planned_epoch((*view)->epoch());
  context_->host->ProposeCluster(
      std::move(command), creation->deadline, [this, creation](const absl::Status& status) {
        if (status.ok()) {
          AwaitCreated(creation);
        } else if (status.code() == absl::StatusCode::kAborted &&
                   context_->clock->Now() + kPollInterval < creation->deadline) {
          // Planned on an epoch that is past: again, on the view that is about to come.
          context_->control->PostAt(context_->clock->Now() + kPollInterval,
                                    [this, creation] { TryCreate(creation); });
        } else {
          creation->reply(WithLeader(status));
        }
      });
}

void NodeAdminService::AwaitCreated(const std::shared_ptr<Creation>& creation) {
  const View view = context_->view->Get();
  const kv::v1::Keyspace* keyspace = view == nullptr ? nullptr : view->keyspace(creation->name);
  if (keyspace != nullptr) {
    kv::v1::CreateKeyspaceResponse response;
    *response.mutable_keyspace() = *keyspace;
    response.set_created(true);
    creation->reply(std::move(response));
    return;
  }
  const MonotonicTime now = context_->clock->Now();
  if (now >= creation->deadline) {
    creation->reply(
        DeadlineUnknown("the keyspace was created, or created and dropped again, but "
                        "this node has not taken the change over yet"));
    return;
  }
  context_->control->PostAt(now + kPollInterval, [this, creation] { AwaitCreated(creation); });
}

void NodeAdminService::DropKeyspace(const CallContext& call,
                                    const kv::v1::DropKeyspaceRequest& request,
                                    Reply<kv::v1::DropKeyspaceResponse> reply) {
  absl::Status status = Authorize(call, Action::kChangeCluster, request.name());
  if (status.ok()) {
    status = CheckKeyspaceName("name", request.name());
  }
  const auto view = status.ok() ? ViewOfLeader() : absl::StatusOr<View>(std::move(status));
  const auto keyspace = view.ok() ? RequireKeyspace(**view, request.name())
                                  : absl::StatusOr<const kv::v1::Keyspace*>(view.status());
  if (!keyspace.ok()) {
    reply(keyspace.status());
    return;
  }
  if (request.dry_run()) {
    kv::v1::DropKeyspaceResponse response;
    *response.mutable_keyspace() = **keyspace;
    reply(std::move(response));
    return;
  }
  auto drop = std::make_shared<Drop>();
  drop->keyspace = **keyspace;
  drop->deadline = DeadlineOf(call, 0, context_->clock->Now()) - kAnswerMargin;
  drop->reply = std::move(reply);
  internal::v1::ClusterCommand command;
  command.mutable_drop_keyspace()->set_name(drop->keyspace.name());
  command.mutable_drop_keyspace()->set_keyspace_id(drop->keyspace.keyspace_id());
  context_->host->ProposeCluster(std::move(command), drop->deadline,
                                 [this, drop](const absl::Status& proposed) {
                                   if (proposed.ok()) {
                                     AwaitDropped(drop);
                                   } else {
                                     drop->reply(WithLeader(proposed));
                                   }
                                 });
}

void NodeAdminService::AwaitDropped(const std::shared_ptr<Drop>& drop) {
  const View view = context_->view->Get();
  const kv::v1::Keyspace* left = view == nullptr ? nullptr : view->keyspace(drop->keyspace.name());
  if (left == nullptr || left->keyspace_id() != drop->keyspace.keyspace_id()) {
    kv::v1::DropKeyspaceResponse response;
    *response.mutable_keyspace() = drop->keyspace;
    drop->reply(std::move(response));
    return;
  }
  const MonotonicTime now = context_->clock->Now();
  if (now >= drop->deadline) {
    drop->reply(
        DeadlineUnknown("the keyspace was dropped, but this node has not taken the change "
                        "over yet"));
    return;
  }
  context_->control->PostAt(now + kPollInterval, [this, drop] { AwaitDropped(drop); });
}

void NodeAdminService::ListReplicas(const CallContext& call,
                                    const kv::v1::ListReplicasRequest& request,
                                    Reply<kv::v1::ListReplicasResponse> reply) {
  absl::Status status = Authorize(call, Action::kSeeCluster, request.keyspace());
  const auto view = status.ok() ? context_->View() : absl::StatusOr<View>(std::move(status));
  if (!view.ok()) {
    reply(view.status());
    return;
  }
  if (!request.keyspace().empty()) {
    if (const auto keyspace = RequireKeyspace(**view, request.keyspace()); !keyspace.ok()) {
      reply(keyspace.status());
      return;
    }
  }
  context_->host->ListReplicas(
      request.checksum(),
      [self = (*view)->self(), keyspace = request.keyspace(),
       reply = std::move(reply)](absl::StatusOr<std::vector<kv::v1::ReplicaStatus>> all) mutable {
        if (!all.ok()) {
          reply(all.status());
          return;
        }
        kv::v1::ListReplicasResponse response;
        response.set_node_id(self);
        std::sort(all->begin(), all->end(),
                  [](const kv::v1::ReplicaStatus& a, const kv::v1::ReplicaStatus& b) {
                    return std::tuple(a.keyspace(), a.partition()) <
                           std::tuple(b.keyspace(), b.partition());
                  });
        for (kv::v1::ReplicaStatus& status_of : *all) {
          if (keyspace.empty() || status_of.keyspace() == keyspace) {
            *response.add_replicas() = std::move(status_of);
          }
        }
        reply(std::move(response));
      });
}

}  // namespace quorate
