#include "server/replication/raft_groups/recovery.h"

#include <string>
#include <utility>

#include "fmt/format.h"
#include "server/runtime/log.h"
#include "server/storage/data_store.h"
#include "server/storage/log_store.h"

namespace quorate {
namespace {

constexpr uint32_t kMetaFormat = 1;

// Removes what an earlier incarnation of the group left here. A later one than `keep` means that
// the spec is out of date, and nothing is removed.
absl::Status DestroyEarlier(HostContext& context, GroupId group, ReplicaId keep) {
  const auto groups = context.log->ListGroups();
  if (!groups.ok()) {
    return groups.status();
  }
  for (const LogGroupInfo& info : *groups) {
    if (info.group != group) {
      continue;
    }
    if (info.replica > keep) {
      return absl::FailedPreconditionError(
          fmt::format("the log here belongs to the later incarnation {}", info.replica.value()));
    }
    LogInfo("replica/earlier_incarnation_removed",
            {{"group", group.value()}, {"incarnation", info.replica.value()}});
    if (absl::Status status = context.log->DestroyGroup(group); !status.ok()) {
      return status;
    }
    return info.replica.IsZero() ? absl::OkStatus() : context.data->DestroyReplica(info.replica);
  }
  return absl::OkStatus();
}

// Who is a member before the log says anything.
raft::Configuration FoundingConfiguration(const ReplicaSpec& spec) {
  return {.voters = spec.FirstVoters(), .outgoing = {}, .learners = {}};
}

absl::StatusOr<std::shared_ptr<GroupLog>> OpenLog(HostContext& context, const ReplicaSpec& spec) {
  const raft::Configuration founding = FoundingConfiguration(spec);
  auto log = context.log->OpenGroup(spec.group, spec.self, founding);
  if (log.ok() || !absl::IsFailedPrecondition(log.status())) {
    return log;
  }
  if (absl::Status status = DestroyEarlier(context, spec.group, spec.self); !status.ok()) {
    return status;
  }
  return context.log->OpenGroup(spec.group, spec.self, founding);
}

absl::StatusOr<std::shared_ptr<ReplicaState>> LoadState(HostContext& context,
                                                        const ReplicaSpec& spec) {
  auto stored = context.data->LoadMeta(spec.self);
  if (!stored.ok()) {
    return stored.status();
  }
  internal::v1::ReplicaMeta meta;
  if (stored->has_value()) {
    meta = *std::move(*stored);
    if (meta.format() != kMetaFormat) {
      return absl::UnimplementedError(
          fmt::format("the replica's record has format {}, this build knows {}: upgrade this node",
                      meta.format(), kMetaFormat));
    }
  } else {
    meta.set_format(kMetaFormat);
    meta.set_era(spec.era);
  }
  const auto rows = context.data->LoadRequestRows(spec.self);
  if (!rows.ok()) {
    return rows.status();
  }
  RequestMemory memory({.rows_max = context.options.request_rows_max,
                        .bytes_max = context.options.request_answer_bytes_max},
                       meta.eviction_horizon_us());
  for (const auto& row : *rows) {
    memory.Restore(row);
  }
  return std::make_shared<ReplicaState>(spec, std::move(meta), std::move(memory));
}

}  // namespace

absl::StatusOr<RecoveredReplica> RecoverReplica(HostContext& context, const ReplicaSpec& spec) {
  auto log = OpenLog(context, spec);
  if (!log.ok()) {
    return log.status();
  }
  auto state = LoadState(context, spec);
  if (!state.ok()) {
    return state.status();
  }
  const uint64_t applied = (*state)->meta().applied_index();
  if (applied > (*log)->LastIndex().value()) {
    return absl::DataLossError(fmt::format("entry {} is applied but the log ends at {}", applied,
                                           (*log)->LastIndex().value()));
  }
  if (spec.group.IsZero() && context.hooks.cluster != nullptr) {
    const auto cluster_state = context.data->LoadClusterState(spec.self);
    if (!cluster_state.ok()) {
      return cluster_state.status();
    }
    context.hooks.cluster->RestoreCluster(*cluster_state);
  }
  context.SawStamp((*state)->meta().last_stamp());
  return RecoveredReplica{.log = *std::move(log), .state = *std::move(state)};
}

}  // namespace quorate
