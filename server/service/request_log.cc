#include "server/service/request_log.h"

#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <string_view>

#include "proto/error_detail.h"
#include "server/runtime/log.h"

namespace quorate {
namespace {

constexpr size_t kTraceIdBytesMax = 32;

std::string Hex(std::string_view bytes) {
  std::string hex;
  hex.reserve(2 * bytes.size());
  for (const char c : bytes) hex += fmt::format("{:02x}", static_cast<uint8_t>(c));
  return hex;
}

// "-" for what never began or never ended.
std::string Milliseconds(std::optional<MonotonicTime> from, std::optional<MonotonicTime> to) {
  if (!from || !to) return "-";
  return fmt::format("{:.1f}", std::chrono::duration<double, std::milli>(*to - *from).count());
}

// Which stage a request was in when it ended, or had ended all.
std::string_view LastStage(const StageTimes& stages) {
  if (!stages.At(RequestStage::kHandedOver)) return "service";
  if (!stages.At(RequestStage::kTaken)) return "queue";
  if (!stages.At(RequestStage::kCommitted)) return "replicate";
  return "apply";
}

std::string RequestIdText(const kv::v1::RequestHeader* header) {
  if (header == nullptr || !header->has_request_id()) return "-";
  return fmt::format("{}:{}", Hex(header->request_id().client_id()),
                     header->request_id().sequence());
}

std::string TraceIdText(const kv::v1::RequestHeader* header) {
  if (header == nullptr || header->trace().trace_id().empty()) return "-";
  return Hex(header->trace().trace_id().substr(0, kTraceIdBytesMax));
}

std::string ResultText(const absl::Status& status) {
  if (status.ok()) return "OK";
  const kv::v1::Reason reason = ReasonOf(status);
  return reason == kv::v1::REASON_UNSPECIFIED ? absl::StatusCodeToString(status.code())
                                              : kv::v1::Reason_Name(reason);
}

}  // namespace

bool LineLimit::Allow(MonotonicTime now) {
  const int64_t second = std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count();
  if (second_.exchange(second, std::memory_order_relaxed) != second) {
    lines_.store(0, std::memory_order_relaxed);
  }
  return lines_.fetch_add(1, std::memory_order_relaxed) < lines_max_;
}

RequestLog::RequestLog(MetricsRegistry& registry, Duration slow)
    : slow_(slow),
      slow_requests_(
          &registry.GetCounter({.name = "quorate_slow_requests_total",
                                .help = "Requests that took at least --slow-request-ms."})),
      suppressed_(&registry.CounterFamily(
          {.name = "quorate_log_lines_suppressed_total",
           .help = "Lines about single requests that were left out of the log, since there were "
                   "too many in that second.",
           .labels = {"line"}})),
      slow_suppressed_(&suppressed_->With({"request/slow"})),
      refused_suppressed_(&suppressed_->With({"request/refused"})) {}

bool RequestLog::IsTrouble(kv::v1::Reason reason) {
  switch (reason) {
    case kv::v1::REASON_INVALID_FIELD:
    case kv::v1::REASON_KEY_NOT_FOUND:
    case kv::v1::REASON_KEYSPACE_NOT_FOUND:
    case kv::v1::REASON_KEYSPACE_EXISTS:
    case kv::v1::REASON_CONDITION_FALSE:
    case kv::v1::REASON_NOT_INITIALISED:
    case kv::v1::REASON_NOT_AVAILABLE_YET:
    case kv::v1::REASON_NOT_LEADER:
    case kv::v1::REASON_WRONG_NODE:
    case kv::v1::REASON_STALE_EPOCH:
    case kv::v1::REASON_SHUTTING_DOWN:
    case kv::v1::REASON_BATCH_NOT_APPLIED:
    case kv::v1::REASON_NOT_A_NUMBER:
    case kv::v1::REASON_NUMBER_OVERFLOW:
      return false;
    default:
      return true;
  }
}

void RequestLog::Tell(const Line& line) {
  const bool slow = IsSlow(line.ended - line.begun);
  if (slow) slow_requests_->Add();
  if (!(slow ? slow_lines_ : refused_lines_).Allow(line.ended)) {
    (slow ? slow_suppressed_ : refused_suppressed_)->Add();
    return;
  }
  const StageTimes& stages = line.trace.stages;
  const auto taken = stages.At(RequestStage::kTaken);
  const auto committed = stages.At(RequestStage::kCommitted);
  const std::string message(line.status.message());
  LogWarning(slow ? "request/slow" : "request/refused",
             {{"method", line.method},
              {"keyspace", line.keyspace},
              {"partition", line.trace.routed ? std::to_string(line.trace.partition) : "-"},
              {"group", line.trace.routed ? std::to_string(line.trace.group.value()) : "-"},
              {"key_bytes", line.request.key_bytes},
              {"request_id", RequestIdText(line.request.header)},
              {"trace_id", TraceIdText(line.request.header)},
              {"peer", line.request.peer},
              {"result", ResultText(line.status)},
              {"message", message},
              {"stage", LastStage(stages)},
              {"total_ms", Milliseconds(line.begun, line.ended)},
              {"queue_ms", Milliseconds(line.begun, taken)},
              {"log_ms", Milliseconds(taken, stages.At(RequestStage::kDurable))},
              {"replicate_ms", Milliseconds(taken, committed)},
              {"apply_ms",
               Milliseconds(committed, committed ? std::optional(line.ended) : std::nullopt)}});
}

}  // namespace quorate
