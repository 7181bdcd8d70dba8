#include "server/replication/raft_groups/replica_state.h"

#include <utility>
#include <vector>

#include "fmt/format.h"
#include "proto/error_detail.h"
#include "server/replication/raft_groups/condition.h"
#include "server/runtime/check.h"
#include "xxhash.h"

namespace quorate {
namespace {

using internal::v1::AppliedResult;
using internal::v1::Command;

constexpr uint32_t kFormatKnown = 1;
constexpr uint32_t kFeatureLevelKnown = 4;

absl::Status CheckKnown(const Command& command) {
  if (command.format() == 0) {
    return absl::InternalError("the command has no format");
  }
  if (command.format() > kFormatKnown) {
    return absl::UnimplementedError(
        fmt::format("the command has format {}, this build knows {}: upgrade this node",
                    command.format(), kFormatKnown));
  }
  if (command.feature_level() > kFeatureLevelKnown) {
    return absl::UnimplementedError(
        fmt::format("the command needs feature level {}, this build has {}: upgrade this node",
                    command.feature_level(), kFeatureLevelKnown));
  }
  if (command.body_case() == Command::BODY_NOT_SET) {
    return absl::InternalError("the command has no body that this build knows");
  }
  for (const internal::v1::BatchStep& step : command.batch().steps()) {
    if (step.body_case() == internal::v1::BatchStep::BODY_NOT_SET ||
        (step.has_get() && !command.batch().atomic())) {
      return absl::InternalError("a step of the batch has no body that this build knows");
    }
  }
  return absl::OkStatus();
}

bool IsNamed(const Command& command) {
  return command.has_request_id() && RequestMemory::IsValid(command.request_id());
}

// To a repeat, or to an id that may have been forgotten; nothing when the command is new.
std::optional<absl::StatusOr<WriteAnswer>> AnswerOfMemory(const RequestMemory& memory,
                                                          const Command& command) {
  if (!IsNamed(command)) {
    return std::nullopt;
  }
  RequestMemory::Lookup found = memory.Find(command.request_id());
  switch (found.verdict) {
    case RequestMemory::Verdict::kNew:
      return std::nullopt;
    case RequestMemory::Verdict::kRepeat:
      return WriteAnswer{.result = std::move(found.first_answer), .repeated = true};
    case RequestMemory::Verdict::kExpired:
      break;
  }
  return MakeError(kv::v1::REASON_REQUEST_ID_EXPIRED, kv::v1::OUTCOME_UNKNOWN,
                   "the request id is older than what the partition remembers: whether it was "
                   "applied is not known; read the key");
}

}  // namespace

ReplicaState::ReplicaState(const ReplicaSpec& spec, internal::v1::ReplicaMeta meta,
                           RequestMemory memory)
    : group_(spec.group),
      replica_(spec.self),
      routing_(spec.routing),
      meta_(std::move(meta)),
      memory_(std::move(memory)) {}

const Command* ReplicaState::Decode(const raft::Entry& entry, const Command* known) {
  if (known != nullptr || entry.kind != raft::EntryKind::kCommand) {
    return known;
  }
  return scratch_.ParseFromString(*entry.payload) ? &scratch_ : nullptr;
}

absl::StatusOr<ReplicaState::Outcome> ReplicaState::Apply(const raft::Entry& entry,
                                                          const Command* command,
                                                          const DataStore& data,
                                                          ClusterApplier* cluster,
                                                          ApplyBatch* batch) {
  QUORATE_CHECK(entry.index.value() == meta_.applied_index() + 1) << entry.index.value();
  absl::StatusOr<Outcome> outcome = Outcome{WriteAnswer{}};
  if (entry.kind == raft::EntryKind::kCommand) {
    if (command == nullptr) {
      return absl::InternalError("the command cannot be decoded");
    }
    const uint64_t age_before_us = meta_.age_us();
    meta_.set_age_us(age_before_us + command->elapsed_us());
    outcome = ApplyCommand(*command, entry.index.value(), data, cluster, batch);
    if (!outcome.ok()) {
      meta_.set_age_us(age_before_us);
      return outcome;
    }
  }
  Advance(entry);
  return outcome;
}

absl::StatusOr<ReplicaState::Outcome> ReplicaState::ApplyCommand(const Command& command,
                                                                 uint64_t index,
                                                                 const DataStore& data,
                                                                 ClusterApplier* cluster,
                                                                 ApplyBatch* batch) {
  if (absl::Status known = CheckKnown(command); !known.ok()) {
    return known;
  }
  if (command.has_batch() && !command.batch().atomic()) {
    return ApplySteps(command, index, data, batch);
  }
  if (auto remembered = AnswerOfMemory(memory_, command)) {
    return Outcome{*std::move(remembered)};
  }
  const uint64_t stamp = NextStamp(meta_.last_stamp(), command.stamp());
  absl::StatusOr<AppliedResult> result = AppliedResult();
  switch (command.body_case()) {
    case Command::kPut:
      result = ApplyPut(command.put(), stamp, data, batch);
      break;
    case Command::kDelete:
      result = ApplyDelete(command.delete_(), stamp, data, batch);
      break;
    case Command::kCluster: {
      if (cluster == nullptr || !group_.IsZero()) {
        return absl::InternalError("a cluster command outside the meta group");
      }
      std::string new_state;
      const absl::Status applied = cluster->ApplyCluster(command.cluster(), &new_state);
      meta_.set_last_stamp(stamp);
      if (!applied.ok()) {
        return Outcome{applied};
      }
      if (!new_state.empty()) {  // empty: a repeat that changed nothing
        batch->PutClusterState(replica_, new_state);
      }
      break;
    }
    case Command::kBatch:
      result = ApplyAtomic(command.batch(), stamp, data, batch);
      break;
    case Command::kIncrement:
      result = ApplyIncrement(command.increment(), stamp, data, batch);
      break;
    case Command::BODY_NOT_SET:
      break;  // refused by CheckKnown
  }
  if (!result.ok()) {
    return result.status();
  }
  meta_.set_last_stamp(stamp);
  if (IsNamed(command)) {
    internal::v1::RequestRow row;
    *row.mutable_request_id() = command.request_id();
    *row.mutable_result() = *result;
    row.set_index(index);
    Remember(std::move(row), batch);
  }
  return Outcome{WriteAnswer{.result = *std::move(result), .repeated = false}};
}

absl::StatusOr<AppliedResult> ReplicaState::ApplyPut(const internal::v1::PutCommand& put,
                                                     uint64_t stamp, const DataStore& data,
                                                     ApplyBatch* batch) {
  absl::StatusOr<std::optional<Version>> current = std::optional<Version>();
  // Plain puts, the most by far, read nothing.
  if (put.condition().test_case() != kv::v1::Condition::TEST_NOT_SET) {
    current = data.GetVersion(replica_, put.key(), *batch);
    if (!current.ok()) {
      return current.status();
    }
  }
  return PutNow(put, *current, stamp, batch);
}

AppliedResult ReplicaState::PutNow(const internal::v1::PutCommand& put,
                                   const std::optional<Version>& current, uint64_t stamp,
                                   ApplyBatch* batch) {
  if (!Holds(put.condition(), current)) {
    return ConditionFalse(current);
  }
  const Version version = Version::Make(meta_.era(), stamp);
  batch->PutValue(replica_, put.key(),
                  NewValue{.version = version,
                           .value = put.value(),
                           .key_hash = RoutingHash(RoutingKey(put.key(), routing_)),
                           .expiry_us = 0});
  AppliedResult result;
  result.set_version(version.ToBytes());
  return result;
}

absl::StatusOr<AppliedResult> ReplicaState::ApplyDelete(const internal::v1::DeleteCommand& command,
                                                        uint64_t stamp, const DataStore& data,
                                                        ApplyBatch* batch) {
  const auto current = data.GetVersion(replica_, command.key(), *batch);
  if (!current.ok()) {
    return current.status();
  }
  return DeleteNow(command, *current, stamp, batch);
}

AppliedResult ReplicaState::DeleteNow(const internal::v1::DeleteCommand& command,
                                      const std::optional<Version>& current, uint64_t stamp,
                                      ApplyBatch* batch) {
  if (!Holds(command.condition(), current)) {
    return ConditionFalse(current);
  }
  AppliedResult result;
  result.set_version(Version::Make(meta_.era(), stamp).ToBytes());
  result.set_existed(current.has_value());
  if (current.has_value()) {
    batch->DeleteValue(replica_, command.key());
  }
  return result;
}

void ReplicaState::Remember(internal::v1::RequestRow row, ApplyBatch* batch) {
  row.set_applied_at_age_us(meta_.age_us());
  const std::vector<uint64_t> forgotten = memory_.Remember(row);
  for (const uint64_t index : forgotten) {
    batch->DeleteRequestRow(replica_, index);
  }
  if (!forgotten.empty()) {
    memory_.forgotten().Store(&meta_);
  }
  batch->PutRequestRow(replica_, row);
}

void ReplicaState::Advance(const raft::Entry& entry) {
  if (entry.kind == raft::EntryKind::kConfig) {
    meta_.set_configuration(*entry.payload);
  }
  meta_.set_applied_index(entry.index.value());
  meta_.set_applied_term(entry.term.value());
  meta_.clear_installed();  // the entry stands in the log, behind the snapshot
  const uint64_t head[] = {meta_.applied_hash(), entry.term.value(), entry.index.value(),
                           static_cast<uint64_t>(entry.kind)};
  uint64_t hash = XXH3_64bits(head, sizeof(head));
  if (entry.payload) {
    hash = XXH3_64bits_withSeed(entry.payload->data(), entry.payload->size(), hash);
  }
  meta_.set_applied_hash(hash);
}

}  // namespace quorate
