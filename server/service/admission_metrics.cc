#include "server/service/admission_metrics.h"

#include <functional>
#include <string>

namespace quorate {
namespace {

// One sample for each kind of request.
std::function<std::vector<Sample>()> ByKind(const Admission* admission,
                                            double (*figure)(const Admission&, RequestKind)) {
  return [admission, figure] {
    std::vector<Sample> samples;
    for (size_t i = 0; i < kRequestKinds; ++i) {
      const auto kind = static_cast<RequestKind>(i);
      samples.push_back({.label_values = {std::string(RequestKindName(kind))},
                         .value = figure(*admission, kind)});
    }
    return samples;
  };
}

std::vector<Sample> Refusals(const Admission& admission) {
  std::vector<Sample> samples;
  for (size_t i = 0; i < kRequestKinds; ++i) {
    const auto kind = static_cast<RequestKind>(i);
    const std::string name(RequestKindName(kind));
    const Admission::Usage usage = admission.UsageOf(kind);
    samples.push_back({{name, "queue_full"}, static_cast<double>(usage.queue_full_total)});
    samples.push_back(
        {{name, "memory_pressure"}, static_cast<double>(usage.memory_pressure_total)});
  }
  return samples;
}

}  // namespace

std::vector<std::shared_ptr<void>> AddAdmissionMetrics(MetricsRegistry& registry,
                                                       const Admission* admission) {
  std::vector<std::shared_ptr<void>> handles;
  const auto by_kind = [&](const char* name, const char* help,
                           double (*figure)(const Admission&, RequestKind)) {
    handles.push_back(registry.AddCollector({.name = name, .help = help, .labels = {"kind"}},
                                            "gauge", ByKind(admission, figure)));
  };
  by_kind("quorate_requests_inflight", "Requests being served or answered.",
          [](const Admission& from, RequestKind kind) {
            return static_cast<double>(from.UsageOf(kind).requests);
          });
  by_kind("quorate_requests_inflight_max", "Bound of quorate_requests_inflight.",
          [](const Admission& from, RequestKind kind) {
            return static_cast<double>(from.BoundOf(kind).requests_max);
          });
  by_kind("quorate_request_bytes_inflight", "Bytes held by requests being served or answered.",
          [](const Admission& from, RequestKind kind) {
            return static_cast<double>(from.UsageOf(kind).bytes);
          });
  by_kind("quorate_request_bytes_inflight_max", "Bound of quorate_request_bytes_inflight.",
          [](const Admission& from, RequestKind kind) {
            return static_cast<double>(from.BoundOf(kind).bytes_max);
          });
  handles.push_back(registry.AddCollector(
      {.name = "quorate_requests_shed_total",
       .help = "Requests refused because the node is full or short of memory.",
       .labels = {"kind", "reason"}},
      "counter", [admission] { return Refusals(*admission); }));
  const auto gauge = [&](const char* name, const char* help, double (*figure)(const Admission&)) {
    handles.push_back(
        registry.AddCollector({.name = name, .help = help}, "gauge", [admission, figure] {
          return std::vector<Sample>{{.label_values = {}, .value = figure(*admission)}};
        }));
  };
  gauge("quorate_memory_bytes", "Memory that the process holds.",
        [](const Admission& from) { return static_cast<double>(from.memory_bytes()); });
  gauge("quorate_memory_limit_bytes", "--memory-limit-bytes; 0: none.",
        [](const Admission& from) { return static_cast<double>(from.limits().memory_bytes_max); });
  gauge("quorate_memory_level", "0 normal; 1 short: no new writes and scans; 2 critical: no reads.",
        [](const Admission& from) { return static_cast<double>(from.memory_level()); });
  return handles;
}

}  // namespace quorate
