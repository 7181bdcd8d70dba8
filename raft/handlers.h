// What each kind of message does in each role: one function a message, one table over both.
#ifndef RAFT_HANDLERS_H_
#define RAFT_HANDLERS_H_

#include "raft/message.h"
#include "raft/types.h"

namespace quorate::raft {

class RaftCore;

// Called after the term rule: the message is of the core's present term, except for pre-votes,
// which may speak of a later one.
using Handler = void (*)(RaftCore& core, const Message& message);

// Null: a message of this kind is ignored in this role.
[[nodiscard]] Handler FindHandler(Role role, const MessageBody& body);

// handlers_election.cc
void OnPreVoteRequest(RaftCore& core, const Message& message);
void OnPreVoteResponse(RaftCore& core, const Message& message);
void OnVoteRequest(RaftCore& core, const Message& message);
void OnVoteResponse(RaftCore& core, const Message& message);
void OnTimeoutNow(RaftCore& core, const Message& message);

// handlers_replication.cc
void OnAppendRequest(RaftCore& core, const Message& message);
void OnAppendResponse(RaftCore& core, const Message& message);
void OnHeartbeatRequest(RaftCore& core, const Message& message);
void OnHeartbeatResponse(RaftCore& core, const Message& message);

}  // namespace quorate::raft

#endif  // RAFT_HANDLERS_H_
