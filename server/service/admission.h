// The front door's bounds: which requests may come in, and what the others are told.
#ifndef SERVER_SERVICE_ADMISSION_H_
#define SERVER_SERVICE_ADMISSION_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "server/runtime/runtime.h"

namespace quorate {

// Each kind has bounds of its own, so that a flood of one leaves the others what is theirs.
enum class RequestKind : uint8_t { kRead, kWrite, kScan, kAdmin };
inline constexpr size_t kRequestKinds = 4;
[[nodiscard]] std::string_view RequestKindName(RequestKind kind);

struct AdmissionLimits {
  struct Bound {
    // Requests being served or answered.
    size_t requests_max = 0;
    // Bytes they hold: request and answer; of a scan, one page. One request is always let in.
    size_t bytes_max = 0;
  };
  Bound reads{.requests_max = 8192, .bytes_max = size_t{64} << 20};
  // A write costs about four times its size while it is on its way to the disk.
  Bound writes{.requests_max = 8192, .bytes_max = size_t{128} << 20};
  Bound scans{.requests_max = 256, .bytes_max = size_t{128} << 20};
  Bound admin{.requests_max = 128, .bytes_max = size_t{32} << 20};
  // What the process may use; 0: memory is not looked at.
  size_t memory_bytes_max = 0;

  // For a process that may use `memory_bytes_max`: the bounds above, in bytes at most a sixteenth
  // of it (reads: a thirty-second).
  static AdmissionLimits For(size_t memory_bytes_max);
};

enum class MemoryLevel : uint8_t {
  kNormal,
  kShort,     // from 80 % of the limit, until below 75 %: no new writes and scans
  kCritical,  // from 92 %, until below 87 %: no new reads either
};

[[nodiscard]] std::string_view MemoryLevelName(MemoryLevel level);

// Counts what is in flight. What is beyond a bound is refused with QUEUE_FULL, what memory forbids
// with MEMORY_PRESSURE; both are certainly not done and carry a retry delay. That of a full queue
// grows with the excess, refused to taken requests of the last seconds, so that what comes back is
// spread over the time it takes to serve it; that of memory with the distance from the mark.
// Administration is never refused for memory: an operator must be able to look.
//
// Pure: time and memory come in through Tick. Threads: Tick from one at a time, all else from any.
// A bound may be passed by what enters at the same instant: it guards memory, not an exact number.
class Admission {
 public:
  explicit Admission(const AdmissionLimits& limits);

  // OK: Leave must follow, with the same kind.
  [[nodiscard]] absl::Status Enter(RequestKind kind, size_t bytes);
  // What answers of this kind held lately, on average. Counted for a request when it enters, so
  // that thousands of reads do not come in together whose answers no bound allows.
  [[nodiscard]] size_t ExpectedAnswerBytes(RequestKind kind) const {
    return Of(kind).answer_bytes_mean.load(std::memory_order_relaxed);
  }
  // A request that has entered holds its answer, of `bytes` instead of those `expected`. Never
  // refused.
  void Answered(RequestKind kind, size_t expected, size_t bytes);
  void Leave(RequestKind kind, size_t bytes) {
    Of(kind).requests.fetch_sub(1, std::memory_order_relaxed);
    Of(kind).bytes.fetch_sub(bytes, std::memory_order_relaxed);
  }

  // Several times a second: the process's memory as of `now`.
  void Tick(MonotonicTime now, size_t memory_bytes);

  [[nodiscard]] MemoryLevel memory_level() const { return level_.load(std::memory_order_relaxed); }
  // Some bound on bytes is more than half used up: time to let go of what nobody fetches.
  [[nodiscard]] bool IsCrowded() const;

  // For metrics.
  struct Usage {
    size_t requests = 0;
    size_t bytes = 0;
    uint64_t queue_full_total = 0;
    uint64_t memory_pressure_total = 0;
  };
  [[nodiscard]] Usage UsageOf(RequestKind kind) const;
  [[nodiscard]] const AdmissionLimits& limits() const { return limits_; }
  [[nodiscard]] const AdmissionLimits::Bound& BoundOf(RequestKind kind) const;
  [[nodiscard]] size_t memory_bytes() const { return memory_.load(std::memory_order_relaxed); }
  // Of all kinds.
  [[nodiscard]] size_t requests() const;

 private:
  struct Account {
    std::atomic<size_t> requests{0};
    std::atomic<size_t> bytes{0};
    std::atomic<size_t> answer_bytes_mean{0};
    std::atomic<uint64_t> taken{0};
    std::atomic<uint64_t> queue_full{0};
    std::atomic<uint64_t> memory_pressure{0};
    // Set by Tick.
    std::atomic<uint32_t> retry_delay_ms{0};
    // Tick's own: figures at the last window's end, and the smoothed excess.
    uint64_t taken_before = 0;
    uint64_t queue_full_before = 0;
    double excess = 0;
  };

  Account& Of(RequestKind kind) { return accounts_[static_cast<size_t>(kind)]; }
  [[nodiscard]] const Account& Of(RequestKind kind) const {
    return accounts_[static_cast<size_t>(kind)];
  }
  [[nodiscard]] bool Sheds(RequestKind kind) const;
  absl::Status RefuseForMemory(RequestKind kind);
  absl::Status RefuseAsFull(RequestKind kind, size_t requests, size_t bytes);
  void MoveLevel(size_t memory_bytes);
  void EndWindow(MonotonicTime now);

  const AdmissionLimits limits_;
  std::array<Account, kRequestKinds> accounts_;
  std::atomic<size_t> memory_{0};
  std::atomic<MemoryLevel> level_{MemoryLevel::kNormal};
  MonotonicTime window_begin_{};
};

}  // namespace quorate

#endif  // SERVER_SERVICE_ADMISSION_H_
