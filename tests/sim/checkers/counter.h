// Checks histories of counters: increments that answer the sum, and reads.
#ifndef TESTS_SIM_CHECKERS_COUNTER_H_
#define TESTS_SIM_CHECKERS_COUNTER_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace quorate::sim {

// One increment (delta > 0) or read (delta 0) of one counter that begins at 0. What certainly did
// not happen is left out.
struct CounterOperation {
  int64_t delta = 0;
  // The answer; none: the increment's outcome is unknown for good.
  std::optional<int64_t> value{};
  std::chrono::nanoseconds begin{};
  std::chrono::nanoseconds end{};
};

// Empty when the operations can be ordered one after the other, each within its time, such that
// each increment is applied once (those of unknown outcome at most once) and every answer is the
// sum at its place. Else what is wrong.
//
// Each answered increment owns the interval (value - delta, value], and all intervals together must
// cover 1 to the highest value with gaps only as large as unknown increments can fill. That is
// exact while no outcome is unknown; of unknown ones it checks their sum, not which fills which
// gap.
[[nodiscard]] std::string CheckCounter(std::vector<CounterOperation> operations);

}  // namespace quorate::sim

#endif  // TESTS_SIM_CHECKERS_COUNTER_H_
