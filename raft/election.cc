#include "raft/election.h"

#include <algorithm>
#include <utility>

namespace quorate::raft {

Election::Election(const RaftConfig& config, bool promised_before, MonotonicTime now)
    : timeout_min_(config.election_timeout_min),
      timeout_max_(config.election_timeout_max),
      // The id is mixed in so that one seed given to a whole group still spreads its time-outs.
      random_(config.seed ^ Random(config.self.value()).Next()),
      promise_until_(promised_before ? now + config.election_timeout_min : now) {
  RestartTimer(now);
}

void Election::HeardLeader(MonotonicTime now, MonotonicTime wait_clock) {
  promise_until_ = std::max(promise_until_, now + timeout_min_);
  RestartTimer(wait_clock);
}

void Election::RestartTimer(MonotonicTime wait_clock) {
  const Duration spread = std::max(timeout_max_ - timeout_min_, Duration(0));
  const uint64_t extra = random_.Below(static_cast<uint64_t>(spread.count()));
  deadline_ = wait_clock + timeout_min_ + Duration(static_cast<int64_t>(extra));
  gave_way_ = false;
}

void Election::RestartShortly(MonotonicTime wait_clock, Duration grace) {
  RestartTimer(wait_clock);
  deadline_ -= timeout_min_ - grace;
}

void Election::AwaitVotes(MonotonicTime wait_clock, const DiskPace& pace) {
  RestartTimer(wait_clock);
  deadline_ += pace.Wait(wait_clock);
}

void Election::GiveWay(MonotonicTime wait_clock, const DiskPace& pace) {
  if (std::exchange(gave_way_, true)) return;
  deadline_ = std::max(deadline_, wait_clock + pace.Wait(wait_clock));
}

void Election::Record(ReplicaId voter, bool granted) { votes_.emplace(voter, granted); }

VoteResult Election::Result(const Configuration& configuration) const {
  return CountVotes(configuration, [this](ReplicaId voter) {
    const auto vote = votes_.find(voter);
    if (vote == votes_.end()) return VoteResult::kPending;
    return vote->second ? VoteResult::kWon : VoteResult::kLost;
  });
}

}  // namespace quorate::raft
