#include "server/service/grpc_call_context.h"

#include <grpc/grpc.h>

#include <algorithm>
#include <chrono>

#include "proto/error_detail.h"

namespace quorate {
namespace {

constexpr Duration kReplyMargin = std::chrono::milliseconds(20);

// Time left by the gRPC deadline, which gRPC converts to the wall clock of this machine; read at
// once, so that a jump of the wall clock in between is all but impossible.
std::optional<Duration> GrpcTimeLeft(const grpc::ServerContext& server_context) {
  using WallClock = std::chrono::system_clock;
  const WallClock::time_point deadline = server_context.deadline();
  const WallClock::time_point now = WallClock::now();
  // Beyond a year: "never", which gRPC tells as a time that overflows sums.
  if (deadline == WallClock::time_point::max() || deadline - now > std::chrono::hours(24 * 365)) {
    return std::nullopt;
  }
  const Duration left =
      std::max(std::chrono::duration_cast<Duration>(deadline - now), Duration::zero());
  return left - std::min(left / 10, kReplyMargin);
}

}  // namespace

std::optional<MonotonicTime> ExplicitDeadline(const grpc::ServerContext& server_context,
                                              const kv::v1::RequestHeader* header,
                                              MonotonicTime now) {
  std::optional<Duration> left = GrpcTimeLeft(server_context);
  if (header != nullptr && header->timeout_ms() != 0) {
    const Duration timeout = std::chrono::milliseconds(header->timeout_ms());
    left = left ? std::min(*left, timeout) : timeout;
  }
  if (!left) return std::nullopt;
  return now + *left;
}

CallContext MakeCallContext(const grpc::ServerContext& server_context,
                            const kv::v1::RequestHeader* header, Duration default_timeout,
                            const Clock& clock) {
  const MonotonicTime now = clock.Now();
  CallContext context;
  context.deadline = ExplicitDeadline(server_context, header, now).value_or(now + default_timeout);
  if (header != nullptr) context.trace_id = header->trace().trace_id();
  return context;
}

absl::Status DroppedReplyError(bool writes) {
  return MakeError(kv::v1::REASON_SHUTTING_DOWN,
                   writes ? kv::v1::OUTCOME_UNKNOWN : kv::v1::OUTCOME_NOT_DONE,
                   "the node is stopping and did not finish this request");
}

void BreakOffUnread(grpc::ServerContext& server_context) {
  grpc_call_cancel_with_status(server_context.c_call(), GRPC_STATUS_RESOURCE_EXHAUSTED,
                               "the answer was not read for too long and was dropped; read faster, "
                               "or ask for less at a time",
                               nullptr);
}

}  // namespace quorate
