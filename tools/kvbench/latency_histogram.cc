#include "tools/kvbench/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>

namespace quorate::kvbench {
namespace {

// A value of more than 8 bits keeps its highest 8, the first of which is always 1: 128 buckets for
// each number of bits dropped. The values below 256, which drop none, fill twice as many.
constexpr int kBitsKept = 8;
constexpr uint64_t kBucketsPerShift = uint64_t{1} << (kBitsKept - 1);

size_t BucketOf(uint64_t value) {
  const int shift = std::max(0, static_cast<int>(std::bit_width(value)) - kBitsKept);
  return static_cast<size_t>((static_cast<uint64_t>(shift) * kBucketsPerShift) + (value >> shift));
}

// The highest value that the bucket counts.
uint64_t HighestOf(size_t bucket) {
  const uint64_t shift = std::max<uint64_t>(bucket / kBucketsPerShift, 1) - 1;
  return ((bucket - (shift * kBucketsPerShift) + 1) << shift) - 1;
}

}  // namespace

LatencyHistogram::LatencyHistogram()
    : counts_(BucketOf(static_cast<uint64_t>(kHighest.count())) + 1) {}

void LatencyHistogram::Record(std::chrono::nanoseconds latency) {
  const int64_t value = std::clamp<int64_t>(latency.count(), 0, kHighest.count());
  ++counts_[BucketOf(static_cast<uint64_t>(value))];
  ++count_;
  sum_ += static_cast<uint64_t>(value);
  max_ = std::max(max_, value);
}

void LatencyHistogram::Merge(const LatencyHistogram& other) {
  for (size_t i = 0; i < counts_.size(); ++i) {
    counts_[i] += other.counts_[i];
  }
  count_ += other.count_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
}

std::chrono::nanoseconds LatencyHistogram::Percentile(double percent) const {
  const auto wanted = static_cast<uint64_t>(std::ceil(static_cast<double>(count_) * percent / 100));
  const uint64_t rank = std::clamp<uint64_t>(wanted, 1, std::max<uint64_t>(count_, 1));
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < counts_.size(); ++bucket) {
    seen += counts_[bucket];
    if (seen >= rank) {
      return std::chrono::nanoseconds(std::min(static_cast<int64_t>(HighestOf(bucket)), max_));
    }
  }
  return std::chrono::nanoseconds(0);
}

std::chrono::nanoseconds LatencyHistogram::mean() const {
  return std::chrono::nanoseconds(count_ == 0 ? 0 : static_cast<int64_t>(sum_ / count_));
}

}  // namespace quorate::kvbench
