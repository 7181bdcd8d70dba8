// Is there one order of all operations, in agreement with real time, in which every read sees the
// last write before it? Decided for each key by itself, since linearizability is local (Herlihy and
// Wing, "Linearizability", 1990, theorem 1).
//
// Method: just-in-time linearization (Wing and Gong, "Testing and verifying concurrent objects",
// 1993; Lowe, "Testing for linearizability", 2017). Walks over begins and ends in order of time and
// keeps the set of all states that the register may be in, each with the open operations that have
// taken effect in it; an operation is made to take effect only when its end, or that of another
// one, demands it.
//
// Unknown outcomes stay open for ever. Those whose value nobody can have depended on are left out:
// taking such a write out of an order leaves a legal order.
#ifndef TESTS_SIM_CHECKERS_LINEARIZABILITY_H_
#define TESTS_SIM_CHECKERS_LINEARIZABILITY_H_

#include <cstdint>
#include <string>

#include "tests/sim/checkers/history.h"

namespace quorate::sim {

struct LinearizabilityResult {
  bool ok = true;
  // Not ok: the key, the operation that fits nowhere, and what surrounded it.
  std::string explanation;
  uint64_t operations = 0;  // that took part
  uint64_t keys = 0;
};

// Every key begins absent. Values written to one key must be unique.
[[nodiscard]] LinearizabilityResult CheckLinearizability(const History& history);

}  // namespace quorate::sim

#endif  // TESTS_SIM_CHECKERS_LINEARIZABILITY_H_
