#include "server/runtime/metrics.h"

#include <algorithm>
#include <iterator>
#include <type_traits>
#include <utility>

#include "fmt/format.h"
#include "raft/check.h"

namespace quorate {
namespace {

// Prometheus' text format: these three are escaped in a label's value.
std::string EscapeLabel(std::string_view value) {
  std::string escaped;
  escaped.reserve(value.size());
  for (const char c : value) {
    if (c == '\n') {
      escaped += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') {
      escaped += '\\';
    }
    escaped += c;
  }
  return escaped;
}

// "" or {a="x",b="y"}; `le` is a bucket's bound, empty for none.
std::string LabelsText(const std::vector<std::string>& names,
                       const std::vector<std::string>& values, std::string_view le = {}) {
  std::string text;
  for (size_t i = 0; i < names.size(); ++i) {
    text += fmt::format("{}{}=\"{}\"", text.empty() ? "" : ",", names[i], EscapeLabel(values[i]));
  }
  if (!le.empty()) {
    text += fmt::format("{}le=\"{}\"", text.empty() ? "" : ",", le);
  }
  return text.empty() ? text : "{" + text + "}";
}

void AppendHead(const MetricName& name, std::string_view kind, std::string* text) {
  *text += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name.name, name.help, kind);
}

template <class Scalar>
void AppendChild(const MetricName& name, const std::vector<std::string>& values,
                 const Scalar& metric, std::string* text) {
  *text += fmt::format("{}{} {}\n", name.name, LabelsText(name.labels, values), metric.value());
}

void AppendChild(const MetricName& name, const std::vector<std::string>& values,
                 const Histogram& metric, std::string* text) {
  const HistogramScale& scale = metric.scale();
  const std::vector<uint64_t> buckets = metric.buckets();
  uint64_t count = 0;
  for (size_t i = 0; i < buckets.size(); ++i) {
    count += buckets[i];
    const std::string le =
        i < scale.bounds.size()
            ? fmt::format("{}", static_cast<double>(scale.bounds[i]) / scale.divisor)
            : "+Inf";
    *text += fmt::format("{}_bucket{} {}\n", name.name, LabelsText(name.labels, values, le), count);
  }
  const std::string labels = LabelsText(name.labels, values);
  *text += fmt::format("{}_sum{} {}\n", name.name, labels,
                       static_cast<double>(metric.sum()) / scale.divisor);
  *text += fmt::format("{}_count{} {}\n", name.name, labels, count);
}

template <class Metric>
std::string_view KindOf() {
  if constexpr (std::is_same_v<Metric, Counter>) {
    return "counter";
  } else if constexpr (std::is_same_v<Metric, Gauge>) {
    return "gauge";
  } else {
    return "histogram";
  }
}

std::vector<uint64_t> PowersOf(uint64_t factor, uint64_t first, uint64_t last) {
  std::vector<uint64_t> bounds;
  for (uint64_t bound = first; bound <= last; bound *= factor) {
    bounds.push_back(bound);
  }
  return bounds;
}

}  // namespace

