#include "server/replication/raft_groups/request_dedup.h"

#include <algorithm>
#include <string>
#include <utility>

#include "server/runtime/check.h"

namespace quorate {

using internal::v1::AppliedResult;
using internal::v1::RequestRow;

RequestMemory::RequestMemory(const Bounds& bounds, ForgottenTimes forgotten)
    : bounds_(bounds), forgotten_(std::move(forgotten)) {}

size_t RequestMemory::AnswerBytes(const AppliedResult& answer) {
  constexpr size_t kStepBytes = 64;  // about what a step without a value takes
  size_t bytes = 0;
  for (const AppliedResult& step : answer.steps()) {
    bytes += kStepBytes + step.value().size();
  }
  return bytes;
}

bool RequestMemory::IsValid(const kv::v1::RequestId& id) { return id.client_id().size() == 16; }

RequestMemory::Key RequestMemory::KeyOf(const kv::v1::RequestId& id, uint64_t sequence) {
  Key key;
  std::copy_n(id.client_id().data(), key.client.size(), key.client.data());
  key.sequence = sequence;
  return key;
}

AppliedResult RequestMemory::AnswerOf(const Row& row) {
  if (row.whole) {
    return *row.whole;
  }
  AppliedResult answer;
  if (row.has_version) {
    answer.set_version(row.version.data(), row.version.size());
  }
  answer.set_condition_false(row.condition_false);
  answer.set_existed(row.existed);
  if (row.has_number) {
    answer.set_number(row.number);
  }
  answer.set_not_a_number(row.not_a_number);
  answer.set_number_overflow(row.number_overflow);
  return answer;
}

void RequestMemory::Insert(const RequestRow& row) {
  if (row.step_sequences().empty()) {
    InsertOne(row, row.request_id().sequence(), row.result());
    return;
  }
  const int steps = std::min(row.step_sequences_size(), row.result().steps_size());
  for (int i = 0; i < steps; ++i) {
    InsertOne(row, row.step_sequences(i), row.result().steps(i));
  }
}

void RequestMemory::InsertOne(const RequestRow& from, uint64_t sequence,
                              const AppliedResult& answer) {
  Row row;
  row.key = KeyOf(from.request_id(), sequence);
  row.cluster_time_us = from.request_id().cluster_time_us();
  row.applied_at_age_us = from.applied_at_age_us();
  row.index = from.index();
  row.has_version = answer.version().size() == row.version.size();
  if (row.has_version) {
    std::copy_n(answer.version().data(), row.version.size(), row.version.data());
  }
  row.condition_false = answer.condition_false();
  row.existed = answer.existed();
  row.has_number = answer.has_number();
  row.number = answer.number();
  row.not_a_number = answer.not_a_number();
  row.number_overflow = answer.number_overflow();
  if (answer.steps_size() > 0 || answer.answer_too_large()) {
    row.whole = std::make_unique<AppliedResult>(answer);
    bytes_ += AnswerBytes(answer);
  }
  number_of_[row.key] = first_number_ + rows_.size();
  rows_.push_back(std::move(row));
}

void RequestMemory::Restore(const RequestRow& row) {
  if (IsValid(row.request_id())) {
    Insert(row);
  }
}

RequestMemory::Lookup RequestMemory::Find(const kv::v1::RequestId& id) const {
  return Find(id, id.sequence());
}

RequestMemory::Lookup RequestMemory::Find(const kv::v1::RequestId& id, uint64_t sequence) const {
  const auto found = number_of_.find(KeyOf(id, sequence));
  if (found != number_of_.end()) {
    return {.verdict = Verdict::kRepeat,
            .first_answer = AnswerOf(rows_[found->second - first_number_])};
  }
  const bool expired = forgotten_.Contains(id.cluster_time_us());
  return {.verdict = expired ? Verdict::kExpired : Verdict::kNew, .first_answer = {}};
}

bool RequestMemory::IsTooOld(uint64_t age_us) const {
  const auto age_max_us = static_cast<uint64_t>(bounds_.age_max.count());
  const uint64_t then_us = rows_.front().applied_at_age_us;
  return age_max_us > 0 && age_us > then_us && age_us - then_us > age_max_us;
}

void RequestMemory::ForgetOldest() {
  const Row& oldest = rows_.front();
  forgotten_.Add(oldest.cluster_time_us);
  if (oldest.whole) {
    bytes_ -= AnswerBytes(*oldest.whole);
  }
  number_of_.erase(oldest.key);
  rows_.pop_front();
  ++first_number_;
}

std::vector<uint64_t> RequestMemory::Remember(const RequestRow& row) {
  QUORATE_CHECK(IsValid(row.request_id()));
  Insert(row);
  std::vector<uint64_t> forgotten;
  while (!rows_.empty() && rows_.front().index != row.index() &&
         (IsOverfull() || (forgotten.size() < kAgedAtOnce && IsTooOld(row.applied_at_age_us())))) {
    // The store has one row for the entry: all its ids go together.
    const uint64_t index = rows_.front().index;
    while (!rows_.empty() && rows_.front().index == index) {
      ForgetOldest();
    }
    forgotten.push_back(index);
  }
  return forgotten;
}

}  // namespace quorate
