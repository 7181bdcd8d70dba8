// Applying batches.
#include <algorithm>
#include <string>
#include <utility>

#include "server/replication/raft_groups/condition.h"
#include "server/replication/raft_groups/replica_state.h"
#include "server/runtime/check.h"

namespace quorate {

using internal::v1::AppliedResult;
using internal::v1::BatchCommand;
using internal::v1::BatchStep;
using internal::v1::Command;

namespace {

bool ReadsAnyValue(const BatchCommand& command) {
  return std::any_of(command.steps().begin(), command.steps().end(),
                     [](const BatchStep& step) { return step.has_get() || step.has_increment(); });
}

// Of a step that writes.
const std::string& KeyOf(const BatchStep& step) {
  return step.has_put()       ? step.put().key()
         : step.has_delete_() ? step.delete_().key()
                              : step.increment().key();
}

}  // namespace

bool ReplicaState::ReadsValues(const Command& command) {
  return command.has_increment() || (command.has_batch() && ReadsAnyValue(command.batch()));
}

absl::StatusOr<ReplicaState::KeysMet> ReplicaState::ReadKeys(const BatchCommand& command,
                                                             const DataStore& data,
                                                             const ApplyBatch& batch) const {
  QUORATE_CHECK(batch.IsEmpty() || !ReadsAnyValue(command));
  KeysMet keys;
  for (const BatchStep& step : command.steps()) {  // these know the version too
    if (step.has_increment() && !keys.contains(KeyOf(step))) {
      auto current = ReadNumber(KeyOf(step), data);
      if (!current.ok()) {
        return current.status();
      }
      keys.emplace(KeyOf(step), *std::move(current));
    }
  }
  for (const BatchStep& step : command.steps()) {
    const bool conditional_put =
        step.has_put() && step.put().condition().test_case() != kv::v1::Condition::TEST_NOT_SET;
    if ((!conditional_put && !step.has_delete_()) || keys.contains(KeyOf(step))) {
      continue;
    }
    auto version = data.GetVersion(replica_, KeyOf(step), batch);
    if (!version.ok()) {
      return version.status();
    }
    keys.emplace(KeyOf(step), Current{.version = *version});
  }
  return keys;
}

AppliedResult ReplicaState::StepNow(const BatchStep& step, KeysMet* keys, uint64_t stamp,
                                    ApplyBatch* batch) {
  const auto known = keys->find(KeyOf(step));
  if (known == keys->end()) {
    return PutNow(step.put(), std::nullopt, stamp, batch);
  }
  const Current current = known->second;
  AppliedResult result;
  Current after{.version = Version::Make(meta_.era(), stamp)};
  if (step.has_put()) {
    result = PutNow(step.put(), current.version, stamp, batch);
    after.number = NumberOf(step.put().value());
  } else if (step.has_delete_()) {
    result = DeleteNow(step.delete_(), current.version, stamp, batch);
    after.version.reset();
  } else {
    result = IncrementNow(step.increment(), current, stamp, batch);
    after.number = result.number();
    after.expiry_us = current.expiry_us;
  }
  const bool done =
      !result.condition_false() && !result.not_a_number() && !result.number_overflow();
  if (done) {
    known->second = after;
  }
  return result;
}

absl::StatusOr<ReplicaState::Outcome> ReplicaState::ApplySteps(const Command& command,
                                                               uint64_t index,
                                                               const DataStore& data,
                                                               ApplyBatch* batch) {
  const BatchCommand& steps = command.batch();
  auto keys = ReadKeys(steps, data, *batch);
  if (!keys.ok()) {
    return keys.status();
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
    *result = StepNow(step, &*keys, stamp, batch);
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

std::optional<AppliedResult> ReplicaState::RefusalOf(const BatchStep& step,
                                                     const Current& current) {
  if (step.has_increment()) {
    return RefusalOf(step.increment(), current);
  }
  const kv::v1::Condition& condition =
      step.has_put() ? step.put().condition() : step.delete_().condition();
  return Holds(condition, current.version) ? std::nullopt
                                           : std::optional(ConditionFalse(current.version));
}

absl::StatusOr<AppliedResult> ReplicaState::ApplyAtomic(const BatchCommand& command, uint64_t stamp,
                                                        const DataStore& data, ApplyBatch* batch) {
  auto keys = ReadKeys(command, data, *batch);
  if (!keys.ok()) {
    return keys.status();
  }
  AppliedResult result;
  bool refused = false;
  for (const BatchStep& step : command.steps()) {
    AppliedResult* const judged = result.add_steps();
    judged->set_not_applied(true);
    if (step.has_get()) {
      continue;
    }
    const auto known = keys->find(KeyOf(step));
    if (known == keys->end()) {
      continue;  // a plain put
    }
    if (auto why = RefusalOf(step, known->second)) {
      *judged = *std::move(why);
      result.set_condition_false(result.condition_false() || judged->condition_false());
      refused = true;
    }
  }
  if (refused) {
    return result;
  }
  result.clear_steps();
  if (absl::Status read = ReadValues(command, data, &result); !read.ok()) {
    return read;
  }
  if (result.answer_too_large()) {
    return result;
  }
  for (int i = 0; i < command.steps_size(); ++i) {
    if (!command.steps(i).has_get()) {
      *result.mutable_steps(i) = StepNow(command.steps(i), &*keys, stamp, batch);
    }
  }
  result.set_version(Version::Make(meta_.era(), stamp).ToBytes());
  return result;
}

}  // namespace quorate
