#include "server/replication/raft_groups/log_truncation.h"

#include <algorithm>

namespace quorate {

TruncationStep DecideTruncation(const LogFacts& facts, uint64_t keep_bytes, uint64_t hard_bytes) {
  const bool large = facts.bytes > keep_bytes + keep_bytes / 4;
  raft::LogIndex wanted = facts.last_by_age;
  if (large) wanted = std::max(wanted, facts.last_by_size);
  if (facts.followers_hold && facts.bytes <= hard_bytes) {
    wanted = std::min(wanted, *facts.followers_hold);
  }
  TruncationStep step;
  step.flush = large && wanted > facts.flushed;
  const raft::LogIndex last = std::min(wanted, facts.flushed);
  if (last > facts.compacted) step.drop_to = last;
  return step;
}

std::optional<raft::LogIndex> HeldByFollowers(const raft::RaftStatus& status) {
  std::optional<raft::LogIndex> held;
  for (const raft::FollowerProgress& follower : status.followers) {
    if (!follower.recently_active) continue;
    // The snapshot on its way there must still meet the log.
    const raft::LogIndex match = follower.awaits_snapshot ? status.compacted_index : follower.match;
    held = std::min(held.value_or(match), match);
  }
  return held;
}

raft::LogIndex LogAges::Note(raft::LogIndex last, MonotonicTime now) {
  if (marks_.empty() || now - marks_.back().first >= spacing_) marks_.emplace_back(now, last);
  while (marks_.size() > 1 && now - marks_[1].first >= age_) marks_.pop_front();
  return now - marks_.front().first >= age_ ? marks_.front().second : raft::LogIndex();
}

}  // namespace quorate
