#include "server/replication/raft_groups/recovery.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "fmt/format.h"
#include "raft/configuration.h"
#include "server/runtime/log.h"
#include "server/storage/data_store.h"
#include "server/storage/log_store.h"

namespace quorate {
namespace {

constexpr uint32_t kMetaFormat = 1;

// Removes what an earlier incarnation of the group left here; the data of one that the group has
// not replaced yet waits until it has. A later one means that the spec is out of date, and nothing
// is removed.
absl::Status DestroyEarlier(HostContext& context, const ReplicaSpec& spec) {
  const auto groups = context.log->ListGroups();
  if (!groups.ok()) {
    return groups.status();
  }
  for (const LogGroupInfo& info : *groups) {
    if (info.group != spec.group) {
      continue;
    }
    if (info.replica > spec.self) {
      return absl::FailedPreconditionError(
          fmt::format("the log here belongs to the later incarnation {}", info.replica.value()));
    }
    LogInfo("replica/earlier_incarnation_removed",
            {{"group", spec.group.value()}, {"incarnation", info.replica.value()}});
    if (absl::Status status = context.log->DestroyGroup(spec.group); !status.ok()) {
      return status;
    }
    return info.replica.IsZero() || spec.Names(info.replica)
               ? absl::OkStatus()
               : context.data->DestroyReplica(info.replica);
  }
  return absl::OkStatus();
}

// Who is a member before the log says anything.
raft::Configuration FoundingConfiguration(const ReplicaSpec& spec) {
  return {.voters = spec.FirstVoters(), .outgoing = {}, .learners = {}};
}

absl::StatusOr<std::shared_ptr<GroupLog>> OpenLog(HostContext& context, const ReplicaSpec& spec) {
  const raft::Configuration founding = FoundingConfiguration(spec);
  const uint64_t life = spec.buffered ? context.options.power_losses : 0;
  auto log = context.log->OpenGroup(spec.group, spec.self, founding, life);
  if (log.ok() || !absl::IsFailedPrecondition(log.status())) {
    return log;
  }
  if (absl::Status status = DestroyEarlier(context, spec); !status.ok()) {
    return status;
  }
  return context.log->OpenGroup(spec.group, spec.self, founding, life);
}

// Makes sure that the log goes on where the data ends. Nothing is applied that is not durable in
// the log, so data that is ahead of it tells of one of two things. A crash came between a
// snapshot's data and its log: the data is marked as installed, what the log has is worth nothing
// (raft_core_snapshot.cc), and it begins anew behind the data. Without the mark the log went back
// in time, and with it what this replica voted and acknowledged. Where entries are not all synced
// that is no fault: the log lost its end to a power loss, and its replica neither votes nor counts
// until it is cured. Votes and memberships it has kept, and what is applied was committed.
absl::Status MeetLog(HostContext& context, const GroupLog& log,
                     const internal::v1::ReplicaMeta& meta) {
  const raft::LogIndex applied(meta.applied_index());
  if (applied < log.CompactedIndex()) {
    return absl::DataLossError(
        fmt::format("the data ends at entry {}, but the log begins behind {}: entries are missing",
                    applied.value(), log.CompactedIndex().value()));
  }
  const auto term = log.TermAt(applied);
  if (applied.IsZero() || (term.ok() && term->value() == meta.applied_term())) {
    return absl::OkStatus();
  }
  auto configuration = raft::DecodeConfiguration(meta.configuration());
  // A replica speaks before it gets a snapshot, so a log that knows no term was lost, votes and
  // all.
  const raft::HardState state = log.InitialHardState();
  const bool expected = state.life > state.cured || (meta.installed() && !state.term.IsZero());
  if (!expected || !configuration.ok()) {
    return absl::DataLossError(fmt::format(
        "entry {} of term {} is applied but not in the log, which ends at {}: the log went back",
        applied.value(), meta.applied_term(), log.LastIndex().value()));
  }
  LogInfo("replica/log_follows_data", {{"group", log.group().value()},
                                       {"applied", applied.value()},
                                       {"log_end", log.LastIndex().value()}});
  const raft::SnapshotMeta start{.index = applied,
                                 .term = raft::Term(meta.applied_term()),
                                 .configuration = *std::move(configuration)};
  return context.log->Append({{.group = log.group(), .reset = start}});
}

// Nothing: the replica is new.
absl::StatusOr<std::optional<internal::v1::ReplicaMeta>> LoadMeta(HostContext& context,
                                                                  ReplicaId replica) {
  auto stored = context.data->LoadMeta(replica);
  if (stored.ok() && stored->has_value() && (*stored)->format() != kMetaFormat) {
    return absl::UnimplementedError(
        fmt::format("the replica's record has format {}, this build knows {}: upgrade this node",
                    (*stored)->format(), kMetaFormat));
  }
  return stored;
}

absl::StatusOr<RequestMemory> LoadMemory(HostContext& context, ReplicaId replica,
                                         const internal::v1::ReplicaMeta& meta) {
  const auto rows = context.data->LoadRequestRows(replica);
  if (!rows.ok()) {
    return rows.status();
  }
  RequestMemory memory({.rows_max = context.options.request_rows_max,
                        .bytes_max = context.options.request_answer_bytes_max,
                        .age_max = std::chrono::duration_cast<std::chrono::microseconds>(
                            context.options.request_age_max)},
                       ForgottenTimes(meta));
  for (const auto& row : *rows) {
    memory.Restore(row);
  }
  return memory;
}

absl::StatusOr<std::shared_ptr<ReplicaState>> LoadState(HostContext& context,
                                                        const ReplicaSpec& spec) {
  auto stored = LoadMeta(context, spec.self);
  if (!stored.ok()) {
    return stored.status();
  }
  internal::v1::ReplicaMeta meta;
  if (stored->has_value()) {
    meta = *std::move(*stored);
  } else {
    meta.set_format(kMetaFormat);
  }
  // A later one than the stored: the replica was recovered, and its log begins where the data ends.
  meta.set_era(std::max(meta.era(), spec.era));
  auto memory = LoadMemory(context, spec.self, meta);
  if (!memory.ok()) {
    return memory.status();
  }
  return std::make_shared<ReplicaState>(spec, std::move(meta), *std::move(memory));
}

absl::Status RestoreCluster(HostContext& context, GroupId group, ReplicaId replica) {
  if (!group.IsZero() || context.hooks.cluster == nullptr) {
    return absl::OkStatus();
  }
  const auto cluster_state = context.data->LoadClusterState(replica);
  if (cluster_state.ok()) {
    context.hooks.cluster->RestoreCluster(*cluster_state);
  }
  return cluster_state.status();
}

}  // namespace

absl::Status ReloadState(HostContext& context, ReplicaState* state) {
  auto meta = LoadMeta(context, state->replica());
  if (!meta.ok()) {
    return meta.status();
  }
  if (!meta->has_value()) {
    return absl::DataLossError("the snapshot left no record of its replica");
  }
  auto memory = LoadMemory(context, state->replica(), **meta);
  if (!memory.ok()) {
    return memory.status();
  }
  // Of a recovered leader that had applied nothing since.
  (*meta)->set_era(std::max((*meta)->era(), state->meta().era()));
  state->Reload(*std::move(*meta), *std::move(memory));
  context.SawStamp(state->meta().last_stamp());
  return RestoreCluster(context, state->group(), state->replica());
}

absl::StatusOr<RecoveredReplica> RecoverReplica(HostContext& context, const ReplicaSpec& spec) {
  auto log = OpenLog(context, spec);
  if (!log.ok()) {
    return log.status();
  }
  auto state = LoadState(context, spec);
  if (!state.ok()) {
    return state.status();
  }
  // Written by a version that did not keep it, nor cut its log; or nothing is applied yet.
  if (const auto& meta = (*state)->meta(); meta.configuration().empty()) {
    (*state)->BeginWith((*log)->ConfigurationAt(raft::LogIndex(meta.applied_index())));
  }
  if (absl::Status status = MeetLog(context, **log, (*state)->meta()); !status.ok()) {
    return status;
  }
  if (absl::Status status = RestoreCluster(context, spec.group, spec.self); !status.ok()) {
    return status;
  }
  context.SawStamp((*state)->meta().last_stamp());
  return RecoveredReplica{.log = *std::move(log), .state = *std::move(state)};
}

}  // namespace quorate
