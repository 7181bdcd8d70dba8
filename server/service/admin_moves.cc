// The admin API: moves of replicas, recovery from one of them, draining of nodes, transfers of
// leadership.
#include <algorithm>
#include <utility>

#include "fmt/format.h"
#include "proto/error_detail.h"
#include "server/cluster/cluster_state.h"
#include "server/cluster/cluster_state_moves.h"
#include "server/cluster/reconciler.h"
#include "server/service/admin_service.h"
#include "server/service/authorize.h"
#include "server/service/routing.h"
#include "server/service/validate.h"

namespace quorate {
namespace {

using internal::v1::ClusterCommand;
using internal::v1::ClusterState;
using kv::v1::PartitionPlacement;
using kv::v1::ReplicaRef;
using Replicas = google::protobuf::RepeatedPtrField<ReplicaRef>;

// Between two looks whether a change has reached this node's own view.
constexpr Duration kChangeLookInterval = std::chrono::milliseconds(10);
// What an answer needs to reach its asker in time.
constexpr Duration kChangeAnswerMargin = std::chrono::milliseconds(50);

absl::StatusOr<PartitionPlacement> RequirePartition(const ClusterView& view,
                                                    const std::string& keyspace_name,
                                                    uint32_t partition) {
  const auto keyspace = RequireKeyspace(view, keyspace_name);
  if (!keyspace.ok()) {
    return keyspace.status();
  }
  if (partition >= static_cast<uint32_t>((*keyspace)->partitions_size())) {
    return InvalidField("partition",
                        fmt::format("keyspace {} has partitions 0 to {}, not {}", keyspace_name,
                                    (*keyspace)->partitions_size() - 1, partition));
  }
  return (*keyspace)->partitions(static_cast<int>(partition));
}

uint64_t NewestIn(const Replicas& replicas) {
  uint64_t newest = 0;
  for (const ReplicaRef& replica : replicas) {
    newest = std::max(newest, replica.incarnation());
  }
  return newest;
}

// The newest replica is made for a move; a move that was turned back leaves it.
bool IsTurnedBack(const PartitionPlacement& placement) {
  return NewestIn(placement.replicas()) > NewestIn(placement.coming());
}

// Nothing: the placement is as asked for.
absl::StatusOr<std::optional<ClusterCommand>> PlanMove(const ClusterState& state,
                                                       const PartitionPlacement& placement,
                                                       const kv::v1::MovePartitionRequest& asked) {
  const bool open = placement.coming_size() > 0;
  ClusterCommand command;
  if (asked.cancel()) {
    if (!open || IsTurnedBack(placement)) {
      return std::nullopt;
    }
    command.mutable_cancel_move()->set_group_id(placement.group_id());
    command.mutable_cancel_move()->set_placement_epoch(placement.epoch());
    return command;
  }
  const Replicas& target = open ? placement.coming() : placement.replicas();
  // A replica that is being built anew may leave, whatever becomes of it.
  const ReplicaRef* rebuilt = Rebuilt(placement);
  const bool leaves_rebuild = rebuilt != nullptr && rebuilt->node_id() == asked.from_node();
  const ReplicaRef* leaving =
      leaves_rebuild ? rebuilt : ReplicaOn(asked.from_node(), placement.replicas());
  if (ReplicaOn(asked.to_node(), target) != nullptr &&
      ReplicaOn(asked.from_node(), target) == nullptr) {
    return std::nullopt;
  }
  if (open && !leaves_rebuild) {
    return InvalidField("partition",
                        fmt::format("another move of partition {} is under way: wait for it, or "
                                    "cancel it",
                                    placement.partition()));
  }
  if (asked.from_node() == asked.to_node()) {
    return InvalidField("to_node", fmt::format("node {} holds a replica already", asked.to_node()));
  }
  if (leaving == nullptr) {
    return InvalidField("from_node", fmt::format("node {} holds no replica of partition {}",
                                                 asked.from_node(), placement.partition()));
  }
  command.mutable_begin_move()->set_group_id(placement.group_id());
  command.mutable_begin_move()->add_leaving(leaving->incarnation());
  command.mutable_begin_move()->add_to_nodes(asked.to_node());
  command.mutable_begin_move()->set_placement_epoch(placement.epoch());
  ClusterState tried = state;
  if (absl::Status status = ApplyClusterCommand(&tried, command); !status.ok()) {
    return status;
  }
  return command;
}

// `leads`: this node leads the partition itself. What it knows of other leaders is a hint, and may
// be of long ago.
absl::StatusOr<std::optional<ClusterCommand>> PlanRecovery(
    const PartitionPlacement& placement, const kv::v1::RecoverPartitionRequest& asked, bool leads) {
  if (RecoveredFrom(placement, asked.incarnation())) {
    return std::nullopt;
  }
  if (leads) {
    return InvalidField("partition", fmt::format("partition {} has a leader, and so a majority",
                                                 placement.partition()));
  }
  if (!asked.accept_loss() && !asked.dry_run()) {
    return InvalidField("accept_loss",
                        "must be true: what only the other replicas have is lost for good");
  }
  const auto holds = [&asked](const ReplicaRef& replica) {
    return replica.node_id() == asked.from_node() && replica.incarnation() == asked.incarnation();
  };
  if (std::none_of(placement.replicas().begin(), placement.replicas().end(), holds) &&
      std::none_of(placement.coming().begin(), placement.coming().end(), holds)) {
    return InvalidField(
        "incarnation", fmt::format("node {} holds no replica {} of partition {}", asked.from_node(),
                                   asked.incarnation(), placement.partition()));
  }
  ClusterCommand command;
  command.mutable_recover_partition()->set_group_id(placement.group_id());
  command.mutable_recover_partition()->set_survivor(asked.incarnation());
  command.mutable_recover_partition()->set_placement_epoch(placement.epoch());
  return command;
}

absl::StatusOr<std::optional<ClusterCommand>> PlanNodeState(const ClusterState& state,
                                                            const NodeSights& sights,
                                                            const kv::v1::DrainNodeRequest& asked) {
  const internal::v1::NodeRecord* node = FindNode(state, asked.node_id());
  if (node == nullptr) {
    return InvalidField("node_id", fmt::format("there is no node {}", asked.node_id()));
  }
  if (node->node().drained() == !asked.undo()) {
    return std::nullopt;
  }
  ClusterCommand command;
  command.mutable_set_node_state()->set_node_id(asked.node_id());
  command.mutable_set_node_state()->set_drained(!asked.undo());
  ClusterState tried = state;
  if (absl::Status status = ApplyClusterCommand(&tried, command); !status.ok()) {
    return status;
  }
  if (const auto moves = PlanMoves(tried, sights); !asked.undo() && !moves.ok()) {
    return InvalidField("node_id", std::string(moves.status().message()));
  }
  return command;
}

void AddPlannedMoves(const ClusterState& state, const NodeSights& sights, uint64_t node_id,
                     kv::v1::DrainNodeResponse* response) {
  const auto meta = MetaStep(state, sights);
  const ReplicaRef* voter = ReplicaOn(node_id, state.meta_replicas());
  if (meta && voter != nullptr &&
      std::find(meta->leaving().begin(), meta->leaving().end(), voter->incarnation()) !=
          meta->leaving().end()) {
    kv::v1::PlannedMove* planned = response->add_moves();
    planned->set_from_node(node_id);
    planned->set_to_node(meta->to_nodes_size() > 0 ? meta->to_nodes(0) : 0);
  }
  const auto moves = PlanMoves(state, sights);
  if (!moves.ok()) {
    return;
  }
  for (const ReplicaMove& move : *moves) {
    if (move.from != node_id) {
      continue;
    }
    kv::v1::PlannedMove* planned = response->add_moves();
    for (const kv::v1::Keyspace& keyspace : state.keyspaces()) {
      if (keyspace.keyspace_id() == move.keyspace_id) {
        planned->set_keyspace(keyspace.name());
      }
    }
    planned->set_partition(move.partition);
    planned->set_from_node(move.from);
    planned->set_to_node(move.to);
  }
}

}  // namespace

struct NodeAdminService::Change {
  // What to propose so that the state is as asked for; nothing: it is.
  std::function<absl::StatusOr<std::optional<ClusterCommand>>(const ClusterView&)> plan;
  bool dry_run = false;
  MonotonicTime deadline;
  // `state` is as asked for, or in a dry run as it would be.
  absl::AnyInvocable<void(absl::StatusOr<ClusterState> state, bool changed)> done;
  bool proposed = false;
};

void NodeAdminService::RunChange(const std::shared_ptr<Change>& change) {
  const auto view = change->proposed ? context_->View() : ViewOfLeader();
  if (!view.ok()) {
    change->done(view.status(), false);
    return;
  }
  auto planned = change->plan(**view);
  if (!planned.ok()) {
    change->done(planned.status(), false);
    return;
  }
  if (!planned->has_value()) {
    change->done((*view)->state(), change->proposed);
    return;
  }
  if (change->dry_run) {
    ClusterState state = (*view)->state();
    absl::Status tried = ApplyClusterCommand(&state, **planned);
    change->done(tried.ok() ? absl::StatusOr<ClusterState>(std::move(state)) : tried, true);
    return;
  }
  const auto again = [this, change] {
    const MonotonicTime now = context_->clock->Now();
    if (now >= change->deadline) {
      change->done(MakeError(kv::v1::REASON_DEADLINE, kv::v1::OUTCOME_UNKNOWN,
                             "the change was proposed, but this node has not seen it made yet"),
                   false);
      return;
    }
    context_->control->PostAt(now + kChangeLookInterval, [this, change] { RunChange(change); });
  };
  if (change->proposed) {
    again();
    return;
  }
  context_->host->ProposeCluster(*std::move(*planned), change->deadline,
                                 [this, change, again](const absl::Status& status) {
                                   change->proposed = status.ok();
                                   // Aborted: planned on a placement of the past.
                                   if (status.ok() || status.code() == absl::StatusCode::kAborted) {
                                     again();
                                   } else {
                                     change->done(WithLeader(status), false);
                                   }
                                 });
}

template <class Request, class Response, class Plan>
void NodeAdminService::RunPartitionChange(const CallContext& call, const Request& request,
                                          Reply<Response> reply, Plan plan) {
  auto change = std::make_shared<Change>();
  change->dry_run = request.dry_run();
  change->deadline = DeadlineOf(call, 0, context_->clock->Now()) - kChangeAnswerMargin;
  // The group once found: what follows is about it, even if its keyspace's name gets another.
  auto group = std::make_shared<uint64_t>(0);
  change->plan = [keyspace = request.keyspace(), partition = request.partition(), group,
                  plan = std::move(plan)](
                     const ClusterView& view) -> absl::StatusOr<std::optional<ClusterCommand>> {
    auto placement = RequirePartition(view, keyspace, partition);
    if (!placement.ok()) {
      return placement.status();
    }
    *group = placement->group_id();
    return plan(view, *placement);
  };
  change->done = [group, reply = std::move(reply)](absl::StatusOr<ClusterState> state,
                                                   bool changed) mutable {
    const auto placement = state.ok() ? PlacementOf(*state, *group) : std::nullopt;
    if (!placement) {
      reply(state.status());
      return;
    }
    Response response;
    *response.mutable_placement() = *placement;
    response.set_changed(changed);
    reply(std::move(response));
  };
  RunChange(change);
}

NodeSights NodeAdminService::SightsOf(const ClusterView& view) const {
  const MonotonicTime now = context_->clock->Now();
  NodeSights sights;
  for (const internal::v1::NodeRecord& record : view.state().nodes()) {
    const uint64_t node_id = record.node().node_id();
    sights[node_id].alive = node_id == view.self() || parts_.liveness->MayBeAlive(node_id, now);
  }
  return sights;
}

void NodeAdminService::MovePartition(const CallContext& call,
                                     const kv::v1::MovePartitionRequest& request,
                                     Reply<kv::v1::MovePartitionResponse> reply) {
  if (absl::Status status = Authorize(call, Action::kChangeCluster, request.keyspace());
      !status.ok()) {
    reply(std::move(status));
    return;
  }
  RunPartitionChange(call, request, std::move(reply),
                     [request](const ClusterView& view, const PartitionPlacement& placement) {
                       return PlanMove(view.state(), placement, request);
                     });
}

void NodeAdminService::RecoverPartition(const CallContext& call,
                                        const kv::v1::RecoverPartitionRequest& request,
                                        Reply<kv::v1::RecoverPartitionResponse> reply) {
  if (absl::Status status = Authorize(call, Action::kChangeCluster, request.keyspace());
      !status.ok()) {
    reply(std::move(status));
    return;
  }
  RunPartitionChange(call, request, std::move(reply),
                     [this, request](const ClusterView& view, const PartitionPlacement& placement) {
                       const uint64_t leader =
                           context_->host->LeaderOf(GroupId(placement.group_id()));
                       return PlanRecovery(placement, request, leader == view.self());
                     });
}

void NodeAdminService::DrainNode(const CallContext& call, const kv::v1::DrainNodeRequest& request,
                                 Reply<kv::v1::DrainNodeResponse> reply) {
  if (absl::Status status = Authorize(call, Action::kChangeCluster, ""); !status.ok()) {
    reply(std::move(status));
    return;
  }
  auto change = std::make_shared<Change>();
  change->dry_run = request.dry_run();
  change->deadline = DeadlineOf(call, 0, context_->clock->Now()) - kChangeAnswerMargin;
  auto sights = std::make_shared<NodeSights>();
  change->plan = [this, request, sights](const ClusterView& view) {
    *sights = SightsOf(view);
    return PlanNodeState(view.state(), *sights, request);
  };
  change->done = [request, sights, reply = std::move(reply)](absl::StatusOr<ClusterState> state,
                                                             bool changed) mutable {
    if (!state.ok()) {
      reply(state.status());
      return;
    }
    kv::v1::DrainNodeResponse response;
    *response.mutable_node() = FindNode(*state, request.node_id())->node();
    response.set_changed(changed);
    AddPlannedMoves(*state, *sights, request.node_id(), &response);
    reply(std::move(response));
  };
  RunChange(change);
}

void NodeAdminService::TransferLeader(const CallContext& call,
                                      const kv::v1::TransferLeaderRequest& request,
                                      Reply<kv::v1::TransferLeaderResponse> reply) {
  absl::Status status = Authorize(call, Action::kChangeCluster, request.keyspace());
  const auto view = status.ok() ? context_->View() : absl::StatusOr<View>(std::move(status));
  const auto placement = view.ok()
                             ? RequirePartition(**view, request.keyspace(), request.partition())
                             : absl::StatusOr<PartitionPlacement>(view.status());
  if (!placement.ok()) {
    reply(placement.status());
    return;
  }
  const MonotonicTime deadline = DeadlineOf(call, 0, context_->clock->Now()) - kChangeAnswerMargin;
  context_->host->TransferLeadership(
      GroupId(placement->group_id()), request.to_node(), CallTerms{.deadline = deadline},
      [this, to = request.to_node(), reply = std::move(reply)](const absl::Status& done) mutable {
        if (!done.ok()) {
          reply(WithLeader(done));
          return;
        }
        kv::v1::TransferLeaderResponse response;
        response.set_leader_node(to);
        reply(std::move(response));
      });
}

}  // namespace quorate
