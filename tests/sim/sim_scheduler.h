// The simulator's heart: one queue of events on virtual time, run by one thread.
//
// Everything that happens in a simulated run is an event here: a task of an event loop, a message
// that arrives, a RocksDB job, a fault. Events run in the order of (virtual time, order of
// posting), virtual time jumps from one to the next, and every choice is drawn from one seed; so
// the same seed gives the same run, and `hash()` shows it.
#ifndef TESTS_SIM_SIM_SCHEDULER_H_
#define TESTS_SIM_SIM_SCHEDULER_H_

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "server/runtime/random.h"
#include "server/runtime/runtime.h"

namespace quorate::sim {

// Stands for "no node" where a node's number is asked for.
inline constexpr uint32_t kNoNode = ~uint32_t{0};

// Owned by the test; outlives everything that runs on it. One thread.
class SimScheduler {
 public:
  explicit SimScheduler(uint64_t seed);
  SimScheduler(const SimScheduler&) = delete;
  SimScheduler& operator=(const SimScheduler&) = delete;

  // Virtual time, the same for all nodes. Their own clocks (SimClock) may differ from it.
  [[nodiscard]] MonotonicTime Now() const { return now_; }

  // Runs `task` at `when`, or next if that has passed. `label` is a literal that names the kind of
  // event, `node` whom it concerns; both go into the hash.
  void At(MonotonicTime when, const char* label, uint32_t node, Task task);
  void After(Duration delay, const char* label, uint32_t node, Task task) {
    At(now_ + delay, label, node, std::move(task));
  }

  // Runs the next event; false when there is none.
  bool RunOne();
  // Runs all events up to `end`, then stands at `end`.
  void RunUntil(MonotonicTime end);
  void RunFor(Duration duration) { RunUntil(now_ + duration); }
  // Runs until `done()` (looked at after each event) or until `limit` has passed. Says which.
  bool RunUntilTrue(const std::function<bool()>& done, Duration limit);

  // Called after each event, e.g. to check invariants. Null removes it.
  void SetAfterEvent(std::function<void()> hook) { after_event_ = std::move(hook); }

  // Adds something that happened within an event (a file written) to the hash.
  void Note(std::string_view label, uint32_t node, uint64_t value);
  // Over all events and notes so far, in order.
  [[nodiscard]] uint64_t hash() const { return hash_; }
  [[nodiscard]] uint64_t events() const { return events_; }

  // A generator of its own for one part of the simulation, so that one part drawing more does not
  // change what another draws. Call in a fixed order.
  [[nodiscard]] SeededRandom ForkRandom() { return random_.Fork(); }
  [[nodiscard]] uint64_t seed() const { return seed_; }

 private:
  struct Event {
    MonotonicTime when;
    uint64_t sequence;
    const char* label;
    uint32_t node;
    Task task;
  };
  // For a heap whose front is the earliest event.
  struct Later {
    bool operator()(const Event& a, const Event& b) const {
      return a.when != b.when ? a.when > b.when : a.sequence > b.sequence;
    }
  };

  const uint64_t seed_;
  SeededRandom random_;
  MonotonicTime now_;
  uint64_t next_sequence_ = 0;
  uint64_t events_ = 0;
  uint64_t hash_;
  std::vector<Event> heap_;
  std::function<void()> after_event_;
};

}  // namespace quorate::sim

#endif  // TESTS_SIM_SIM_SCHEDULER_H_
