#include "server/cluster/cluster_state_moves.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "proto/error_detail.h"
#include "server/cluster/cluster_state.h"
#include "server/cluster/replica_specs.h"

namespace quorate {
namespace {

using internal::v1::BeginMove;
using internal::v1::ClusterState;
using kv::v1::PartitionPlacement;
using kv::v1::ReplicaRef;

// A fault in a plan; no cluster needs more.
constexpr int kReplicasMax = 7;

struct KeyspacePlace {
  kv::v1::Keyspace* keyspace = nullptr;
  PartitionPlacement* placement = nullptr;
};

// Nulls: not there. Not for the meta group.
KeyspacePlace FindGroup(ClusterState* state, uint64_t group_id) {
  for (kv::v1::Keyspace& keyspace : *state->mutable_keyspaces()) {
    for (PartitionPlacement& placement : *keyspace.mutable_partitions()) {
      if (placement.group_id() == group_id) {
        return {.keyspace = &keyspace, .placement = &placement};
      }
    }
  }
  return {};
}

// Also counts the state's epoch up. The group is there.
void StorePlacement(ClusterState* state, PartitionPlacement placement) {
  placement.set_epoch(placement.epoch() + 1);
  state->set_epoch(state->epoch() + 1);
  if (placement.group_id() == kMetaGroup.value()) {
    *state->mutable_meta_replicas() = placement.replicas();
    *state->mutable_meta_coming() = placement.coming();
    state->set_meta_epoch(placement.epoch());
    return;
  }
  *FindGroup(state, placement.group_id()).placement = std::move(placement);
}

uint32_t ReplicasWanted(const ClusterState& state, uint64_t group_id) {
  for (const kv::v1::Keyspace& keyspace : state.keyspaces()) {
    for (const PartitionPlacement& placement : keyspace.partitions()) {
      if (placement.group_id() == group_id) {
        return keyspace.policy().replicas();
      }
    }
  }
  return 0;
}

absl::Status NoSuchGroup(uint64_t group_id) {
  return MakeError(kv::v1::REASON_KEYSPACE_NOT_FOUND, kv::v1::OUTCOME_NOT_DONE,
                   fmt::format("no group {}: its keyspace was dropped", group_id));
}

absl::Status PlannedOnAnother(uint64_t planned, const PartitionPlacement& placement) {
  return absl::AbortedError(fmt::format("planned on placement epoch {}, group {} is at {}", planned,
                                        placement.group_id(), placement.epoch()));
}

bool Contains(const google::protobuf::RepeatedField<uint64_t>& ids, uint64_t id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

// Same nodes in the same places, whatever the incarnations of those that come.
bool SameMove(const PartitionPlacement& a, const PartitionPlacement& b) {
  return std::equal(a.coming().begin(), a.coming().end(), b.coming().begin(), b.coming().end(),
                    [](const ReplicaRef& x, const ReplicaRef& y) {
                      return x.node_id() == y.node_id() && x.joined() == y.joined();
                    });
}

absl::Status CheckLeaving(const PartitionPlacement& placement, const BeginMove& begin) {
  std::set<uint64_t> distinct;
  for (const uint64_t leaving : begin.leaving()) {
    const bool held = std::any_of(
        placement.replicas().begin(), placement.replicas().end(),
        [leaving](const ReplicaRef& replica) { return replica.incarnation() == leaving; });
    if (!held || !distinct.insert(leaving).second) {
      return InvalidField("leaving", fmt::format("group {} has no replica {}, or it is named twice",
                                                 placement.group_id(), leaving));
    }
  }
  return absl::OkStatus();
}

// A keyspace's partition may also get what it lacks; the meta group is as large as its reconciler
// wishes.
bool IsSizeAllowed(const ClusterState& state, const PartitionPlacement& placement, int after) {
  if (placement.group_id() == kMetaGroup.value()) {
    return after >= 1 && after <= kReplicasMax;
  }
  return after == placement.replicas_size() ||
         (after > placement.replicas_size() &&
          static_cast<uint32_t>(after) <= ReplicasWanted(state, placement.group_id()));
}

absl::Status CheckComing(const ClusterState& state, const PartitionPlacement& placement,
                         const BeginMove& begin) {
  // One that leaves makes room for its successor, where there is a majority without it and nothing
  // else changes.
  const bool may_rebuild =
      placement.replicas_size() > 2 && begin.leaving_size() == 1 && begin.to_nodes_size() == 1;
  std::set<uint64_t> holders;
  for (const ReplicaRef& replica : placement.replicas()) {
    if (!may_rebuild || !Contains(begin.leaving(), replica.incarnation())) {
      holders.insert(replica.node_id());
    }
  }
  for (const uint64_t to : begin.to_nodes()) {
    const internal::v1::NodeRecord* node = FindNode(state, to);
    if (node == nullptr) {
      return InvalidField("to_node", fmt::format("there is no node {}", to));
    }
    if (node->node().drained()) {
      return InvalidField("to_node", fmt::format("node {} is drained: it takes no replicas", to));
    }
    if (!holders.insert(to).second) {
      return InvalidField("to_node", fmt::format("node {} holds a replica already", to));
    }
  }
  const int after = placement.replicas_size() - begin.leaving_size() + begin.to_nodes_size();
  if (begin.leaving_size() + begin.to_nodes_size() == 0 ||
      !IsSizeAllowed(state, placement, after)) {
    return InvalidField("to_nodes",
                        fmt::format("{} of {} replicas would go and {} come", begin.leaving_size(),
                                    placement.replicas_size(), begin.to_nodes_size()));
  }
  return absl::OkStatus();
}

// What a move is planned on. Where a replica that is just being built anew is to leave, that one
// counts as there already, and the damaged one as gone: the new one has a log of its own and breaks
// no promise, whether it votes by now or not.
PartitionPlacement PlannedOn(const PartitionPlacement& placement, const BeginMove& begin) {
  PartitionPlacement base = placement;
  const ReplicaRef* rebuilt = Rebuilt(placement);
  if (rebuilt != nullptr && begin.leaving_size() == 1 &&
      begin.leaving(0) == rebuilt->incarnation()) {
    *base.mutable_replicas() = placement.coming();
    base.clear_coming();
  }
  return base;
}

}  // namespace

const ReplicaRef* Rebuilt(const PartitionPlacement& placement) {
  for (const ReplicaRef& coming : placement.coming()) {
    const ReplicaRef* here = ReplicaOn(coming.node_id(), placement.replicas());
    if (here != nullptr && here->incarnation() != coming.incarnation()) {
      return &coming;
    }
  }
  return nullptr;
}

const ReplicaRef* ReplicaOn(uint64_t node_id,
                            const google::protobuf::RepeatedPtrField<ReplicaRef>& replicas) {
  const auto found =
      std::find_if(replicas.begin(), replicas.end(),
                   [node_id](const ReplicaRef& replica) { return replica.node_id() == node_id; });
  return found == replicas.end() ? nullptr : &*found;
}

std::optional<PartitionPlacement> PlacementOf(const ClusterState& state, uint64_t group_id) {
  if (group_id == kMetaGroup.value()) {
    PartitionPlacement meta;
    meta.set_epoch(state.meta_epoch());
    *meta.mutable_replicas() = state.meta_replicas();
    *meta.mutable_coming() = state.meta_coming();
    return meta;
  }
  for (const kv::v1::Keyspace& keyspace : state.keyspaces()) {
    for (const PartitionPlacement& placement : keyspace.partitions()) {
      if (placement.group_id() == group_id) {
        return placement;
      }
    }
  }
  return std::nullopt;
}

bool RecoveredFrom(const PartitionPlacement& placement, uint64_t survivor) {
  return std::any_of(
      placement.replicas().begin(), placement.replicas().end(),
      [survivor](const ReplicaRef& replica) { return replica.recovered_from() == survivor; });
}

PartitionPlacement WithMove(const PartitionPlacement& placement, const BeginMove& begin,
                            uint64_t first_incarnation) {
  PartitionPlacement moved = placement;
  moved.clear_coming();
  auto next = begin.to_nodes().begin();
  const auto add_next = [&] {
    ReplicaRef* replica = moved.add_coming();
    replica->set_node_id(*next++);
    replica->set_incarnation(first_incarnation++);
    replica->set_joined(true);
  };
  for (const ReplicaRef& replica : placement.replicas()) {
    if (!Contains(begin.leaving(), replica.incarnation())) {
      *moved.add_coming() = replica;
    } else if (next != begin.to_nodes().end()) {
      add_next();
    }
  }
  while (next != begin.to_nodes().end()) {
    add_next();
  }
  return moved;
}

absl::Status ApplyBeginMove(ClusterState* state, const BeginMove& begin) {
  const auto placement = PlacementOf(*state, begin.group_id());
  if (!placement) {
    return NoSuchGroup(begin.group_id());
  }
  const PartitionPlacement base = PlannedOn(*placement, begin);
  const PartitionPlacement moved = WithMove(base, begin, state->next_incarnation());
  const bool open = base.coming_size() > 0;
  if (open && placement->epoch() == begin.placement_epoch() + 1 && SameMove(*placement, moved)) {
    return absl::OkStatus();
  }
  if (placement->epoch() != begin.placement_epoch()) {
    return PlannedOnAnother(begin.placement_epoch(), *placement);
  }
  if (open) {
    return InvalidField("group_id", fmt::format("group {} has a move under way", begin.group_id()));
  }
  if (absl::Status status = CheckLeaving(base, begin); !status.ok()) {
    return status;
  }
  if (absl::Status status = CheckComing(*state, base, begin); !status.ok()) {
    return status;
  }
  state->set_next_incarnation(state->next_incarnation() +
                              static_cast<uint64_t>(begin.to_nodes_size()));
  StorePlacement(state, moved);
  return absl::OkStatus();
}

absl::Status ApplyFinishMove(ClusterState* state, const internal::v1::FinishMove& finish) {
  auto placement = PlacementOf(*state, finish.group_id());
  if (!placement || placement->coming_size() == 0) {
    return absl::OkStatus();  // told again, or its keyspace is gone
  }
  if (placement->epoch() != finish.placement_epoch()) {
    return PlannedOnAnother(finish.placement_epoch(), *placement);
  }
  std::vector<uint64_t> wanted;
  for (const ReplicaRef& replica : placement->coming()) {
    wanted.push_back(replica.incarnation());
  }
  std::sort(wanted.begin(), wanted.end());
  if (!std::equal(wanted.begin(), wanted.end(), finish.voters().begin(), finish.voters().end())) {
    return InvalidField("voters",
                        fmt::format("group {} is not where its move goes", finish.group_id()));
  }
  *placement->mutable_replicas() = placement->coming();
  placement->clear_coming();
  StorePlacement(state, *std::move(placement));
  return absl::OkStatus();
}

absl::Status ApplyCancelMove(ClusterState* state, const internal::v1::CancelMove& cancel) {
  auto placement = PlacementOf(*state, cancel.group_id());
  if (!placement) {
    return NoSuchGroup(cancel.group_id());
  }
  if (placement->coming_size() == 0) {
    return InvalidField("group_id",
                        fmt::format("group {} has no move under way", cancel.group_id()));
  }
  if (placement->epoch() == cancel.placement_epoch() + 1) {
    return absl::OkStatus();  // the repeat: only a cancel follows an open move and leaves it open
  }
  if (placement->epoch() != cancel.placement_epoch()) {
    return PlannedOnAnother(cancel.placement_epoch(), *placement);
  }
  if (Rebuilt(*placement) != nullptr) {
    return InvalidField("group_id",
                        fmt::format("a damaged replica of group {} is being built anew: there is "
                                    "nothing to turn back to",
                                    cancel.group_id()));
  }
  placement->mutable_replicas()->Swap(placement->mutable_coming());
  StorePlacement(state, *std::move(placement));
  return absl::OkStatus();
}

absl::Status ApplyRecoverPartition(ClusterState* state,
                                   const internal::v1::RecoverPartition& recover) {
  auto placement = PlacementOf(*state, recover.group_id());
  if (!placement) {
    return NoSuchGroup(recover.group_id());
  }
  if (recover.group_id() == kMetaGroup.value() || recover.survivor() == 0) {
    return InvalidField("group_id", "only a partition can go on from one named replica");
  }
  if (RecoveredFrom(*placement, recover.survivor())) {
    return absl::OkStatus();
  }
  if (placement->epoch() != recover.placement_epoch()) {
    return PlannedOnAnother(recover.placement_epoch(), *placement);
  }
  const ReplicaRef* survivor = nullptr;
  for (const auto* replicas : {&placement->replicas(), &placement->coming()}) {
    for (const ReplicaRef& replica : *replicas) {
      survivor = replica.incarnation() == recover.survivor() ? &replica : survivor;
    }
  }
  if (survivor == nullptr) {
    return InvalidField("survivor", fmt::format("group {} has no replica {}", recover.group_id(),
                                                recover.survivor()));
  }
  ReplicaRef recovered;
  recovered.set_node_id(survivor->node_id());
  recovered.set_incarnation(state->next_incarnation());
  recovered.set_joined(true);
  recovered.set_recovered_from(recover.survivor());
  state->set_next_incarnation(state->next_incarnation() + 1);
  state->set_era(state->era() + 1);
  placement->set_era(state->era());
  placement->clear_coming();
  placement->clear_replicas();
  *placement->add_replicas() = std::move(recovered);
  StorePlacement(state, *std::move(placement));
  return absl::OkStatus();
}

absl::Status ApplySetNodeState(ClusterState* state, const internal::v1::SetNodeState& change) {
  for (internal::v1::NodeRecord& record : *state->mutable_nodes()) {
    if (record.node().node_id() != change.node_id()) {
      continue;
    }
    if (record.node().drained() != change.drained()) {
      record.mutable_node()->set_drained(change.drained());
      state->set_epoch(state->epoch() + 1);
    }
    return absl::OkStatus();
  }
  return InvalidField("node_id", fmt::format("there is no node {}", change.node_id()));
}

}  // namespace quorate
