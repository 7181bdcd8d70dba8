// What the leader knows of one other replica.
#ifndef RAFT_PROGRESS_H_
#define RAFT_PROGRESS_H_

#include <cstdint>
#include <optional>

#include "raft/config.h"
#include "raft/inflights.h"
#include "raft/types.h"

namespace quorate::raft {

// Ways of sending:
//   kProbe      it is not known where the logs part; one append at a time, then wait for the answer
//               (or for a heartbeat's answer, if it got lost).
//   kReplicate  the follower takes all that comes; `next` runs ahead of the answers, bounded by the
//               inflight window.
//   kSnapshot   it needs entries that are compacted, so nothing is sent until the state as a whole
//               has reached it, by the driver's hands.
// Invariant: match < next. Owned by Replication; same thread.
class Progress {
 public:
  enum class State : uint8_t { kProbe, kReplicate, kSnapshot };

  Progress(const RaftConfig& config, LogIndex next, MonotonicTime now)
      : next_(next),
        inflights_(config.inflight_messages_max, config.inflight_bytes_max),
        last_heard_(now) {}

  [[nodiscard]] State state() const { return state_; }
  // Durable at the follower and equal to the leader's log.
  [[nodiscard]] LogIndex match() const { return match_; }
  // The next entry to send.
  [[nodiscard]] LogIndex next() const { return next_; }
  [[nodiscard]] const Inflights& inflights() const { return inflights_; }
  // The highest commit index that was sent; it may have got lost.
  [[nodiscard]] LogIndex commit_sent() const { return commit_sent_; }
  // The newest heartbeat round that this replica has answered.
  [[nodiscard]] uint64_t confirmed_round() const { return confirmed_round_; }
  [[nodiscard]] MonotonicTime last_heard() const { return last_heard_; }
  // The newest life that it has spoken from (HardState), and whether it is returning: then its
  // match counts for nothing until it has what is committed up to cure_index.
  [[nodiscard]] uint64_t life() const { return life_; }
  [[nodiscard]] bool returning() const { return !cure_index_.IsZero(); }
  [[nodiscard]] LogIndex cure_index() const { return cure_index_; }
  // The entries it needs next are unreadable here; nothing is sent until that changes.
  [[nodiscard]] bool log_unavailable() const { return log_unavailable_; }

  [[nodiscard]] bool CanSend() const {
    if (state_ == State::kSnapshot) return false;
    return state_ == State::kProbe ? !waiting_ : !inflights_.Full();
  }
  // An append left that ends with `last` (the previous index, if it was empty).
  void Sent(LogIndex last, size_t bytes, LogIndex commit);
  void MarkLogUnavailable();

  // Any message of the present term arrived that names a round.
  void Heard(uint64_t round, MonotonicTime now);
  // The follower's log equals the leader's up to `match`. Late answers never lower anything.
  void Accepted(LogIndex match);
  // True if the answer is about what was sent last, not a late one.
  [[nodiscard]] bool IsCurrentRejection(LogIndex rejected) const;
  // Starts again at `next`, which is cut to lie above match.
  void Rejected(LogIndex next);
  // The newest round with which it went quiet; zero since it said otherwise.
  [[nodiscard]] uint64_t quiet_round() const { return quiet_round_; }
  void SaidQuiet(uint64_t round) { quiet_round_ = round; }
  // The log begins with `first` now, above next(): asks whether it matches right before that.
  void SkipTo(LogIndex first);
  // It does not: the follower needs a snapshot to get to `first`.
  void AwaitSnapshot(LogIndex first);
  // What the driver says of it: installed up to an index, or it came to nothing. Ignored when an
  // answer has told better already.
  void SnapshotEnded(std::optional<LogIndex> installed);
  // It speaks from a later life: what it acknowledged before may be gone. Zero: it is whole
  // already.
  void BeginLife(uint64_t life, LogIndex cure_index);
  void Cured() { cure_index_ = LogIndex(); }
  // A heartbeat was answered while appends or their answers may have got lost.
  void ResumeProbing() { waiting_ = false; }

 private:
  State state_ = State::kProbe;
  LogIndex match_;
  LogIndex next_;
  Inflights inflights_;
  bool waiting_ = false;  // kProbe only
  bool log_unavailable_ = false;
  LogIndex wanted_first_;  // kSnapshot only
  LogIndex commit_sent_;
  uint64_t confirmed_round_ = 0;
  uint64_t quiet_round_ = 0;
  MonotonicTime last_heard_;
  uint64_t life_ = 0;
  LogIndex cure_index_;  // zero: not returning
};

}  // namespace quorate::raft

#endif  // RAFT_PROGRESS_H_
