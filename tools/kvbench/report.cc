#include "tools/kvbench/report.h"

#include <chrono>
#include <nlohmann/json.hpp>

#include "fmt/format.h"

namespace quorate::kvbench {
namespace {

double Micros(std::chrono::nanoseconds time) { return static_cast<double>(time.count()) / 1000; }

std::string NameOf(TargetKind target) {
  switch (target) {
    case TargetKind::kQuorate:
      return "quorate";
    case TargetKind::kEcho:
      return "echo";
    case TargetKind::kEtcd:
      return "etcd";
  }
  return "";
}

std::string NameOf(const Options& options) {
  if (options.command == Command::kLoad) return "load";
  return options.operation == OperationKind::kGet ? "get" : "put";
}

double RateOf(const Figures& figures) {
  const auto count = static_cast<double>(figures.latencies.count());
  return figures.seconds > 0 ? count / figures.seconds : 0;
}

// Microseconds an operation.
double EachOf(double seconds, const Figures& figures) {
  const auto count = static_cast<double>(figures.latencies.count());
  return count > 0 ? seconds * 1e6 / count : 0;
}

}  // namespace

std::string ToJson(const Options& options, const Figures& figures) {
  const LatencyHistogram& latencies = figures.latencies;
  const nlohmann::ordered_json json = {
      {"target", NameOf(options.target)},
      {"operation", NameOf(options)},
      {"clients", options.clients},
      {"connections", options.connections},
      {"value_bytes", options.value_bytes},
      {"seconds", figures.seconds},
      {"operations", latencies.count()},
      {"failures", figures.failures},
      {"attempts_again", figures.attempts_again},
      {"first_error", figures.first_error},
      {"rate", RateOf(figures)},
      {"mean_us", Micros(latencies.mean())},
      {"p50_us", Micros(latencies.Percentile(50))},
      {"p90_us", Micros(latencies.Percentile(90))},
      {"p99_us", Micros(latencies.Percentile(99))},
      {"p999_us", Micros(latencies.Percentile(99.9))},
      {"max_us", Micros(latencies.max())},
      {"client_cpu_us", EachOf(figures.client_cpu_seconds, figures)},
      {"server_cpu_us", EachOf(figures.server_cpu_seconds, figures)},
  };
  // An error's text may hold any bytes.
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string ToText(const Options& options, const Figures& figures) {
  const LatencyHistogram& latencies = figures.latencies;
  std::string text = fmt::format(
      "{} {}: {} in flight, {} bytes, {:.1f} s\n"
      "  {:.0f} a second, {} done, {} failed, {} attempts repeated\n"
      "  p50 {:.0f} us, p90 {:.0f} us, p99 {:.0f} us, p99.9 {:.0f} us, max {:.0f} us\n"
      "  processor time each: client {:.1f} us",
      NameOf(options.target), NameOf(options), options.clients, options.value_bytes,
      figures.seconds, RateOf(figures), latencies.count(), figures.failures, figures.attempts_again,
      Micros(latencies.Percentile(50)), Micros(latencies.Percentile(90)),
      Micros(latencies.Percentile(99)), Micros(latencies.Percentile(99.9)), Micros(latencies.max()),
      EachOf(figures.client_cpu_seconds, figures));
  if (!options.server_pids.empty()) {
    text += fmt::format(", servers {:.1f} us", EachOf(figures.server_cpu_seconds, figures));
  }
  if (!figures.first_error.empty()) text += "\n  first error: " + figures.first_error;
  return text + "\n";
}

}  // namespace quorate::kvbench
