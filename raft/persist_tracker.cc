#include "raft/persist_tracker.h"

#include <algorithm>

#include "raft/check.h"

namespace quorate::raft {

void PersistTracker::Add(const Ready& ready, MonotonicTime now) {
  QUORATE_CHECK(under_way_.empty() || under_way_.back().token < ready.persist_token);
  LogIndex last;
  if (ready.snapshot) last = ready.snapshot->index;
  if (!ready.entries.empty()) last = ready.entries.back().index;
  under_way_.push_back({ready.persist_token, now, ready.hard_state, last});
}

void PersistTracker::CutAfter(LogIndex previous) {
  persisted_ = std::min(persisted_, previous);
  for (UnderWay& ready : under_way_) ready.last_index = std::min(ready.last_index, previous);
}

void PersistTracker::Reset() { CutAfter(LogIndex()); }

void PersistTracker::Complete(uint64_t token, MonotonicTime now) {
  while (!under_way_.empty() && under_way_.front().token <= token) {
    const UnderWay& done = under_way_.front();
    if (done.hard_state) durable_ = *done.hard_state;
    persisted_ = std::max(persisted_, done.last_index);
    pace_.Took(now - done.since, now);
    under_way_.pop_front();
  }
}

std::optional<MonotonicTime> PersistTracker::oldest() const {
  if (under_way_.empty()) return std::nullopt;
  return under_way_.front().since;
}

}  // namespace quorate::raft
