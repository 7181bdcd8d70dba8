#include "server/cluster/reconciler.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string>
#include <utility>

#include "server/cluster/cluster_state.h"
#include "server/cluster/cluster_state_moves.h"
#include "server/cluster/meta_voters.h"
#include "server/cluster/replica_specs.h"

namespace quorate {
namespace {

using internal::v1::BeginMove;
using internal::v1::ClusterCommand;
using internal::v1::ClusterState;
using kv::v1::PartitionPlacement;
using kv::v1::ReplicaRef;
using Replicas = google::protobuf::RepeatedPtrField<ReplicaRef>;

const NodeSight& SightOf(const NodeSights& sights, uint64_t node_id) {
  static const NodeSight unseen;
  const auto found = sights.find(node_id);
  return found == sights.end() ? unseen : found->second;
}

bool IsDrained(const ClusterState& state, uint64_t node_id) {
  const internal::v1::NodeRecord* node = FindNode(state, node_id);
  return node != nullptr && node->node().drained();
}

PlacementNode ForPlacement(const kv::v1::Node& node) {
  return {.node_id = node.node_id(), .zone = node.zone(), .weight = node.weight()};
}

bool IsIn(const ReplicaRef& replica, const Replicas& replicas) {
  return std::any_of(replicas.begin(), replicas.end(), [&replica](const ReplicaRef& other) {
    return other.incarnation() == replica.incarnation();
  });
}

std::vector<ReplicaRef> OnlyIn(const Replicas& a, const Replicas& b) {
  std::vector<ReplicaRef> only;
  std::copy_if(a.begin(), a.end(), std::back_inserter(only),
               [&b](const ReplicaRef& replica) { return !IsIn(replica, b); });
  return only;
}

// The meta group's first.
std::vector<PartitionPlacement> OpenMoves(const ClusterState& state) {
  std::vector<PartitionPlacement> open;
  if (state.meta_coming_size() > 0) {
    open.push_back(*PlacementOf(state, kMetaGroup.value()));
  }
  for (const kv::v1::Keyspace& keyspace : state.keyspaces()) {
    for (const PartitionPlacement& placement : keyspace.partitions()) {
      if (placement.coming_size() > 0) {
        open.push_back(placement);
      }
    }
  }
  return open;
}

// A move turned back is a move too, so both of its sides are looked at: it must not be turned for
// ever.
bool ShouldTurnBack(const ClusterState& state, const NodeSights& sights,
                    const PartitionPlacement& move) {
  const std::vector<ReplicaRef> coming = OnlyIn(move.coming(), move.replicas());
  const std::vector<ReplicaRef> leaving = OnlyIn(move.replicas(), move.coming());
  const auto damaged = [&](const ReplicaRef& replica) {
    return SightOf(sights, replica.node_id()).damaged.contains(replica.incarnation());
  };
  const auto lost = [&](const ReplicaRef& replica) {
    return SightOf(sights, replica.node_id()).gone || damaged(replica);
  };
  const auto fit = [&](const ReplicaRef& replica) {
    return SightOf(sights, replica.node_id()).alive && !damaged(replica);
  };
  const auto drained = [&](const ReplicaRef& replica) {
    return IsDrained(state, replica.node_id());
  };
  if (Rebuilt(move) != nullptr || !std::all_of(leaving.begin(), leaving.end(), fit)) {
    return false;
  }
  return std::any_of(coming.begin(), coming.end(), lost) ||
         (std::any_of(coming.begin(), coming.end(), drained) &&
          std::none_of(leaving.begin(), leaving.end(), drained));
}

void AddTurnsBack(const ClusterState& state, const NodeSights& sights,
                  std::vector<ClusterCommand>* steps) {
  for (const PartitionPlacement& move : OpenMoves(state)) {
    if (ShouldTurnBack(state, sights, move)) {
      internal::v1::CancelMove* cancel = steps->emplace_back().mutable_cancel_move();
      cancel->set_group_id(move.group_id());
      cancel->set_placement_epoch(move.epoch());
    }
  }
}

const PartitionPlacement* FindPartition(const ClusterState& state, const ReplicaMove& move) {
  for (const kv::v1::Keyspace& keyspace : state.keyspaces()) {
    if (keyspace.keyspace_id() == move.keyspace_id) {
      return &keyspace.partitions(static_cast<int>(move.partition));
    }
  }
  return nullptr;
}

using MovesByNode = std::map<uint64_t, uint32_t>;

MovesByNode OpenMovesByNode(const ClusterState& state) {
  MovesByNode busy;
  for (const PartitionPlacement& move : OpenMoves(state)) {
    std::set<uint64_t> nodes;
    for (const ReplicaRef& each : OnlyIn(move.coming(), move.replicas()))
      nodes.insert(each.node_id());
    for (const ReplicaRef& each : OnlyIn(move.replicas(), move.coming()))
      nodes.insert(each.node_id());
    for (const uint64_t node : nodes) ++busy[node];
  }
  return busy;
}

// The replicas that a change of the placement may begin with: while one is being built anew, those
// that are there with the new one; while another move is open, none.
const Replicas* Movable(const PartitionPlacement& placement) {
  if (placement.coming().empty()) {
    return &placement.replicas();
  }
  return Rebuilt(placement) != nullptr ? &placement.coming() : nullptr;
}

// And only the new one may leave then.
bool MayLeave(const PartitionPlacement& placement, const ReplicaRef& replica) {
  const ReplicaRef* rebuilt = Rebuilt(placement);
  return rebuilt == nullptr || rebuilt->incarnation() == replica.incarnation();
}

// The group's replica to be built anew; null: none is, or not now.
const ReplicaRef* ToRebuild(const ClusterState& state, const NodeSights& sights,
                            const PartitionPlacement& placement) {
  const Replicas* replicas = Movable(placement);
  if (replicas == nullptr) {
    return nullptr;
  }
  const ReplicaRef* chosen = nullptr;
  bool chosen_votes = false;
  int voting = 0;
  int sound = 0;
  for (const ReplicaRef& replica : *replicas) {
    const NodeSight& sight = SightOf(sights, replica.node_id());
    if (!sight.alive) {
      continue;
    }
    const bool damaged = sight.damaged.contains(replica.incarnation());
    const bool votes = sight.reported && !sight.silent.contains(replica.incarnation());
    voting += votes ? 1 : 0;
    sound += sight.reported && !damaged ? 1 : 0;
    if (damaged && MayLeave(placement, replica) && !IsDrained(state, replica.node_id()) &&
        (chosen == nullptr || chosen_votes)) {
      chosen = &replica;
      chosen_votes = votes;
    }
  }
  voting -= chosen_votes ? 1 : 0;
  return sound > 0 && voting > replicas->size() / 2 ? chosen : nullptr;
}

void AddRebuild(const ClusterState& state, const NodeSights& sights,
                const PartitionPlacement& placement, MovesByNode* busy,
                std::vector<ClusterCommand>* steps) {
  const ReplicaRef* damaged = ToRebuild(state, sights, placement);
  if (damaged == nullptr) {
    return;
  }
  // One that takes the place of an open one is counted already.
  uint32_t& moves = (*busy)[damaged->node_id()];
  if (placement.coming().empty() && ++moves > kMovesPerNodeMax) {
    return;
  }
  BeginMove* begin = steps->emplace_back().mutable_begin_move();
  begin->set_group_id(placement.group_id());
  begin->set_placement_epoch(placement.epoch());
  begin->add_leaving(damaged->incarnation());
  begin->add_to_nodes(damaged->node_id());
}

void AddRebuilds(const ClusterState& state, const NodeSights& sights, MovesByNode* busy,
                 std::vector<ClusterCommand>* steps) {
  const bool any = std::any_of(sights.begin(), sights.end(),
                               [](const auto& sight) { return !sight.second.damaged.empty(); });
  if (!any) {
    return;
  }
  if (!MetaStep(state, sights)) {
    AddRebuild(state, sights, *PlacementOf(state, kMetaGroup.value()), busy, steps);
  }
  for (const kv::v1::Keyspace& keyspace : state.keyspaces()) {
    for (const PartitionPlacement& placement : keyspace.partitions()) {
      AddRebuild(state, sights, placement, busy, steps);
    }
  }
}

bool IsBegun(const std::vector<ClusterCommand>& steps, uint64_t group_id) {
  return std::any_of(steps.begin(), steps.end(), [group_id](const ClusterCommand& step) {
    return step.has_begin_move() && step.begin_move().group_id() == group_id;
  });
}

// The replica that is to leave the drained node now; null: none.
const ReplicaRef* ToDrain(const NodeSights& sights, const PartitionPlacement& placement,
                          uint64_t node_id) {
  const Replicas* replicas = Movable(placement);
  if (replicas == nullptr) {
    return nullptr;
  }
  const ReplicaRef* found = ReplicaOn(node_id, *replicas);
  if (found == nullptr || !MayLeave(placement, *found)) {
    return nullptr;
  }
  const NodeSight& sight = SightOf(sights, node_id);
  const bool gets_along = sight.alive && !sight.damaged.contains(found->incarnation());
  return !placement.coming().empty() && gets_along ? nullptr : found;
}

bool LacksReplicas(const kv::v1::Keyspace& keyspace, const PartitionPlacement& placement) {
  return placement.coming().empty() &&
         static_cast<uint32_t>(placement.replicas_size()) < keyspace.policy().replicas();
}

// All that a partition lacks comes at once: two voters tolerate no more than one does.
// Not before what is to be copied has shown that it is there.
void AddFillSteps(const ClusterState& state, const NodeSights& sights,
                  const std::vector<ReplicaMove>& moves, MovesByNode* busy,
                  std::vector<ClusterCommand>* steps) {
  const auto sound = [&sights](const ReplicaRef& replica) {
    const NodeSight& sight = SightOf(sights, replica.node_id());
    return sight.alive && sight.reported && !sight.damaged.contains(replica.incarnation());
  };
  std::map<uint64_t, BeginMove> fills;
  for (const ReplicaMove& move : moves) {
    const PartitionPlacement* placement = FindPartition(state, move);
    if (move.from != 0 || placement == nullptr || !placement->coming().empty() ||
        !std::all_of(placement->replicas().begin(), placement->replicas().end(), sound)) {
      continue;
    }
    BeginMove& begin = fills[placement->group_id()];
    begin.set_group_id(placement->group_id());
    begin.set_placement_epoch(placement->epoch());
    begin.add_to_nodes(move.to);
  }
  for (auto& [group_id, begin] : fills) {
    const bool too_busy =
        std::any_of(begin.to_nodes().begin(), begin.to_nodes().end(),
                    [busy](uint64_t node) { return (*busy)[node] >= kMovesPerNodeMax; });
    if (too_busy || IsBegun(*steps, group_id)) {
      continue;
    }
    for (const uint64_t node : begin.to_nodes()) ++(*busy)[node];
    *steps->emplace_back().mutable_begin_move() = std::move(begin);
  }
}

void AddDrainSteps(const ClusterState& state, const NodeSights& sights,
                   const std::vector<ReplicaMove>& moves, MovesByNode* moves_by_node,
                   std::vector<ClusterCommand>* steps) {
  MovesByNode& busy = *moves_by_node;
  for (const ReplicaMove& move : moves) {
    const PartitionPlacement* placement = FindPartition(state, move);
    if (move.from == 0) {
      continue;
    }
    const ReplicaRef* leaving =
        placement == nullptr ? nullptr : ToDrain(sights, *placement, move.from);
    // A rebuild that is given up is counted already.
    const bool counted = placement != nullptr && !placement->coming().empty();
    if (leaving == nullptr || IsBegun(*steps, placement->group_id()) ||
        (!counted && busy[move.from] >= kMovesPerNodeMax) || busy[move.to] >= kMovesPerNodeMax) {
      continue;
    }
    BeginMove* begin = steps->emplace_back().mutable_begin_move();
    begin->set_group_id(placement->group_id());
    begin->set_placement_epoch(placement->epoch());
    begin->add_to_nodes(move.to);
    begin->add_leaving(leaving->incarnation());
    busy[move.from] += counted ? 0 : 1;
    ++busy[move.to];
  }
}

// Where the replicas are, or will be once open moves are through.
const Replicas& Settled(const PartitionPlacement& placement) {
  return placement.coming().empty() ? placement.replicas() : placement.coming();
}

// Some partition has fewer replicas than it shall have, or one on these nodes.
bool AnyIncomplete(const ClusterState& state, const std::set<uint64_t>& drained) {
  for (const kv::v1::Keyspace& keyspace : state.keyspaces()) {
    for (const PartitionPlacement& placement : keyspace.partitions()) {
      const Replicas& replicas = Settled(placement);
      if (LacksReplicas(keyspace, placement) ||
          (!drained.empty() &&
           std::any_of(replicas.begin(), replicas.end(), [&drained](const ReplicaRef& replica) {
             return drained.contains(replica.node_id());
           }))) {
        return true;
      }
    }
  }
  return false;
}

PartitionOwners OwnersOf(const PartitionPlacement& placement) {
  PartitionOwners owners;
  for (const ReplicaRef& replica : Settled(placement)) {
    owners.push_back(replica.node_id());
  }
  return owners;
}

}  // namespace

absl::StatusOr<std::vector<ReplicaMove>> PlanMoves(const ClusterState& state,
                                                   const NodeSights& sights) {
  std::set<uint64_t> drained;
  std::vector<PlacementNode> stay;
  for (const internal::v1::NodeRecord& record : state.nodes()) {
    if (record.node().drained()) {
      drained.insert(record.node().node_id());
    } else if (SightOf(sights, record.node().node_id()).alive) {
      stay.push_back(ForPlacement(record.node()));
    }
  }
  if (!AnyIncomplete(state, drained)) {
    return std::vector<ReplicaMove>();  // the usual case, twice a second, at little cost
  }
  // Keyspaces in which nothing has to move are planned along: the others are spread around them.
  std::vector<PlacedKeyspace> keyspaces;
  for (const kv::v1::Keyspace& keyspace : state.keyspaces()) {
    PlacedKeyspace& placed = keyspaces.emplace_back();
    placed.keyspace_id = keyspace.keyspace_id();
    placed.replicas = keyspace.policy().replicas();
    for (const PartitionPlacement& placement : keyspace.partitions()) {
      placed.partitions.push_back(OwnersOf(placement));
    }
  }
  auto plan = PlanRebalance(stay, keyspaces);
  if (!plan.ok()) {
    return plan.status();
  }
  // What else the plan would do (dead nodes, balance) is not asked for.
  std::erase_if(plan->moves, [&drained](const ReplicaMove& move) {
    return move.from != 0 && !drained.contains(move.from);
  });
  return std::move(plan->moves);
}

std::optional<BeginMove> MetaStep(const ClusterState& state, const NodeSights& sights) {
  const PartitionPlacement meta = *PlacementOf(state, kMetaGroup.value());
  const Replicas* replicas = Movable(meta);
  const ReplicaRef* rebuilt = Rebuilt(meta);
  if (replicas == nullptr ||
      (rebuilt != nullptr && ToDrain(sights, meta, rebuilt->node_id()) == nullptr)) {
    return std::nullopt;
  }
  std::vector<PlacementNode> voters;
  std::vector<PlacementNode> candidates;
  size_t nodes = 0;
  for (const internal::v1::NodeRecord& record : state.nodes()) {
    const uint64_t node_id = record.node().node_id();
    if (record.node().drained()) {
      continue;
    }
    ++nodes;
    if (ReplicaOn(node_id, *replicas) != nullptr) {
      voters.push_back(ForPlacement(record.node()));
    } else if (SightOf(sights, node_id).alive) {
      candidates.push_back(ForPlacement(record.node()));
    }
  }
  std::vector<uint64_t> chosen = ChooseMetaVoters(voters, candidates, MetaVotersWanted(nodes));
  if (chosen.empty()) {
    return std::nullopt;
  }
  BeginMove begin;
  begin.set_group_id(kMetaGroup.value());
  begin.set_placement_epoch(state.meta_epoch());
  for (const ReplicaRef& voter : *replicas) {
    if (std::erase(chosen, voter.node_id()) == 0) {
      begin.add_leaving(voter.incarnation());
    }
  }
  if (rebuilt != nullptr &&
      (begin.leaving_size() != 1 || begin.leaving(0) != rebuilt->incarnation())) {
    return std::nullopt;
  }
  for (const uint64_t node_id : chosen) {
    begin.add_to_nodes(node_id);
  }
  return begin.leaving_size() + begin.to_nodes_size() == 0 ? std::nullopt
                                                           : std::optional(std::move(begin));
}

std::vector<ClusterCommand> NextSteps(const ClusterState& state, const NodeSights& sights) {
  std::vector<ClusterCommand> steps;
  MovesByNode busy = OpenMovesByNode(state);
  AddTurnsBack(state, sights, &steps);
  AddRebuilds(state, sights, &busy, &steps);
  if (auto meta = MetaStep(state, sights)) {
    *steps.emplace_back().mutable_begin_move() = *std::move(meta);
  }
  if (const auto moves = PlanMoves(state, sights); moves.ok()) {
    AddFillSteps(state, sights, *moves, &busy, &steps);
    AddDrainSteps(state, sights, *moves, &busy, &steps);
  }
  return steps;
}

}  // namespace quorate
