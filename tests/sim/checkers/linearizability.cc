#include "tests/sim/checkers/linearizability.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

namespace quorate::sim {
namespace {

// Values as small numbers; 0 is "absent".
using Value = uint32_t;
constexpr Value kAbsent = 0;
constexpr size_t kOpenMax = 64;

struct Operation {
  const HistoryEntry* entry = nullptr;
  HistoryOp op = HistoryOp::kRead;
  Value expected = kAbsent;
  Value value = kAbsent;
  bool open_ended = false;
};

struct Event {
  std::chrono::nanoseconds time{};
  bool is_end = false;
  size_t operation = 0;
};

// One state the register may be in: its value, and which open operations (by slot) have taken
// effect.
struct State {
  uint64_t done = 0;
  Value value = kAbsent;
  friend auto operator<=>(const State&, const State&) = default;
};

class KeyChecker {
 public:
  explicit KeyChecker(const std::vector<const HistoryEntry*>& entries) { Prepare(entries); }

  // Nothing when linearizable, else why not.
  std::optional<std::string> Check() {
    std::set<State> states = {State{}};
    slots_.assign(kOpenMax, nullptr);
    std::vector<size_t> slot_of(operations_.size());
    for (const Event& event : events_) {
      const Operation& operation = operations_[event.operation];
      if (!event.is_end) {
        const auto free = std::find(slots_.begin(), slots_.end(), nullptr);
        if (free == slots_.end()) return "more operations are open at once than can be checked";
        *free = &operation;
        slot_of[event.operation] = static_cast<size_t>(free - slots_.begin());
        continue;
      }
      const size_t slot = slot_of[event.operation];
      states = AfterEnd(states, slot);
      slots_[slot] = nullptr;
      if (states.empty()) return Explain(event);
    }
    return std::nullopt;
  }

  [[nodiscard]] size_t operations() const { return operations_.size(); }

 private:
  Value Number(const std::optional<std::string>& value) {
    if (!value) return kAbsent;
    return numbers_.try_emplace(*value, static_cast<Value>(numbers_.size() + 1)).first->second;
  }

  void Prepare(const std::vector<const HistoryEntry*>& entries) {
    const std::set<Value> needed = NeededValues(entries);
    for (const HistoryEntry* entry : entries) {
      const bool is_ok = entry->outcome == HistoryEnd::kOk;
      const bool may_have_happened = entry->outcome != HistoryEnd::kFail;
      if (!is_ok && (!may_have_happened || entry->op == HistoryOp::kRead)) continue;
      Operation operation{.entry = entry,
                          .op = entry->op,
                          .expected = Number(entry->expected),
                          .value = entry->op == HistoryOp::kDelete ? kAbsent : Number(entry->value),
                          .open_ended = !is_ok};
      if (!is_ok && !needed.contains(operation.value)) continue;
      operations_.push_back(operation);
      events_.push_back({entry->begin, false, operations_.size() - 1});
      if (is_ok) events_.push_back({entry->end, true, operations_.size() - 1});
    }
    // At equal times begins come first: such operations count as concurrent.
    std::sort(events_.begin(), events_.end(), [](const Event& a, const Event& b) {
      return std::tie(a.time, a.is_end, a.operation) < std::tie(b.time, b.is_end, b.operation);
    });
  }

  // Values that some operation may have depended on: seen by a read, expected by a compare-and-set
  // that happened, or by one that may have happened and whose own value is needed. Absence always
  // is.
  std::set<Value> NeededValues(const std::vector<const HistoryEntry*>& entries) {
    std::set<Value> needed = {kAbsent};
    for (bool grown = true; grown;) {
      const size_t before = needed.size();
      for (const HistoryEntry* entry : entries) {
        const bool is_ok = entry->outcome == HistoryEnd::kOk;
        if (entry->op == HistoryOp::kRead && is_ok) needed.insert(Number(entry->value));
        if (entry->op != HistoryOp::kCas || entry->outcome == HistoryEnd::kFail) continue;
        if (is_ok || needed.contains(Number(entry->value))) {
          needed.insert(Number(entry->expected));
        }
      }
      grown = needed.size() > before;
    }
    return needed;
  }

  // The state after `slot` takes effect in `state`, if it can.
  [[nodiscard]] std::optional<State> TakeEffect(const State& state, size_t slot) const {
    const Operation& operation = *slots_[slot];
    State next{state.done | (uint64_t{1} << slot), state.value};
    switch (operation.op) {
      case HistoryOp::kRead:
        if (state.value != operation.value) return std::nullopt;
        break;
      case HistoryOp::kCas:
        if (state.value != operation.expected) return std::nullopt;
        next.value = operation.value;
        break;
      case HistoryOp::kWrite:
      case HistoryOp::kDelete:
        next.value = operation.value;
        break;
    }
    return next;
  }

  // All states in which the operation of `slot` has taken effect, and no more than that needs.
  [[nodiscard]] std::set<State> AfterEnd(const std::set<State>& states, size_t slot) const {
    const uint64_t bit = uint64_t{1} << slot;
    std::set<State> reached;
    std::set<State> seen;
    std::vector<State> to_do(states.begin(), states.end());
    while (!to_do.empty()) {
      const State state = to_do.back();
      to_do.pop_back();
      if ((state.done & bit) != 0) {
        reached.insert({state.done & ~bit, state.value});
        continue;
      }
      if (!seen.insert(state).second) continue;
      for (size_t other = 0; other < kOpenMax; ++other) {
        if (slots_[other] == nullptr || (state.done >> other & 1) != 0) continue;
        if (const auto next = TakeEffect(state, other)) to_do.push_back(*next);
      }
    }
    return reached;
  }

  // The end that fits nowhere, what was open then, and what had ended last before it.
  [[nodiscard]] std::string Explain(const Event& failed) const {
    const HistoryEntry& entry = *operations_[failed.operation].entry;
    std::string text = fmt::format("no place for: {}", Describe(entry));
    std::vector<const HistoryEntry*> around;
    for (const Operation& operation : operations_) {
      if (operation.entry->begin <= entry.end && operation.entry != &entry) {
        around.push_back(operation.entry);
      }
    }
    const size_t shown = std::min<size_t>(around.size(), 12);
    for (size_t i = around.size() - shown; i < around.size(); ++i) {
      text += "\n    " + Describe(*around[i]);
    }
    return text;
  }

  std::map<std::string, Value> numbers_;
  std::vector<Operation> operations_;
  std::vector<Event> events_;
  std::vector<const Operation*> slots_;  // null: free
};

}  // namespace

LinearizabilityResult CheckLinearizability(const History& history) {
  std::map<std::string, std::vector<const HistoryEntry*>> by_key;
  for (const HistoryEntry& entry : history.entries()) by_key[entry.key].push_back(&entry);
  LinearizabilityResult result;
  result.keys = by_key.size();
  for (const auto& [key, entries] : by_key) {
    KeyChecker checker(entries);
    result.operations += checker.operations();
    if (const auto why = checker.Check()) {
      result.ok = false;
      result.explanation = *why;
      return result;
    }
  }
  return result;
}

}  // namespace quorate::sim
