// What replicas of one group say to each other. One struct a message kind, held in a variant, so
// that no field changes its meaning with the kind. Encoding is the transport's business.
#ifndef RAFT_MESSAGE_H_
#define RAFT_MESSAGE_H_

#include <cstdint>
#include <variant>
#include <vector>

#include "raft/types.h"

namespace quorate::raft {

// "Would you vote for me in term+1?" Changes nothing at the receiver (Raft thesis, section 9.6).
// Message.term is the term the sender would campaign in.
struct PreVoteRequest {
  LogIndex last_index;
  Term last_term;
};
struct PreVoteResponse {
  bool granted = false;
};

// Raft paper, section 5.2. Message.term is the candidate's term.
struct VoteRequest {
  LogIndex last_index;
  Term last_term;
  // Set when the old leader handed over on purpose: voters then ignore their promise to it.
  bool leadership_transfer = false;
};
struct VoteResponse {
  bool granted = false;
};

// Raft paper, section 5.3. An empty `entries` is a probe or carries only a new commit index.
struct AppendRequest {
  LogIndex previous_index;
  Term previous_term;
  std::vector<Entry> entries;
  LogIndex commit;
  // Names the newest heartbeat round that this message belongs to; see HeartbeatRequest.
  uint64_t round = 0;
};
struct AppendResponse {
  bool accepted = false;
  // accepted: the follower's log equals the leader's up to here, durably.
  LogIndex match_index;
  // rejected: the previous_index of the request, and where the leader should try next: the term of
  // the conflicting entry (zero: the log is too short) and that term's first index there.
  LogIndex rejected_index;
  Term conflict_term;
  LogIndex conflict_index;
  uint64_t round = 0;
};

// "Your log holds again all that you may have acknowledged in earlier lives, if you hold what is
// committed up to `index`." Life zero: nothing is said.
struct Cure {
  uint64_t life = 0;
  LogIndex index;
};

// Keeps followers quiet, confirms leadership (ReadIndex, lease, check-quorum) and carries commit.
// `round` grows with every broadcast; a response confirms the leader as of the time that round was
// sent. `commit` never exceeds what the receiver is known to match.
struct HeartbeatRequest {
  LogIndex commit;
  uint64_t round = 0;
  // "Nothing is going on: go quiet if you hold all up to `commit` and nothing behind it."
  bool quiet = false;
  Cure cure = {};
};
// Round 0 answers nothing: it wakes the receiver, so that a leader shows itself.
struct HeartbeatResponse {
  uint64_t round = 0;
  // The sender went quiet with this answer.
  bool quiet = false;
};

// "Campaign now": the last step of a leadership transfer (Raft thesis, section 3.10).
struct TimeoutNowRequest {};

using MessageBody =
    std::variant<PreVoteRequest, PreVoteResponse, VoteRequest, VoteResponse, AppendRequest,
                 AppendResponse, HeartbeatRequest, HeartbeatResponse, TimeoutNowRequest>;

struct Message {
  ReplicaId from;
  ReplicaId to;
  Term term;
  MessageBody body;
  // The sender's, as its disk has them (HardState).
  uint64_t life = 0;
  uint64_t cured = 0;
};

}  // namespace quorate::raft

#endif  // RAFT_MESSAGE_H_
