// Applying increments.
#include <charconv>
#include <limits>
#include <utility>

#include "fmt/format.h"
#include "server/replication/raft_groups/replica_state.h"
#include "server/runtime/check.h"

namespace quorate {
namespace {

using internal::v1::AppliedResult;

std::optional<int64_t> Sum(int64_t a, int64_t b) {
  using Limits = std::numeric_limits<int64_t>;
  if (b > 0 ? a > Limits::max() - b : a < Limits::min() - b) {
    return std::nullopt;
  }
  return a + b;
}

}  // namespace

// Only the text that an increment itself would write is a number: "7", not "07", "+7" or " 7". So a
// number has one text, whoever wrote it.
std::optional<int64_t> ReplicaState::NumberOf(std::string_view text) {
  int64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc() || fmt::format("{}", number) != text) {
    return std::nullopt;
  }
  return number;
}

absl::StatusOr<ReplicaState::Current> ReplicaState::ReadNumber(std::string_view key,
                                                               const DataStore& data) const {
  const auto stored = data.Get(replica_, key);
  if (!stored.ok()) {
    return stored.status();
  }
  Current current;
  if (stored->has_value()) {
    current = {.version = (*stored)->version,
               .number = NumberOf((*stored)->value),
               .expiry_us = (*stored)->expiry_us};
  }
  return current;
}

std::optional<AppliedResult> ReplicaState::RefusalOf(const internal::v1::IncrementCommand& command,
                                                     const Current& current) {
  if (current.number && Sum(*current.number, command.delta())) {
    return std::nullopt;
  }
  AppliedResult refused;
  refused.set_not_a_number(!current.number.has_value());
  refused.set_number_overflow(current.number.has_value());
  if (current.version) {
    refused.set_version(current.version->ToBytes());
  }
  return refused;
}

absl::StatusOr<AppliedResult> ReplicaState::ApplyIncrement(
    const internal::v1::IncrementCommand& command, uint64_t stamp, const DataStore& data,
    ApplyBatch* batch) {
  QUORATE_CHECK(batch->IsEmpty());
  const auto current = ReadNumber(command.key(), data);
  if (!current.ok()) {
    return current.status();
  }
  return IncrementNow(command, *current, stamp, batch);
}

AppliedResult ReplicaState::IncrementNow(const internal::v1::IncrementCommand& command,
                                         const Current& current, uint64_t stamp,
                                         ApplyBatch* batch) {
  if (auto refused = RefusalOf(command, current)) {
    return *std::move(refused);
  }
  const int64_t sum = *current.number + command.delta();
  const Version version = Version::Make(meta_.era(), stamp);
  batch->PutValue(replica_, command.key(),
                  NewValue{.version = version,
                           .value = fmt::format("{}", sum),
                           .key_hash = RoutingHash(RoutingKey(command.key(), routing_)),
                           .expiry_us = current.expiry_us});
  AppliedResult result;
  result.set_version(version.ToBytes());
  result.set_number(sum);
  return result;
}

}  // namespace quorate
