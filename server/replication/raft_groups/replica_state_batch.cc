// Applying batches.
#include <algorithm>
#include <utility>

#include "server/replication/raft_groups/condition.h"
#include "server/replication/raft_groups/replica_state.h"
#include "server/runtime/check.h"

namespace quorate {
namespace {

bool HasGets(const internal::v1::BatchCommand& command) {
  return std::any_of(command.steps().begin(), command.steps().end(),
                     [](const internal::v1::BatchStep& step) { return step.has_get(); });
}

}  // namespace

using internal::v1::AppliedResult;
using internal::v1::BatchCommand;
using internal::v1::BatchStep;
using internal::v1::Command;

bool ReplicaState::ReadsValues(const Command& command) {
  return command.has_increment() || (command.has_batch() && HasGets(command.batch()));
}

absl::StatusOr<ReplicaState::Versions> ReplicaState::ReadVersions(const BatchCommand& command,
                                                                  const DataStore& data,
                                                                  const ApplyBatch& batch) const {
  Versions versions;
  for (const BatchStep& step : command.steps()) {
    const bool conditional_put =
        step.has_put() && step.put().condition().test_case() != kv::v1::Condition::TEST_NOT_SET;
    if (!conditional_put && !step.has_delete_()) {
      continue;
    }
    const std::string_view key = step.has_put() ? step.put().key() : step.delete_().key();
    if (versions.contains(key)) {
      continue;
    }
    auto current = data.GetVersion(replica_, key, batch);
    if (!current.ok()) {
      return current.status();
    }
    versions.emplace(key, *current);
  }
  return versions;
}

AppliedResult ReplicaState::StepNow(const BatchStep& step, Versions* versions, uint64_t stamp,
                                    ApplyBatch* batch) {
  const std::string_view key = step.has_put() ? step.put().key() : step.delete_().key();
  const auto known = versions->find(key);
  const std::optional<Version> current =
      known == versions->end() ? std::nullopt : std::move(known->second);
  AppliedResult result = step.has_put() ? PutNow(step.put(), current, stamp, batch)
                                        : DeleteNow(step.delete_(), current, stamp, batch);
  if (known != versions->end()) {  // some later step may ask for it
    if (result.condition_false()) {
      known->second = current;
    } else if (step.has_put()) {
      known->second = Version::Make(meta_.era(), stamp);
    } else {
      known->second.reset();
    }
  }
  return result;
}

absl::StatusOr<ReplicaState::Outcome> ReplicaState::ApplySteps(const Command& command,
                                                               uint64_t index,
                                                               const DataStore& data,
                                                               ApplyBatch* batch) {
  const BatchCommand& steps = command.batch();
  auto versions = ReadVersions(steps, data, *batch);
  if (!versions.ok()) {
    return versions.status();
  }
  const bool named = command.has_request_id() && RequestMemory::IsValid(command.request_id());
  internal::v1::RequestRow row;
  WriteAnswer answer;
  for (const BatchStep& step : steps.steps()) {
    AppliedResult* const result = answer.result.add_steps();
    if (named) {
      auto found = memory_.Find(command.request_id(), step.sequence());
      if (found.verdict == RequestMemory::Verdict::kRepeat) {
        *result = std::move(found.first_answer);
        result->set_repeated_step(true);
        continue;
      }
      if (found.verdict == RequestMemory::Verdict::kExpired) {
        result->set_expired_step(true);
        continue;
      }
    }
    // A version each: the same key may be written twice.
    const uint64_t stamp = NextStamp(meta_.last_stamp(), command.stamp());
    meta_.set_last_stamp(stamp);
    *result = StepNow(step, &*versions, stamp, batch);
    if (named) {
      row.add_step_sequences(step.sequence());
      *row.mutable_result()->add_steps() = *result;
    }
  }
  if (row.step_sequences_size() > 0) {
    row.mutable_request_id()->set_client_id(command.request_id().client_id());
    row.mutable_request_id()->set_cluster_time_us(command.request_id().cluster_time_us());
    row.set_index(index);
    Remember(std::move(row), batch);
  }
  return Outcome{std::move(answer)};
}

absl::Status ReplicaState::ReadValues(const BatchCommand& command, const DataStore& data,
                                      AppliedResult* result) const {
  size_t bytes = 0;
  for (const BatchStep& step : command.steps()) {
    AppliedResult* const read = result->add_steps();
    if (!step.has_get()) {
      continue;
    }
    auto stored = data.Get(replica_, step.get());
    if (!stored.ok()) {
      return stored.status();
    }
    if (!stored->has_value()) {
      continue;
    }
    bytes += (*stored)->value.size();
    if (bytes > kAtomicReadBytesMax) {
      result->clear_steps();
      result->set_answer_too_large(true);
      return absl::OkStatus();
    }
    read->set_version((*stored)->version.ToBytes());
    read->set_value(std::move((*stored)->value));
  }
  return absl::OkStatus();
}

absl::StatusOr<AppliedResult> ReplicaState::ApplyAtomic(const BatchCommand& command, uint64_t stamp,
                                                        const DataStore& data, ApplyBatch* batch) {
  auto versions = ReadVersions(command, data, *batch);
  if (!versions.ok()) {
    return versions.status();
  }
  AppliedResult result;
  for (const BatchStep& step : command.steps()) {
    AppliedResult* const judged = result.add_steps();
    judged->set_not_applied(true);
    if (step.has_get()) {
      continue;
    }
    const auto known = versions->find(step.has_put() ? step.put().key() : step.delete_().key());
    const kv::v1::Condition& condition =
        step.has_put() ? step.put().condition() : step.delete_().condition();
    if (known != versions->end() && !Holds(condition, known->second)) {
      *judged = ConditionFalse(known->second);
      result.set_condition_false(true);
    }
  }
  if (result.condition_false()) {
    return result;
  }
  result.clear_steps();
  // Values are read from the store, which does not show what the batch holds.
  QUORATE_CHECK(batch->IsEmpty() || !HasGets(command));
  if (absl::Status read = ReadValues(command, data, &result); !read.ok()) {
    return read;
  }
  if (result.answer_too_large()) {
    return result;
  }
  for (int i = 0; i < command.steps_size(); ++i) {
    if (!command.steps(i).has_get()) {
      *result.mutable_steps(i) = StepNow(command.steps(i), &*versions, stamp, batch);
    }
  }
  result.set_version(Version::Make(meta_.era(), stamp).ToBytes());
  return result;
}

}  // namespace quorate
