// Elections: Raft paper, sections 5.2 and 5.4.1; pre-vote: thesis, section 9.6.
#include "raft/handlers.h"
#include "raft/quorum.h"
#include "raft/raft_core.h"

namespace quorate::raft {
namespace {

// Could this replica vote for `candidate` in `term`, logs aside?
bool IsVoteFree(const RaftCore& core, ReplicaId candidate, Term term) {
  if (core.IsReturning()) return false;
  if (term > core.term()) return true;
  return core.voted_for() == candidate || (core.voted_for().IsZero() && core.leader().IsZero());
}

}  // namespace

// Changes nothing here. Denied while a leader is being protected: the pre-candidate then does not
// raise its term, so a replica with one bad link cannot depose a leader that others hear well.
void OnPreVoteRequest(RaftCore& core, const Message& message) {
  const auto& request = std::get<PreVoteRequest>(message.body);
  const bool granted = !core.MustProtectLeader() && IsVoteFree(core, message.from, message.term) &&
                       core.log().IsUpToDate(request.last_index, request.last_term);
  if (granted) core.election().GiveWay(core.wait_clock(), core.disk().pace());
  // A grant names the term it was asked for; a denial tells ours, which may be news.
  core.Send(message.from, granted ? message.term : core.term(), PreVoteResponse{granted});
}

void OnPreVoteResponse(RaftCore& core, const Message& message) {
  const bool granted = std::get<PreVoteResponse>(message.body).granted;
  if (granted && message.term != core.term().Next()) return;
  core.election().Record(message.from, granted);
  core.ActOnVotes();
}

// A learner that is asked votes: the candidate's configuration may be newer than the one here.
void OnVoteRequest(RaftCore& core, const Message& message) {
  const auto& request = std::get<VoteRequest>(message.body);
  if (!request.leadership_transfer && core.MustProtectLeader()) return;
  const bool granted = IsVoteFree(core, message.from, message.term) &&
                       core.log().IsUpToDate(request.last_index, request.last_term);
  if (granted) {
    core.Vote(message.from);
    core.election().AwaitVotes(core.wait_clock(), core.disk().pace());
  }
  core.Send(message.from, VoteResponse{granted});
}

void OnVoteResponse(RaftCore& core, const Message& message) {
  core.election().Record(message.from, std::get<VoteResponse>(message.body).granted);
  core.ActOnVotes();
}

// Comes from the leader of this term, which has stopped trusting its lease before it sent this.
void OnTimeoutNow(RaftCore& core, const Message& message) {
  if (message.from != core.leader() || !core.IsEligible() || core.IsReturning()) return;
  core.StartElection(/*transfer=*/true);
}

}  // namespace quorate::raft
