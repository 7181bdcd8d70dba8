// A node's figures: counters, gauges and histograms, told in Prometheus' text format.
//
// Names end in their unit (`_seconds`, `_bytes`) and counters in `_total`. Label values come from
// small known sets; a family has a bound all the same, and what comes past it is counted together
// under the label value "other", so no request can grow the node's memory by inventing names.
#ifndef SERVER_RUNTIME_METRICS_H_
#define SERVER_RUNTIME_METRICS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/runtime/mutex.h"

namespace quorate {

// Any thread; one relaxed atomic operation.
class Counter {
 public:
  void Add(uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  [[nodiscard]] uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// As Counter.
class Gauge {
 public:
  void Set(int64_t value) { value_.store(value, std::memory_order_relaxed); }
  void Add(int64_t n) { value_.fetch_add(n, std::memory_order_relaxed); }
  [[nodiscard]] int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

// Upper bounds of a histogram's buckets, ascending, in the units recorded; `divisor` brings them to
// the unit told (1e6: recorded in microseconds, told in seconds). Lives for ever.
struct HistogramScale {
  std::vector<uint64_t> bounds;
  double divisor = 1;
};
// 50 µs to 10 s in steps of 2 to 2.5; recorded in microseconds, told in seconds.
const HistogramScale& LatencyScale();
// 1 to 4096 by powers of two; for numbers of things.
const HistogramScale& CountScale();
// 64 B to 16 MiB by powers of four.
const HistogramScale& BytesScale();

// Any thread; two relaxed atomic operations and a short search.
class Histogram {
 public:
  explicit Histogram(const HistogramScale& scale);

  void Record(uint64_t value);
  [[nodiscard]] const HistogramScale& scale() const { return *scale_; }
  // Values at most bounds[i] and above the bound before it; the last is for those above all.
  [[nodiscard]] std::vector<uint64_t> buckets() const;
  [[nodiscard]] uint64_t sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  const HistogramScale* const scale_;
  std::vector<std::atomic<uint64_t>> buckets_;
  std::atomic<uint64_t> sum_{0};
};

// What a family is called and how its children are told apart.
struct MetricName {
  std::string name;  // "quorate_requests_total"
  std::string help;  // one sentence
  std::vector<std::string> labels = {};
};

// All metrics of one name, one child for each combination of label values. Owned by the registry;
// With() takes a lock, so keep the child's address (good as long as the registry).
template <class Metric>
class MetricFamily {
 public:
  // Most children, the one called "other" not counted.
  static constexpr size_t kChildrenMax = 512;

  // As many values as the name has labels.
  Metric& With(const std::vector<std::string>& values);

 private:
  friend class MetricsRegistry;
  MetricFamily(MetricName name, std::function<std::unique_ptr<Metric>()> make)
      : name_(std::move(name)), make_(std::move(make)) {}
  void AppendTo(std::string* text) const;
  [[nodiscard]] double Sum() const
    requires requires(const Metric& metric) { metric.value(); };

  const MetricName name_;
  const std::function<std::unique_ptr<Metric>()> make_;
  mutable Mutex mutex_;
  std::map<std::vector<std::string>, std::unique_ptr<Metric>> children_ ABSL_GUARDED_BY(mutex_);
};

// One figure told by a collector.
struct Sample {
  std::vector<std::string> label_values;
  double value = 0;
};

// Owned by the Runtime (one of each node). Any thread.
class MetricsRegistry {
 public:
  MetricsRegistry() = default;
  MetricsRegistry(const MetricsRegistry&) = delete;
  MetricsRegistry& operator=(const MetricsRegistry&) = delete;

  // The family of this name, made at the first call; later calls must name the same labels.
  MetricFamily<Counter>& CounterFamily(MetricName name);
  MetricFamily<Gauge>& GaugeFamily(MetricName name);
  MetricFamily<Histogram>& HistogramFamily(MetricName name, const HistogramScale& scale);
  // The only child of a family without labels.
  Counter& GetCounter(MetricName name) { return CounterFamily(std::move(name)).With({}); }
  Gauge& GetGauge(MetricName name) { return GaugeFamily(std::move(name)).With({}); }
  Histogram& GetHistogram(MetricName name, const HistogramScale& scale) {
    return HistogramFamily(std::move(name), scale).With({});
  }

  // Figures that are asked for instead of counted: `collect` runs at each Expose, on its thread.
  // `kind` is "gauge" or "counter". They are told until the returned handle dies, after which
  // `collect` is not running and never will again.
  [[nodiscard]] std::shared_ptr<void> AddCollector(MetricName name, std::string kind,
                                                   std::function<std::vector<Sample>()> collect);

  // The sum over all children, or samples, of one counter or gauge; 0: there is none of that name.
  [[nodiscard]] double Sum(const std::string& name) const;

  // Everything in Prometheus' text format 0.0.4, by name.
  [[nodiscard]] std::string Expose() const;

 private:
  struct Collector;
  template <class Metric>
  using Families = std::map<std::string, std::unique_ptr<MetricFamily<Metric>>>;

  template <class Metric, class Make>
  static MetricFamily<Metric>& FindOrMake(MetricName name, Make make, Families<Metric>* families);

  // Collectors are kept by shared_ptr, so that Expose runs them without the registry's lock.
  mutable Mutex mutex_;
  Families<Counter> counters_ ABSL_GUARDED_BY(mutex_);
  Families<Gauge> gauges_ ABSL_GUARDED_BY(mutex_);
  Families<Histogram> histograms_ ABSL_GUARDED_BY(mutex_);
  std::list<std::weak_ptr<Collector>> collectors_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quorate

#endif  // SERVER_RUNTIME_METRICS_H_
