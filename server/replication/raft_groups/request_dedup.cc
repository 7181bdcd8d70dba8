#include "server/replication/raft_groups/request_dedup.h"

#include <algorithm>
#include <string>

#include "server/runtime/check.h"

namespace quorate {

using internal::v1::AppliedResult;
using internal::v1::RequestRow;

RequestMemory::RequestMemory(size_t rows_max, uint64_t horizon_us)
    : rows_max_(rows_max), horizon_us_(horizon_us) {
  QUORATE_CHECK(rows_max > 0);
}

bool RequestMemory::IsValid(const kv::v1::RequestId& id) { return id.client_id().size() == 16; }

RequestMemory::Key RequestMemory::KeyOf(const kv::v1::RequestId& id) {
  Key key;
  std::copy_n(id.client_id().data(), key.client.size(), key.client.data());
  key.sequence = id.sequence();
  return key;
}

AppliedResult RequestMemory::AnswerOf(const Row& row) {
  AppliedResult answer;
  if (row.has_version) {
    answer.set_version(row.version.data(), row.version.size());
  }
  answer.set_condition_false(row.condition_false);
  answer.set_existed(row.existed);
  return answer;
}

void RequestMemory::Insert(const kv::v1::RequestId& id, const AppliedResult& answer,
                           uint64_t index) {
  Row row;
  row.key = KeyOf(id);
  row.cluster_time_us = id.cluster_time_us();
  row.index = index;
  row.has_version = answer.version().size() == row.version.size();
  if (row.has_version) {
    std::copy_n(answer.version().data(), row.version.size(), row.version.data());
  }
  row.condition_false = answer.condition_false();
  row.existed = answer.existed();
  number_of_[row.key] = first_number_ + rows_.size();
  rows_.push_back(row);
}

void RequestMemory::Restore(const RequestRow& row) {
  if (IsValid(row.request_id())) {
    Insert(row.request_id(), row.result(), row.index());
  }
}

RequestMemory::Lookup RequestMemory::Find(const kv::v1::RequestId& id) const {
  const auto found = number_of_.find(KeyOf(id));
  if (found != number_of_.end()) {
    return {.verdict = Verdict::kRepeat,
            .first_answer = AnswerOf(rows_[found->second - first_number_])};
  }
  const bool forgotten = horizon_us_ > 0 && id.cluster_time_us() <= horizon_us_;
  return {.verdict = forgotten ? Verdict::kExpired : Verdict::kNew, .first_answer = {}};
}

std::vector<uint64_t> RequestMemory::Remember(const kv::v1::RequestId& id,
                                              const AppliedResult& answer, uint64_t index) {
  QUORATE_CHECK(IsValid(id));
  Insert(id, answer, index);
  std::vector<uint64_t> evicted;
  // More than one only after the bound was lowered between two lives of the process.
  while (rows_.size() > rows_max_) {
    const Row& oldest = rows_.front();
    // At least 1, so that a forgotten id without a time still leaves a horizon.
    horizon_us_ = std::max({horizon_us_, oldest.cluster_time_us, uint64_t{1}});
    evicted.push_back(oldest.index);
    number_of_.erase(oldest.key);
    rows_.pop_front();
    ++first_number_;
  }
  return evicted;
}

}  // namespace quorate
