// A leader's rounds of heartbeats, and the lease that follows from them.
#ifndef RAFT_HEARTBEAT_ROUNDS_H_
#define RAFT_HEARTBEAT_ROUNDS_H_

#include <cstdint>
#include <deque>
#include <optional>

#include "raft/config.h"
#include "raft/types.h"

namespace quorate::raft {

// Numbers the rounds and remembers when each was sent. A round that a majority answered proves that
// this replica was the leader when it was *sent*; what the answers took on their way counts for
// nothing (Raft thesis, section 6.4.1).
//
// Lease: every voter of that majority helps no rival for election_timeout_min by its own clock,
// starting after the round was sent. Its clock may run faster than ours by clock_drift_max, so the
// lease ends at sent + election_timeout_min / (1 + clock_drift_max).
// Owned by RaftCore; same thread.
class HeartbeatRounds {
 public:
  explicit HeartbeatRounds(const RaftConfig& config);

  // A new leadership: no round confirmed yet. Numbers go on growing, so that a late answer from an
  // earlier leadership can never be taken for a newer one.
  void Reset();
  // Opens a round that is about to be sent.
  uint64_t Open(MonotonicTime now);
  // A majority answered `round`. Never lowers what is confirmed.
  void Confirm(uint64_t round);

  [[nodiscard]] uint64_t newest() const { return newest_; }
  [[nodiscard]] uint64_t confirmed() const { return confirmed_; }
  [[nodiscard]] MonotonicTime newest_sent() const { return newest_sent_; }
  // End of the lease; empty until a round of this leadership is confirmed, and for the rest of the
  // leadership once ForbidLease was called.
  [[nodiscard]] std::optional<MonotonicTime> LeaseEnd() const;
  // No lease until another round is confirmed: the group went quiet, or other voters count.
  void ForgetLease() { confirmed_sent_.reset(); }
  // A TimeoutNow is about to leave: whoever gets it, however late, campaigns past every promise.
  void ForbidLease() { lease_forbidden_ = true; }

 private:
  struct Round {
    uint64_t number;
    MonotonicTime sent;
  };

  const Duration lease_length_;  // zero: leases are off
  uint64_t newest_ = 0;
  MonotonicTime newest_sent_;
  uint64_t confirmed_ = 0;
  std::optional<MonotonicTime> confirmed_sent_;
  bool lease_forbidden_ = false;
  // Not confirmed yet. Bounded: a leader whose rounds stay unconfirmed steps down after
  // election_timeout_min, and reads open a new round only when their last one is confirmed.
  std::deque<Round> open_;
};

}  // namespace quorate::raft

#endif  // RAFT_HEARTBEAT_ROUNDS_H_
