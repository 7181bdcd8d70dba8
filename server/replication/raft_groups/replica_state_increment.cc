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

// Only the text that an increment itself would write is a number: "7", not "07", "+7" or " 7". So a
// number has one text, whoever wrote it.
std::optional<int64_t> NumberOf(std::string_view text) {
  int64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc() || fmt::format("{}", number) != text) {
    return std::nullopt;
  }
  return number;
}

std::optional<int64_t> Sum(int64_t a, int64_t b) {
  using Limits = std::numeric_limits<int64_t>;
  if (b > 0 ? a > Limits::max() - b : a < Limits::min() - b) {
    return std::nullopt;
  }
  return a + b;
}

}  // namespace

absl::StatusOr<AppliedResult> ReplicaState::ApplyIncrement(
    const internal::v1::IncrementCommand& command, uint64_t stamp, const DataStore& data,
    ApplyBatch* batch) {
  // Values are read from the store, which does not show what the batch holds.
  QUORATE_CHECK(batch->IsEmpty());
  const auto stored = data.Get(replica_, command.key());
  if (!stored.ok()) {
    return stored.status();
  }
  AppliedResult result;
  const auto number = stored->has_value() ? NumberOf((*stored)->value) : 0;
  const auto sum = number ? Sum(*number, command.delta()) : std::nullopt;
  if (!sum) {
    result.set_not_a_number(!number.has_value());
    result.set_number_overflow(number.has_value());
    if (stored->has_value()) {
      result.set_version((*stored)->version.ToBytes());
    }
    return result;
  }
  const Version version = Version::Make(meta_.era(), stamp);
  const std::string text = fmt::format("{}", *sum);
  batch->PutValue(replica_, command.key(),
                  NewValue{.version = version,
                           .value = text,
                           .key_hash = RoutingHash(RoutingKey(command.key(), routing_)),
                           .expiry_us = stored->has_value() ? (*stored)->expiry_us : 0});
  result.set_version(version.ToBytes());
  result.set_number(*sum);
  return result;
}

}  // namespace quorate
