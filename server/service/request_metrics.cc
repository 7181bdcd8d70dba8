#include "server/service/request_metrics.h"

#include <algorithm>
#include <utility>

#include "proto/error_detail.h"

namespace quorate {
namespace {

// "QUEUE_FULL", or the code's name of an error without a reason.
std::string ReasonLabel(const absl::Status& status, kv::v1::Reason reason) {
  if (reason == kv::v1::REASON_UNSPECIFIED) return absl::StatusCodeToString(status.code());
  return kv::v1::Reason_Name(reason).substr(std::string("REASON_").size());
}

}  // namespace

RequestMethodMetrics::RequestMethodMetrics(std::string method, RequestMetrics* shared)
    : method_(std::move(method)), shared_(shared), none_(Make("")), other_(Make("other")) {}

std::unique_ptr<RequestMethodMetrics::Figures> RequestMethodMetrics::Make(
    const std::string& keyspace) const {
  return std::make_unique<Figures>(
      Figures{.keyspace = keyspace,
              .requests = &shared_->requests_.With({method_, keyspace}),
              .latency = &shared_->latency_.With({method_, keyspace})});
}

const RequestMethodMetrics::Figures& RequestMethodMetrics::For(const std::string& keyspace) {
  if (keyspace.empty()) return *none_;
  {
    MutexLock lock(&mutex_);
    const auto found = keyspaces_.find(keyspace);
    if (found != keyspaces_.end()) return *found->second;
  }
  const auto& exists = shared_->options_.keyspace_exists;
  if (!exists || !exists(keyspace)) return *none_;
  MutexLock lock(&mutex_);
  if (keyspaces_.size() >= kKeyspacesMax) return *other_;
  auto& figures = keyspaces_[keyspace];
  if (figures == nullptr) figures = Make(keyspace);
  return *figures;
}

void RequestMethodMetrics::CountError(const absl::Status& status, kv::v1::Reason reason) {
  const auto slot = static_cast<size_t>(reason);
  const bool has_slot = reason != kv::v1::REASON_UNSPECIFIED && slot < errors_.size();
  Counter* counter = has_slot ? errors_[slot].load(std::memory_order_acquire) : nullptr;
  if (counter == nullptr) {
    counter = &shared_->errors_.With({method_, ReasonLabel(status, reason)});
    if (has_slot) errors_[slot].store(counter, std::memory_order_release);
  }
  counter->Add();
}

RequestMetrics::RequestMetrics(RequestMetricsOptions options)
    : options_(std::move(options)),
      log_(*options_.registry, options_.slow_request),
      requests_(options_.registry->CounterFamily(
          {.name = "quorate_requests_total",
           .help = "Requests that arrived; each page of a scan is one.",
           .labels = {"method", "keyspace"}})),
      latency_(options_.registry->HistogramFamily(
          {.name = "quorate_request_duration_seconds",
           .help = "Time from a request's arrival to its answer.",
           .labels = {"method", "keyspace"}},
          LatencyScale())),
      errors_(options_.registry->CounterFamily(
          {.name = "quorate_request_errors_total",
           .help = "Requests answered with an error, by the reason in its detail; answers such as "
                   "KEY_NOT_FOUND are among them.",
           .labels = {"method", "reason"}})) {}

RequestMethodMetrics* RequestMetrics::MethodOf(const std::string& name) {
  auto& method = methods_[name];
  if (method == nullptr) method = std::make_unique<RequestMethodMetrics>(name, this);
  return method.get();
}

void RequestObservation::Begin(RequestMethodMetrics* method, const kv::v1::RequestHeader* header,
                               MonotonicTime now) {
  static const std::string no_keyspace;
  method_ = method;
  if (method == nullptr) return;
  figures_ = &method->For(header == nullptr ? no_keyspace : header->keyspace());
  figures_->requests->Add();
  begun_ = now;
}

bool RequestObservation::Count(const absl::Status& status, MonotonicTime now) {
  const Duration took = std::max(now - begun_, Duration::zero());
  figures_->latency->Record(
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(took).count()));
  bool tell = method_->shared().log().IsSlow(took);
  if (!status.ok()) {
    const kv::v1::Reason reason = ReasonOf(status);
    method_->CountError(status, reason);
    tell = tell || RequestLog::IsTrouble(reason);
  }
  return tell;
}

}  // namespace quorate
