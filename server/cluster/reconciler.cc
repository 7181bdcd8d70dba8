#include "server/cluster/reconciler.h"

#include <algorithm>
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

NodeSight SightOf(const NodeSights& sights, uint64_t node_id) {
  const auto found = sights.find(node_id);
  return found == sights.end() ? NodeSight() : found->second;
}

bool IsDrained(const ClusterState& state, uint64_t node_id) {
  const internal::v1::NodeRecord* node = FindNode(state, node_id);
  return node != nullptr && node->node().drained();
}

PlacementNode ForPlacement(const kv::v1::Node& node) {
  return {.node_id = node.node_id(), .zone = node.zone(), .weight = node.weight()};
}

// Nodes of the replicas in `a` that are not in `b`.
std::vector<uint64_t> NodesOnlyIn(const Replicas& a, const Replicas& b) {
  std::vector<uint64_t> nodes;
  for (const ReplicaRef& replica : a) {
    const bool shared = std::any_of(b.begin(), b.end(), [&replica](const ReplicaRef& other) {
      return other.incarnation() == replica.incarnation();
    });
    if (!shared) {
      nodes.push_back(replica.node_id());
    }
  }
  return nodes;
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
  const std::vector<uint64_t> coming = NodesOnlyIn(move.coming(), move.replicas());
  const std::vector<uint64_t> leaving = NodesOnlyIn(move.replicas(), move.coming());
  const auto gone = [&](uint64_t node) { return SightOf(sights, node).gone; };
  const auto alive = [&](uint64_t node) { return SightOf(sights, node).alive; };
  const auto drained = [&](uint64_t node) { return IsDrained(state, node); };
  if (!std::all_of(leaving.begin(), leaving.end(), alive)) {
    return false;
  }
  return std::any_of(coming.begin(), coming.end(), gone) ||
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

void AddDrainSteps(const ClusterState& state, const NodeSights& sights,
                   std::vector<ClusterCommand>* steps) {
  const auto moves = PlanDrain(state, sights);
  if (!moves.ok()) {
    return;
  }
  std::map<uint64_t, uint32_t> busy;  // by node
  for (const PartitionPlacement& move : OpenMoves(state)) {
    for (const uint64_t node : NodesOnlyIn(move.coming(), move.replicas())) ++busy[node];
    for (const uint64_t node : NodesOnlyIn(move.replicas(), move.coming())) ++busy[node];
  }
  for (const ReplicaMove& move : *moves) {
    const PartitionPlacement* placement = FindPartition(state, move);
    if (placement == nullptr || placement->coming_size() > 0 ||
        busy[move.from] >= kMovesPerNodeMax || busy[move.to] >= kMovesPerNodeMax) {
      continue;
    }
    BeginMove* begin = steps->emplace_back().mutable_begin_move();
    begin->set_group_id(placement->group_id());
    begin->set_placement_epoch(placement->epoch());
    begin->add_to_nodes(move.to);
    for (const ReplicaRef& replica : placement->replicas()) {
      if (replica.node_id() == move.from) {
        begin->add_leaving(replica.incarnation());
      }
    }
    ++busy[move.from];
    ++busy[move.to];
  }
}

// Where the replicas are, or will be once open moves are through.
PartitionOwners OwnersOf(const PartitionPlacement& placement) {
  PartitionOwners owners;
  const Replicas& replicas = placement.coming().empty() ? placement.replicas() : placement.coming();
  for (const ReplicaRef& replica : replicas) {
    owners.push_back(replica.node_id());
  }
  return owners;
}

}  // namespace

absl::StatusOr<std::vector<ReplicaMove>> PlanDrain(const ClusterState& state,
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
  if (drained.empty()) {
    return std::vector<ReplicaMove>();  // the usual case, twice a second, at no cost
  }
  // Keyspaces that nothing has to leave are planned along: the others are spread around them.
  bool any = false;
  std::vector<PlacedKeyspace> keyspaces;
  for (const kv::v1::Keyspace& keyspace : state.keyspaces()) {
    PlacedKeyspace& placed = keyspaces.emplace_back();
    placed.keyspace_id = keyspace.keyspace_id();
    placed.replicas = keyspace.policy().replicas();
    for (const PartitionPlacement& placement : keyspace.partitions()) {
      const PartitionOwners& owners = placed.partitions.emplace_back(OwnersOf(placement));
      any = any || std::any_of(owners.begin(), owners.end(),
                               [&drained](uint64_t node) { return drained.contains(node); });
    }
  }
  if (!any) {
    return std::vector<ReplicaMove>();
  }
  auto plan = PlanRebalance(stay, keyspaces);
  if (!plan.ok()) {
    return plan.status();
  }
  // What else the plan would do (dead nodes, balance) is not asked for.
  std::erase_if(plan->moves,
                [&drained](const ReplicaMove& move) { return !drained.contains(move.from); });
  return std::move(plan->moves);
}

std::optional<BeginMove> MetaStep(const ClusterState& state, const NodeSights& sights) {
  if (state.meta_coming_size() > 0) {
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
    const bool votes =
        std::any_of(state.meta_replicas().begin(), state.meta_replicas().end(),
                    [node_id](const ReplicaRef& voter) { return voter.node_id() == node_id; });
    if (votes) {
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
  for (const ReplicaRef& voter : state.meta_replicas()) {
    if (std::erase(chosen, voter.node_id()) == 0) {
      begin.add_leaving(voter.incarnation());
    }
  }
  for (const uint64_t node_id : chosen) {
    begin.add_to_nodes(node_id);
  }
  return begin.leaving_size() + begin.to_nodes_size() == 0 ? std::nullopt
                                                           : std::optional(std::move(begin));
}

std::vector<ClusterCommand> NextSteps(const ClusterState& state, const NodeSights& sights) {
  std::vector<ClusterCommand> steps;
  AddTurnsBack(state, sights, &steps);
  if (auto meta = MetaStep(state, sights)) {
    *steps.emplace_back().mutable_begin_move() = *std::move(meta);
  }
  AddDrainSteps(state, sights, &steps);
  return steps;
}

}  // namespace quorate
