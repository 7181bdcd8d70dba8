#include "server/replication/raft_groups/forgotten_times.h"

#include <algorithm>

namespace quorate {
namespace {

// Whether `later` is not before `earlier` and at most that far behind it.
bool IsNear(uint64_t earlier, uint64_t later) {
  return later <= earlier || later - earlier <= ForgottenTimes::kJoinsWithinUs;
}

}  // namespace

ForgottenTimes::ForgottenTimes(const internal::v1::ReplicaMeta& meta) {
  if (meta.eviction_horizon_us() > 0) {
    spans_.push_back({.first_us = 0, .last_us = meta.eviction_horizon_us()});
  }
  for (const internal::v1::ForgottenSpan& span : meta.forgotten()) {
    spans_.push_back({.first_us = span.first_us(), .last_us = span.last_us()});
  }
}

void ForgottenTimes::Store(internal::v1::ReplicaMeta* meta) const {
  meta->clear_eviction_horizon_us();
  meta->clear_forgotten();
  for (const Span& span : spans_) {
    internal::v1::ForgottenSpan* const stored = meta->add_forgotten();
    stored->set_first_us(span.first_us);
    stored->set_last_us(span.last_us);
  }
}

void ForgottenTimes::Add(uint64_t time_us) {
  // The first span that does not end too far before it.
  auto at = std::find_if(spans_.begin(), spans_.end(),
                         [&](const Span& span) { return IsNear(span.last_us, time_us); });
  if (at == spans_.end() || !IsNear(time_us, at->first_us)) {
    spans_.insert(at, {.first_us = time_us, .last_us = time_us});
    if (spans_.size() > kSpansMax) {
      spans_[1].first_us = spans_[0].first_us;
      spans_.erase(spans_.begin());
    }
    return;
  }
  at->first_us = std::min(at->first_us, time_us);
  at->last_us = std::max(at->last_us, time_us);
  const auto next = at + 1;
  if (next != spans_.end() && IsNear(at->last_us, next->first_us)) {
    at->last_us = next->last_us;
    spans_.erase(next);
  }
}

bool ForgottenTimes::Contains(uint64_t time_us) const {
  return std::any_of(spans_.begin(), spans_.end(), [&](const Span& span) {
    return span.first_us <= time_us && time_us <= span.last_us;
  });
}

}  // namespace quorate
