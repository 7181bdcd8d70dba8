#include "server/replication/raft_groups/take_over.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "fmt/format.h"
#include "raft/configuration.h"
#include "server/runtime/log.h"
#include "server/storage/data_store.h"
#include "server/storage/log_store.h"
#include "server/storage/replica_snapshot.h"
#include "server/storage/staged_snapshot.h"

namespace quorate {
namespace {

// What the data is as of.
struct DataEnd {
  raft::LogIndex applied;
  raft::Term term;
  raft::Configuration configuration;
};

absl::StatusOr<DataEnd> EndOf(const internal::v1::ReplicaMeta& meta) {
  auto configuration = raft::DecodeConfiguration(meta.configuration());
  if (!configuration.ok()) {
    return configuration.status();
  }
  return DataEnd{.applied = raft::LogIndex(meta.applied_index()),
                 .term = raft::Term(meta.applied_term()),
                 .configuration = *std::move(configuration)};
}

bool Votes(ReplicaId replica, const raft::Configuration& configuration) {
  return std::binary_search(configuration.voters.begin(), configuration.voters.end(), replica);
}

// A copy that is there is all of it, and may be more than is left of what it was made from: that
// was in memory in part, and the log may be cut by now.
absl::StatusOr<DataEnd> CopyData(HostContext& context, ReplicaId from, ReplicaId to) {
  const auto copied = context.data->LoadMeta(to);
  if (!copied.ok()) {
    return copied.status();
  }
  if (copied->has_value()) {
    auto end = EndOf(**copied);
    if (end.ok() && Votes(to, end->configuration)) {
      return absl::DataLossError("it has lived already, and its log is gone or went back");
    }
    return end;
  }
  auto reader = context.data->ReadReplica(from);
  if (absl::IsNotFound(reader.status())) {
    return DataEnd();  // nothing was ever applied
  }
  if (!reader.ok()) {
    return reader.status();
  }
  auto staged = context.data->StageSnapshot(to);
  if (!staged.ok()) {
    return staged.status();
  }
  SnapshotReader::Chunk chunk;
  while (!chunk.last) {
    auto next = (*reader)->Next();
    if (!next.ok()) {
      return next.status();
    }
    chunk = *std::move(next);
    if (absl::Status status = (*staged)->Add(chunk.content); !status.ok()) {
      return status;
    }
  }
  if (absl::Status status = (*staged)->Finish(chunk.stream_checksum); !status.ok()) {
    return status;
  }
  if (absl::Status status = context.data->InstallSnapshot(**staged); !status.ok()) {
    context.Poison(status);
    return status;
  }
  return EndOf((*staged)->meta());
}

// What the survivor's log gets so that it is of one voter, and begins where the data ends.
absl::StatusOr<LogAppend> LastWill(const GroupLog& log, const ReplicaSpec& spec,
                                   const DataEnd& data) {
  if (data.applied < log.CompactedIndex()) {
    return absl::DataLossError(
        fmt::format("the data ends at entry {}, but the log begins behind {}: entries are missing",
                    data.applied.value(), log.CompactedIndex().value()));
  }
  LogAppend append{.group = spec.group};
  raft::LogIndex last = log.LastIndex();
  if (const auto term = log.TermAt(data.applied); term.ok() && *term == data.term) {
    append.drop_to = data.applied;
  } else {
    // The log lost its end to a power loss, or a snapshot was installed before it.
    append.reset = raft::SnapshotMeta{
        .index = data.applied, .term = data.term, .configuration = data.configuration};
    last = data.applied;
  }
  raft::HardState state = log.InitialHardState();
  state.term = std::max(state.term, data.term).Next();
  state.voted_for = spec.self;
  state.commit = std::min(state.commit, last);
  state.cured = state.life;
  append.hard_state = state;
  const raft::Configuration alone{
      .voters = {spec.self}, .outgoing = {}, .learners = {}, .epoch = spec.placement_epoch};
  append.entries.push_back(
      {.term = state.term,
       .index = last.Next(),
       .kind = raft::EntryKind::kConfig,
       .payload = std::make_shared<const std::string>(raft::EncodeConfiguration(alone))});
  return append;
}

absl::Status TakeOverLog(HostContext& context, const ReplicaSpec& spec, const DataEnd& data) {
  context.log->CloseGroup(spec.group);
  const uint64_t life = spec.buffered ? context.options.power_losses : 0;
  const auto log = context.log->OpenGroup(spec.group, spec.recovered_from, {}, life);
  if (!log.ok()) {
    return log.status();
  }
  auto will = LastWill(**log, spec, data);
  if (!will.ok()) {
    return will.status();
  }
  if (absl::Status status = context.log->Append({*std::move(will)}); !status.ok()) {
    return status;
  }
  return context.log->GiveGroup(spec.group, spec.self);
}

}  // namespace

absl::Status TakeOver(HostContext& context, const ReplicaSpec& spec) {
  const auto owner = context.log->OwnerOf(spec.group);
  if (!owner.ok()) {
    return owner.status();
  }
  if (*owner != spec.self) {
    if (!owner->IsZero() && *owner != spec.recovered_from) {
      return absl::FailedPreconditionError(
          fmt::format("the log here belongs to incarnation {}, not to {}, which was to survive",
                      owner->value(), spec.recovered_from.value()));
    }
    const auto data = CopyData(context, spec.recovered_from, spec.self);
    if (!data.ok()) {
      return data.status();
    }
    if (owner->IsZero() && data->applied.IsZero()) {
      return absl::DataLossError(
          fmt::format("there is nothing here of incarnation {}, which was to survive",
                      spec.recovered_from.value()));
    }
    if (absl::Status status = TakeOverLog(context, spec, *data); !status.ok()) {
      return status;
    }
    LogWarning("replica/recovered_alone", {{"group", spec.group.value()},
                                           {"keyspace", spec.keyspace},
                                           {"partition", spec.partition},
                                           {"survivor", spec.recovered_from.value()},
                                           {"incarnation", spec.self.value()},
                                           {"applied", data->applied.value()}});
  }
  // What is left of the survivor is of no use any more, and no reason not to serve.
  const auto left = context.data->LoadMeta(spec.recovered_from);
  const absl::Status removed = !left.ok() ? left.status()
                               : left->has_value()
                                   ? context.data->DestroyReplica(spec.recovered_from)
                                   : absl::OkStatus();
  if (!removed.ok()) {
    LogWarning("replica/survivor_not_removed", {{"incarnation", spec.recovered_from.value()},
                                                {"error", std::string(removed.message())}});
  }
  return absl::OkStatus();
}

}  // namespace quorate
