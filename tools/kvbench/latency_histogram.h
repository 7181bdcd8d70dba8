// How long many operations took, in little memory: a log-linear histogram (as in HDR Histogram).
#ifndef TOOLS_KVBENCH_LATENCY_HISTOGRAM_H_
#define TOOLS_KVBENCH_LATENCY_HISTOGRAM_H_

#include <chrono>
#include <cstdint>
#include <vector>

namespace quorate::kvbench {

// Counts nanoseconds in buckets whose width doubles with each power of two, 128 buckets to each: a
// percentile is too high by less than 1/128 of itself, whatever its size. Exact below 256 ns; all
// beyond kHighest counts as kHighest.
//
// Not for several threads at a time.
class LatencyHistogram {
 public:
  static constexpr std::chrono::nanoseconds kHighest{(int64_t{1} << 40) - 1};  // 18 minutes

  LatencyHistogram();

  // Less than 0 counts as 0.
  void Record(std::chrono::nanoseconds latency);
  void Merge(const LatencyHistogram& other);

  [[nodiscard]] uint64_t count() const { return count_; }
  // So long or less took this percentage of operations, 0 < percent <= 100; 0 when there are none.
  [[nodiscard]] std::chrono::nanoseconds Percentile(double percent) const;
  // Exact, except for the bound above.
  [[nodiscard]] std::chrono::nanoseconds max() const { return std::chrono::nanoseconds(max_); }
  [[nodiscard]] std::chrono::nanoseconds mean() const;

 private:
  std::vector<uint64_t> counts_;
  uint64_t count_ = 0;
  uint64_t sum_ = 0;
  int64_t max_ = 0;
};

}  // namespace quorate::kvbench

#endif  // TOOLS_KVBENCH_LATENCY_HISTOGRAM_H_
