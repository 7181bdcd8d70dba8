// Log lines about single requests: slow ones with a breakdown, and refused ones.
#ifndef SERVER_SERVICE_REQUEST_LOG_H_
#define SERVER_SERVICE_REQUEST_LOG_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "kv/v1/errors.pb.h"
#include "kv/v1/key_value.pb.h"
#include "server/replication/request_trace.h"
#include "server/runtime/metrics.h"
#include "server/runtime/runtime.h"

namespace quorate {

// A request as log lines tell it: never its key or value.
struct RequestDescription {
  std::string peer;                               // the client's address
  const kv::v1::RequestHeader* header = nullptr;  // null: its type has none
  size_t key_bytes = 0;
};

// Lets through at most `lines_max` lines a second. Any thread.
class LineLimit {
 public:
  explicit LineLimit(uint32_t lines_max) : lines_max_(lines_max) {}
  [[nodiscard]] bool Allow(MonotonicTime now);

 private:
  const uint32_t lines_max_;
  std::atomic<int64_t> second_{-1};
  std::atomic<uint32_t> lines_{0};
};

// One of each node's client port; any thread. Lines beyond kLinesPerSecond of a kind are only
// counted: a log that grows with the trouble makes it worse.
class RequestLog {
 public:
  static constexpr uint32_t kLinesPerSecond = 10;

  // `slow`: from this duration on a request is told; zero: none is.
  RequestLog(MetricsRegistry& registry, Duration slow);

  [[nodiscard]] bool IsSlow(Duration total) const {
    return slow_ > Duration::zero() && total >= slow_;
  }
  // Whether an answer with this reason is trouble that the operator may want to read about, and
  // not just an answer (no such key) or a client that has to ask elsewhere.
  [[nodiscard]] static bool IsTrouble(kv::v1::Reason reason);

  struct Line {
    const std::string& method;
    const std::string& keyspace;
    const RequestDescription& request;
    const RequestTrace& trace;
    const absl::Status& status;
    MonotonicTime begun;
    MonotonicTime ended;
  };
  // One line request/slow or, when it was not slow, request/refused.
  void Tell(const Line& line);

 private:
  const Duration slow_;
  LineLimit slow_lines_{kLinesPerSecond};
  LineLimit refused_lines_{kLinesPerSecond};
  Counter* const slow_requests_;
  MetricFamily<Counter>* const suppressed_;
  Counter* const slow_suppressed_;
  Counter* const refused_suppressed_;
};

}  // namespace quorate

#endif  // SERVER_SERVICE_REQUEST_LOG_H_
