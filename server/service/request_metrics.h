// Figures and log lines of the requests that a node takes, by method and keyspace.
#ifndef SERVER_SERVICE_REQUEST_METRICS_H_
#define SERVER_SERVICE_REQUEST_METRICS_H_

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "kv/v1/errors.pb.h"
#include "server/replication/request_trace.h"
#include "server/runtime/metrics.h"
#include "server/runtime/mutex.h"
#include "server/runtime/runtime.h"
#include "server/service/request_log.h"

namespace quorate {

struct RequestMetricsOptions {
  std::shared_ptr<MetricsRegistry> registry = std::make_shared<MetricsRegistry>();
  // Only keyspaces for which it says true become label values, so that requests cannot invent any.
  // Empty: none. Any thread.
  std::function<bool(const std::string& name)> keyspace_exists{};
  // Requests from this duration on are logged with a breakdown; zero: none.
  Duration slow_request = std::chrono::milliseconds(500);
};

class RequestMetrics;

// What the requests of one method count on. Any thread; lives as long as its RequestMetrics.
class RequestMethodMetrics {
 public:
  struct Figures {
    std::string keyspace;
    Counter* requests;
    Histogram* latency;
  };

  RequestMethodMetrics(std::string method, RequestMetrics* shared);

  // A short lock, held for a look-up by the polling threads only.
  const Figures& For(const std::string& keyspace) ABSL_LOCKS_EXCLUDED(mutex_);
  void CountError(const absl::Status& status, kv::v1::Reason reason);
  [[nodiscard]] const std::string& method() const { return method_; }
  [[nodiscard]] RequestMetrics& shared() const { return *shared_; }

 private:
  // Keyspaces with figures of their own, over the life of the process; further ones share "other".
  static constexpr size_t kKeyspacesMax = 64;

  [[nodiscard]] std::unique_ptr<Figures> Make(const std::string& keyspace) const;

  const std::string method_;
  RequestMetrics* const shared_;
  const std::unique_ptr<Figures> none_;
  const std::unique_ptr<Figures> other_;
  // Made when first needed.
  std::array<std::atomic<Counter*>, kv::v1::Reason_ARRAYSIZE> errors_{};
  Mutex mutex_;
  absl::flat_hash_map<std::string, std::unique_ptr<Figures>> keyspaces_ ABSL_GUARDED_BY(mutex_);
};

// Owned by the client port's server; outlives all requests.
class RequestMetrics {
 public:
  explicit RequestMetrics(RequestMetricsOptions options);

  // At start-up only.
  RequestMethodMetrics* MethodOf(const std::string& name);
  [[nodiscard]] RequestLog& log() { return log_; }

 private:
  friend class RequestMethodMetrics;

  const RequestMetricsOptions options_;
  RequestLog log_;
  MetricFamily<Counter>& requests_;
  MetricFamily<Histogram>& latency_;
  MetricFamily<Counter>& errors_;
  std::map<std::string, std::unique_ptr<RequestMethodMetrics>> methods_;
};

// One request, from its arrival to its answer. Begin on one thread, End later on any.
class RequestObservation {
 public:
  // Null: the method is not observed.
  void Begin(RequestMethodMetrics* method, const kv::v1::RequestHeader* header, MonotonicTime now);
  [[nodiscard]] RequestTrace* trace() { return &trace_; }
  // `describe` gives a RequestDescription; called only when there is a line to write.
  template <class Describe>
  void End(const absl::Status& status, const Clock& clock, const Describe& describe) {
    if (method_ == nullptr) return;
    const MonotonicTime now = clock.Now();
    if (!Count(status, now)) return;
    const RequestDescription request = describe();
    method_->shared().log().Tell({.method = method_->method(),
                                  .keyspace = figures_->keyspace,
                                  .request = request,
                                  .trace = trace_,
                                  .status = status,
                                  .begun = begun_,
                                  .ended = now});
  }

 private:
  // True when there is something to tell in the log.
  bool Count(const absl::Status& status, MonotonicTime now);

  RequestMethodMetrics* method_ = nullptr;
  const RequestMethodMetrics::Figures* figures_ = nullptr;
  MonotonicTime begun_;
  RequestTrace trace_;
};

}  // namespace quorate

#endif  // SERVER_SERVICE_REQUEST_METRICS_H_