const HistogramScale& LatencyScale() {
  static const auto* const scale = new HistogramScale{
      .bounds = {50, 100, 200, 500, 1'000, 2'000, 5'000, 10'000, 20'000, 50'000, 100'000, 200'000,
                 500'000, 1'000'000, 2'000'000, 5'000'000, 10'000'000},
      .divisor = 1e6};
  return *scale;
}

const HistogramScale& CountScale() {
  static const auto* const scale = new HistogramScale{.bounds = PowersOf(2, 1, 4096)};
  return *scale;
}

const HistogramScale& BytesScale() {
  static const auto* const scale = new HistogramScale{.bounds = PowersOf(4, 64, 16 << 20)};
  return *scale;
}

Histogram::Histogram(const HistogramScale& scale)
    : scale_(&scale), buckets_(scale.bounds.size() + 1) {}

void Histogram::Record(uint64_t value) {
  const auto bucket = std::lower_bound(scale_->bounds.begin(), scale_->bounds.end(), value);
  buckets_[static_cast<size_t>(bucket - scale_->bounds.begin())].fetch_add(
      1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

std::vector<uint64_t> Histogram::buckets() const {
  std::vector<uint64_t> values;
  values.reserve(buckets_.size());
  std::transform(buckets_.begin(), buckets_.end(), std::back_inserter(values),
                 [](const auto& bucket) { return bucket.load(std::memory_order_relaxed); });
  return values;
}

template <class Metric>
Metric& MetricFamily<Metric>::With(const std::vector<std::string>& values) {
  QUORATE_CHECK(values.size() == name_.labels.size());
  MutexLock lock(&mutex_);
  auto child = children_.find(values);
  if (child == children_.end()) {
    const bool full = children_.size() >= kChildrenMax;
    const std::vector<std::string> key =
        full ? std::vector<std::string>(values.size(), "other") : values;
    child = children_.try_emplace(key, nullptr).first;
    if (child->second == nullptr) {
      child->second = make_();
    }
  }
  return *child->second;
}

template <class Metric>
void MetricFamily<Metric>::AppendTo(std::string* text) const {
  AppendHead(name_, KindOf<Metric>(), text);
  MutexLock lock(&mutex_);
  for (const auto& [values, metric] : children_) {
    AppendChild(name_, values, *metric, text);
  }
}

template <class Metric>
double MetricFamily<Metric>::Sum() const
  requires requires(const Metric& metric) { metric.value(); }
{
  double sum = 0;
  MutexLock lock(&mutex_);
  for (const auto& [values, metric] : children_) {
    sum += static_cast<double>(metric->value());
  }
  return sum;
}

template class MetricFamily<Counter>;
template class MetricFamily<Gauge>;
template class MetricFamily<Histogram>;

struct MetricsRegistry::Collector {
  const MetricName name;
  const std::string kind;
  Mutex mutex;
  // Empty once the handle has died.
  std::function<std::vector<Sample>()> collect ABSL_GUARDED_BY(mutex);

  Collector(MetricName the_name, std::string the_kind, std::function<std::vector<Sample>()> fn)
      : name(std::move(the_name)), kind(std::move(the_kind)), collect(std::move(fn)) {}

  std::vector<Sample> Run() {
    MutexLock lock(&mutex);
    return collect ? collect() : std::vector<Sample>();
  }
};

template <class Metric, class Make>
MetricFamily<Metric>& MetricsRegistry::FindOrMake(MetricName name, Make make,
                                                  Families<Metric>* families) {
  auto& family = (*families)[name.name];
  if (family == nullptr) {
    family.reset(new MetricFamily<Metric>(std::move(name), std::move(make)));
  }
  return *family;
}

MetricFamily<Counter>& MetricsRegistry::CounterFamily(MetricName name) {
  MutexLock lock(&mutex_);
  return FindOrMake(std::move(name), std::make_unique<Counter>, &counters_);
}

MetricFamily<Gauge>& MetricsRegistry::GaugeFamily(MetricName name) {
  MutexLock lock(&mutex_);
  return FindOrMake(std::move(name), std::make_unique<Gauge>, &gauges_);
}

MetricFamily<Histogram>& MetricsRegistry::HistogramFamily(MetricName name,
                                                          const HistogramScale& scale) {
  MutexLock lock(&mutex_);
  const auto make = [&scale] { return std::make_unique<Histogram>(scale); };
  return FindOrMake(std::move(name), make, &histograms_);
}

std::shared_ptr<void> MetricsRegistry::AddCollector(MetricName name, std::string kind,
                                                    std::function<std::vector<Sample>()> collect) {
  auto collector =
      std::make_shared<Collector>(std::move(name), std::move(kind), std::move(collect));
  MutexLock lock(&mutex_);
  collectors_.remove_if([](const auto& known) { return known.expired(); });
  collectors_.push_back(collector);
  // The handle's end waits for a run under way and lets go of what `collect` refers to, even while
  // an Expose on another thread still holds the collector.
  return {collector.get(), [collector](void*) {
            MutexLock end(&collector->mutex);
            collector->collect = nullptr;
          }};
}

double MetricsRegistry::Sum(const std::string& name) const {
  double sum = 0;
  std::vector<std::shared_ptr<Collector>> collectors;
  {
    MutexLock lock(&mutex_);
    if (const auto family = counters_.find(name); family != counters_.end()) {
      sum += family->second->Sum();
    }
    if (const auto family = gauges_.find(name); family != gauges_.end()) {
      sum += family->second->Sum();
    }
    for (const auto& known : collectors_) {
      if (auto collector = known.lock(); collector != nullptr && collector->name.name == name) {
        collectors.push_back(std::move(collector));
      }
    }
  }
  for (const auto& collector : collectors) {
    for (const Sample& sample : collector->Run()) {
      sum += sample.value;
    }
  }
  return sum;
}

std::string MetricsRegistry::Expose() const {
  std::map<std::string, std::string> texts;  // by name
  std::vector<std::shared_ptr<Collector>> collectors;
  {
    MutexLock lock(&mutex_);
    const auto append = [&texts](const auto& families) {
      for (const auto& [name, family] : families) {
        family->AppendTo(&texts[name]);
      }
    };
    append(counters_);
    append(gauges_);
    append(histograms_);
    for (const auto& known : collectors_) {
      if (auto collector = known.lock()) {
        collectors.push_back(std::move(collector));
      }
    }
  }
  for (const auto& collector : collectors) {
    std::string& text = texts[collector->name.name];
    if (text.empty()) {
      AppendHead(collector->name, collector->kind, &text);
    }
    for (const Sample& sample : collector->Run()) {
      text += fmt::format("{}{} {}\n", collector->name.name,
                          LabelsText(collector->name.labels, sample.label_values), sample.value);
    }
  }
  std::string all;
  for (const auto& [name, text] : texts) {
    all += text;
  }
  return all;
}

}  // namespace quorate
