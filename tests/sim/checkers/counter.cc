#include "tests/sim/checkers/counter.h"

#include <fmt/format.h>

#include <algorithm>

namespace quorate::sim {
namespace {

using std::chrono::nanoseconds;

// Intervals of answered increments in order: nothing twice, nothing lost.
std::string CheckSums(const std::vector<CounterOperation>& operations) {
  int64_t unknown = 0;
  std::vector<CounterOperation> answered;
  std::vector<int64_t> reads;
  for (const CounterOperation& each : operations) {
    if (!each.value) {
      unknown += each.delta;
    } else if (each.delta == 0) {
      reads.push_back(*each.value);
    } else {
      answered.push_back(each);
    }
  }
  std::sort(answered.begin(), answered.end(),
            [](const auto& a, const auto& b) { return *a.value < *b.value; });
  std::sort(reads.begin(), reads.end());
  int64_t sum = 0;
  int64_t gaps = 0;
  auto read = reads.begin();
  for (const CounterOperation& each : answered) {
    const int64_t before = *each.value - each.delta;
    if (before < sum) {
      return fmt::format("an increment by {} answered {}, which overlaps another's {}", each.delta,
                         *each.value, sum);
    }
    gaps += before - sum;
    for (; read != reads.end() && *read < *each.value; ++read) {
      if (*read > before) {
        return fmt::format("a read saw {}, in the middle of an increment from {} to {}", *read,
                           before, *each.value);
      }
    }
    sum = *each.value;
  }
  if (!reads.empty() && reads.back() > sum) {
    gaps += reads.back() - sum;
  }
  if (gaps > unknown) {
    return fmt::format("{} was added by nobody; increments of unknown outcome explain at most {}",
                       gaps, unknown);
  }
  return "";
}

// In real time sums never go back, and an increment's answer is above all before it.
std::string CheckTimes(std::vector<CounterOperation> operations) {
  std::erase_if(operations, [](const auto& each) { return !each.value; });
  std::vector<CounterOperation> by_end = operations;
  std::sort(by_end.begin(), by_end.end(),
            [](const auto& a, const auto& b) { return a.end < b.end; });
  std::sort(operations.begin(), operations.end(),
            [](const auto& a, const auto& b) { return a.begin < b.begin; });
  int64_t seen = 0;
  auto ended = by_end.begin();
  for (const CounterOperation& each : operations) {
    for (; ended != by_end.end() && ended->end < each.begin; ++ended) {
      seen = std::max(seen, *ended->value);
    }
    if (*each.value - each.delta < seen) {
      return fmt::format("{} that began at {} ns answered {}, after {} had been answered",
                         each.delta == 0 ? "a read" : "an increment", each.begin.count(),
                         *each.value, seen);
    }
  }
  return "";
}

// Nothing is read before somebody begins to add it.
std::string CheckFuture(std::vector<CounterOperation> operations) {
  std::vector<CounterOperation> by_end = operations;
  std::sort(by_end.begin(), by_end.end(),
            [](const auto& a, const auto& b) { return a.end < b.end; });
  std::sort(operations.begin(), operations.end(),
            [](const auto& a, const auto& b) { return a.begin < b.begin; });
  int64_t begun = 0;
  auto next = operations.begin();
  for (const CounterOperation& each : by_end) {
    for (; next != operations.end() && next->begin <= each.end; ++next) {
      begun += next->delta;
    }
    if (each.value && *each.value > begun) {
      return fmt::format("{} was answered at {} ns, when only {} had been begun", *each.value,
                         each.end.count(), begun);
    }
  }
  return "";
}

}  // namespace

std::string CheckCounter(std::vector<CounterOperation> operations) {
  if (std::string wrong = CheckSums(operations); !wrong.empty()) {
    return wrong;
  }
  if (std::string wrong = CheckTimes(operations); !wrong.empty()) {
    return wrong;
  }
  return CheckFuture(std::move(operations));
}

}  // namespace quorate::sim
