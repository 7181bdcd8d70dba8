// The parts of leader election that are no messages: the randomised timer, the promise not to vote,
// and the tally of votes.
#ifndef RAFT_ELECTION_H_
#define RAFT_ELECTION_H_

#include <cstdint>
#include <map>
#include <optional>

#include "raft/config.h"
#include "raft/disk_pace.h"
#include "raft/quorum.h"
#include "raft/random.h"
#include "raft/types.h"

namespace quorate::raft {

// When to campaign (Raft paper, section 5.2), and until when not to help others to (thesis, 4.2.3
// and 6.4.1): who hears from a leader promises it election_timeout_min without a rival. Leases rest
// on that promise, so it is kept by this replica's own clock, whatever terms go by meanwhile.
// Promises go by the full time, the timer by RaftCore::wait_clock.
// Owned by RaftCore; same thread.
class Election {
 public:
  // `promised_before`: an earlier life may have made a promise that is forgotten now.
  Election(const RaftConfig& config, bool promised_before, MonotonicTime now);

  // A message of the present leader arrived.
  void HeardLeader(MonotonicTime now, MonotonicTime wait_clock);
  // Draws a new time-out, counted from now.
  void RestartTimer(MonotonicTime wait_clock);
  // The same where about a time-out of silence has passed already: in place of timeout_min a leader
  // that lives after all gets `grace` to show itself.
  void RestartShortly(MonotonicTime wait_clock, Duration grace);
  // As RestartTimer for a vote that was just given: its way over a disk of this pace is not held
  // against the candidate.
  void AwaitVotes(MonotonicTime wait_clock, const DiskPace& pace);
  // Another replica is about to campaign: it gets the time that its own vote needs on such a disk,
  // during which nothing is heard of it. Once for each time-out of this replica's, so that one that
  // only ever announces its campaigns holds nobody up.
  void GiveWay(MonotonicTime wait_clock, const DiskPace& pace);

  [[nodiscard]] bool TimedOut(MonotonicTime wait_clock) const { return wait_clock >= deadline_; }
  [[nodiscard]] bool PromiseHolds(MonotonicTime now) const { return now < promise_until_; }

  // Starts a count without any votes in it.
  void StartTally() { votes_.clear(); }
  // The first answer of a voter counts.
  void Record(ReplicaId voter, bool granted);
  [[nodiscard]] VoteResult Result(const Configuration& configuration) const;

 private:
  const Duration timeout_min_;
  const Duration timeout_max_;
  Random random_;
  MonotonicTime deadline_;
  bool gave_way_ = false;
  MonotonicTime promise_until_;
  std::map<ReplicaId, bool> votes_;
};

}  // namespace quorate::raft

#endif  // RAFT_ELECTION_H_
