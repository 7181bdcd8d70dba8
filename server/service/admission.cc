#include "server/service/admission.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "proto/error_detail.h"

namespace quorate {
namespace {

// Of the memory limit, in percent: where a level begins, and below which it ends. The distance
// keeps a node that hovers about a mark from refusing and taking in turns.
constexpr size_t kShortFrom = 80;
constexpr size_t kShortUntil = 75;
constexpr size_t kCriticalFrom = 92;
constexpr size_t kCriticalUntil = 87;

// A full queue: long enough for a node to work off a good part of it.
constexpr double kFullDelayMs = 25;
constexpr double kMemoryDelayMs = 200;
constexpr double kDelayMsMax = 2000;
constexpr Duration kWindow = std::chrono::seconds(1);

size_t Percent(size_t whole, size_t percent) { return whole / 100 * percent; }

absl::Status Refusal(kv::v1::Reason reason, uint32_t delay_ms, const std::string& why) {
  kv::v1::ErrorDetail detail;
  detail.set_reason(reason);
  detail.set_outcome(kv::v1::OUTCOME_NOT_DONE);
  detail.set_retry_delay_ms(delay_ms);
  return MakeError(detail, fmt::format("{}; wait {} ms and try again", why, delay_ms));
}

}  // namespace

std::string_view RequestKindName(RequestKind kind) {
  switch (kind) {
    case RequestKind::kRead:
      return "read";
    case RequestKind::kWrite:
      return "write";
    case RequestKind::kScan:
      return "scan";
    case RequestKind::kAdmin:
      return "admin";
  }
  return "";
}

std::string_view MemoryLevelName(MemoryLevel level) {
  switch (level) {
    case MemoryLevel::kNormal:
      return "normal";
    case MemoryLevel::kShort:
      return "short";
    case MemoryLevel::kCritical:
      return "critical";
  }
  return "";
}

AdmissionLimits AdmissionLimits::For(size_t memory_bytes_max) {
  AdmissionLimits limits;
  limits.memory_bytes_max = memory_bytes_max;
  if (memory_bytes_max != 0) {
    const size_t most = memory_bytes_max / 16;
    limits.reads.bytes_max = std::min(limits.reads.bytes_max, most / 2);
    for (Bound* bound : {&limits.writes, &limits.scans, &limits.admin}) {
      bound->bytes_max = std::min(bound->bytes_max, most);
    }
  }
  return limits;
}

Admission::Admission(const AdmissionLimits& limits) : limits_(limits) {
  for (Account& account : accounts_) {
    account.retry_delay_ms = static_cast<uint32_t>(kFullDelayMs);
  }
}

const AdmissionLimits::Bound& Admission::BoundOf(RequestKind kind) const {
  switch (kind) {
    case RequestKind::kRead:
      return limits_.reads;
    case RequestKind::kWrite:
      return limits_.writes;
    case RequestKind::kScan:
      return limits_.scans;
    case RequestKind::kAdmin:
      break;
  }
  return limits_.admin;
}

absl::Status Admission::Enter(RequestKind kind, size_t bytes) {
  if (Sheds(kind)) {
    return RefuseForMemory(kind);
  }
  Account& account = Of(kind);
  const AdmissionLimits::Bound& bound = BoundOf(kind);
  const size_t requests_before = account.requests.fetch_add(1, std::memory_order_relaxed);
  const size_t bytes_before = account.bytes.fetch_add(bytes, std::memory_order_relaxed);
  if (requests_before < bound.requests_max &&
      (bytes_before == 0 || bytes_before + bytes <= bound.bytes_max)) {
    account.taken.fetch_add(1, std::memory_order_relaxed);
    return absl::OkStatus();
  }
  Leave(kind, bytes);
  return RefuseAsFull(kind, requests_before, bytes_before);
}

void Admission::Answered(RequestKind kind, size_t expected, size_t bytes) {
  Account& account = Of(kind);
  account.bytes.fetch_add(bytes - expected,
                          std::memory_order_relaxed);  // wraps round, as it should
  const size_t mean = account.answer_bytes_mean.load(std::memory_order_relaxed);
  // Two at once may lose one of their steps: it is an estimate.
  account.answer_bytes_mean.store(mean - mean / 16 + bytes / 16, std::memory_order_relaxed);
}

bool Admission::Sheds(RequestKind kind) const {
  const MemoryLevel level = memory_level();
  if (level == MemoryLevel::kNormal || kind == RequestKind::kAdmin) {
    return false;
  }
  return level == MemoryLevel::kCritical || kind != RequestKind::kRead;
}

absl::Status Admission::RefuseForMemory(RequestKind kind) {
  Of(kind).memory_pressure.fetch_add(1, std::memory_order_relaxed);
  const size_t used = memory_bytes();
  const size_t limit = limits_.memory_bytes_max;
  const double beyond = static_cast<double>(used) / static_cast<double>(limit) -
                        static_cast<double>(kShortUntil) / 100;
  // As much again for each sixteenth of the limit.
  const double delay = std::min(kDelayMsMax, kMemoryDelayMs * (1 + 16 * std::max(0.0, beyond)));
  return Refusal(kv::v1::REASON_MEMORY_PRESSURE, static_cast<uint32_t>(delay),
                 fmt::format("the node uses {} of {} MiB of memory and takes no {} requests",
                             used >> 20, limit >> 20, RequestKindName(kind)));
}

absl::Status Admission::RefuseAsFull(RequestKind kind, size_t requests, size_t bytes) {
  Account& account = Of(kind);
  account.queue_full.fetch_add(1, std::memory_order_relaxed);
  const AdmissionLimits::Bound& bound = BoundOf(kind);
  return Refusal(
      kv::v1::REASON_QUEUE_FULL, account.retry_delay_ms.load(std::memory_order_relaxed),
      fmt::format("the node has {} {} requests ({} bytes) in flight, at most {} ({} bytes) are "
                  "taken",
                  requests, RequestKindName(kind), bytes, bound.requests_max, bound.bytes_max));
}

void Admission::Tick(MonotonicTime now, size_t memory_bytes) {
  memory_.store(memory_bytes, std::memory_order_relaxed);
  if (limits_.memory_bytes_max != 0) {
    MoveLevel(memory_bytes);
  }
  if (now - window_begin_ >= kWindow) {
    EndWindow(now);
  }
}

void Admission::MoveLevel(size_t memory_bytes) {
  const size_t limit = limits_.memory_bytes_max;
  const MemoryLevel before = memory_level();
  MemoryLevel level = MemoryLevel::kNormal;
  if (memory_bytes >= Percent(limit, kCriticalFrom) ||
      (before == MemoryLevel::kCritical && memory_bytes >= Percent(limit, kCriticalUntil))) {
    level = MemoryLevel::kCritical;
  } else if (memory_bytes >= Percent(limit, kShortFrom) ||
             (before != MemoryLevel::kNormal && memory_bytes >= Percent(limit, kShortUntil))) {
    level = MemoryLevel::kShort;
  }
  level_.store(level, std::memory_order_relaxed);
}

void Admission::EndWindow(MonotonicTime now) {
  window_begin_ = now;
  for (Account& account : accounts_) {
    const uint64_t taken = account.taken.load(std::memory_order_relaxed);
    const uint64_t refused = account.queue_full.load(std::memory_order_relaxed);
    const auto taken_now = static_cast<double>(taken - account.taken_before);
    const auto refused_now = static_cast<double>(refused - account.queue_full_before);
    account.taken_before = taken;
    account.queue_full_before = refused;
    account.excess = (account.excess + refused_now / std::max(1.0, taken_now)) / 2;
    account.retry_delay_ms =
        static_cast<uint32_t>(std::min(kDelayMsMax, kFullDelayMs * (1 + account.excess)));
  }
}

bool Admission::IsCrowded() const {
  for (size_t i = 0; i < kRequestKinds; ++i) {
    const size_t bytes = accounts_[i].bytes.load(std::memory_order_relaxed);
    if (bytes > BoundOf(static_cast<RequestKind>(i)).bytes_max / 2) {
      return true;
    }
  }
  return false;
}

Admission::Usage Admission::UsageOf(RequestKind kind) const {
  const Account& account = Of(kind);
  return {.requests = account.requests.load(std::memory_order_relaxed),
          .bytes = account.bytes.load(std::memory_order_relaxed),
          .queue_full_total = account.queue_full.load(std::memory_order_relaxed),
          .memory_pressure_total = account.memory_pressure.load(std::memory_order_relaxed)};
}

size_t Admission::requests() const {
  size_t sum = 0;
  for (const Account& account : accounts_) {
    sum += account.requests.load(std::memory_order_relaxed);
  }
  return sum;
}

}  // namespace quorate
