#include "tests/sim/sim_scheduler.h"

#include <algorithm>
#include <utility>

namespace quorate::sim {
namespace {

// Virtual time does not begin at zero, so that "a second ago" exists from the start.
constexpr MonotonicTime kStart{std::chrono::hours(1)};

// FNV-1a.
uint64_t HashText(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

}  // namespace

SimScheduler::SimScheduler(uint64_t seed)
    : seed_(seed), random_(seed), now_(kStart), hash_(MixSeed(seed, 0)) {}

void SimScheduler::At(MonotonicTime when, const char* label, uint32_t node, Task task) {
  heap_.push_back({std::max(when, now_), next_sequence_++, label, node, std::move(task)});
  std::push_heap(heap_.begin(), heap_.end(), Later());
}

bool SimScheduler::RunOne() {
  if (heap_.empty()) return false;
  std::pop_heap(heap_.begin(), heap_.end(), Later());
  {
    Event event = std::move(heap_.back());
    heap_.pop_back();
    now_ = event.when;
    ++events_;
    Note(event.label, event.node, static_cast<uint64_t>(now_.time_since_epoch().count()));
    event.task();
  }
  if (after_event_) after_event_();
  return true;
}

void SimScheduler::RunUntil(MonotonicTime end) {
  while (!heap_.empty() && heap_.front().when <= end) RunOne();
  now_ = std::max(now_, end);
}

bool SimScheduler::RunUntilTrue(const std::function<bool()>& done, Duration limit) {
  const MonotonicTime end = now_ + limit;
  while (!done()) {
    if (heap_.empty() || heap_.front().when > end) {
      now_ = end;
      return false;
    }
    RunOne();
  }
  return true;
}

void SimScheduler::Note(std::string_view label, uint32_t node, uint64_t value) {
  hash_ = MixSeed(hash_ ^ HashText(label), MixSeed(value, node));
}

}  // namespace quorate::sim
