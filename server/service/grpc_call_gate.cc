#include "server/service/grpc_call_gate.h"

#include <fmt/format.h>

#include "proto/error_detail.h"

namespace quorate {
namespace {

// Long enough for a full node to work off a good part of its queue.
constexpr uint32_t kRetryDelayMs = 50;

}  // namespace

absl::Status GrpcCallGate::Enter(size_t bytes) {
  const size_t calls_before = calls_.fetch_add(1, std::memory_order_relaxed);
  const size_t bytes_before = bytes_.fetch_add(bytes, std::memory_order_relaxed);
  // A call larger than the bound on bytes still passes when it is alone.
  if (calls_before < calls_max_ && (bytes_before == 0 || bytes_before + bytes <= bytes_max_)) {
    return absl::OkStatus();
  }
  Leave(bytes);
  kv::v1::ErrorDetail detail;
  detail.set_reason(kv::v1::REASON_QUEUE_FULL);
  detail.set_outcome(kv::v1::OUTCOME_NOT_DONE);
  detail.set_retry_delay_ms(kRetryDelayMs);
  return MakeError(detail,
                   fmt::format("the node has {} requests ({} bytes) in flight, at most {} ({} "
                               "bytes) are taken; wait {} ms and try again",
                               calls_before, bytes_before, calls_max_, bytes_max_, kRetryDelayMs));
}

}  // namespace quorate
