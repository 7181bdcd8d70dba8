// Log replication: Raft paper, section 5.3.
#include <algorithm>

#include "raft/configuration.h"
#include "raft/handlers.h"
#include "raft/raft_core.h"

namespace quorate::raft {
namespace {

// Notes the sender as the leader of this term. False if another one is known: at most one of them
// can be real, and none of this replica's promises may depend on which.
bool FollowLeader(RaftCore& core, ReplicaId sender) {
  if (!core.leader().IsZero() && core.leader() != sender) return false;
  core.BecomeFollower(core.term(), sender);
  core.election().HeardLeader(core.now(), core.wait_clock());
  return true;
}

// Could a leader of `term` have sent this? Guards the log against a broken peer.
bool IsWellFormed(const AppendRequest& request, Term term) {
  LogIndex index = request.previous_index;
  Term last_term = request.previous_term;
  for (const Entry& entry : request.entries) {
    if (entry.index != index.Next() || entry.term < last_term || entry.term > term) return false;
    if (entry.kind != EntryKind::kNoop && entry.payload == nullptr) return false;
    if (entry.kind == EntryKind::kConfig && !DecodeConfiguration(*entry.payload).ok()) return false;
    index = entry.index;
    last_term = entry.term;
  }
  return last_term <= term;
}

AppendResponse Rejection(const RaftLog& log, const AppendRequest& request) {
  AppendResponse response;
  response.rejected_index = request.previous_index;
  response.conflict_index = log.last_index().Next();
  response.round = request.round;
  if (request.previous_index > log.last_index()) return response;
  const absl::StatusOr<Term> own_term = log.TermAt(request.previous_index);
  if (own_term.ok()) {
    response.conflict_term = *own_term;
    response.conflict_index = log.FirstIndexOfTerm(*own_term, request.previous_index);
  } else {
    response.conflict_index = request.previous_index;
  }
  return response;
}

// Appends what the log lacks. An entry that is here already is left alone, and so is everything
// behind it: a late, short request must not cut off what later requests brought. Only a real
// conflict cuts. False if the request contradicts what is committed here.
bool TakeEntries(RaftCore& core, const AppendRequest& request) {
  RaftLog& log = core.log();
  size_t first_new = 0;
  for (; first_new < request.entries.size(); ++first_new) {
    const Entry& entry = request.entries[first_new];
    if (!log.Matches(entry.index, entry.term)) break;
  }
  if (first_new == request.entries.size()) return true;
  const Entry& entry = request.entries[first_new];
  if (entry.index <= log.last_index()) {
    const LogIndex previous = entry.index.Previous();
    if (previous < log.commit()) return false;
    core.CutLogAfter(previous,
                     first_new == 0 ? request.previous_term : request.entries[first_new - 1].term);
  }
  for (size_t i = first_new; i < request.entries.size(); ++i)
    core.AppendFromLeader(request.entries[i]);
  return true;
}

}  // namespace

void OnAppendRequest(RaftCore& core, const Message& message) {
  const auto& request = std::get<AppendRequest>(message.body);
  if (!IsWellFormed(request, message.term) || !FollowLeader(core, message.from)) return;
  RaftLog& log = core.log();
  AppendResponse response;
  response.accepted = true;
  response.round = request.round;
  if (request.previous_index < log.commit()) {
    // What is committed here is in every leader's log; the term of previous_index may be gone.
    response.match_index = log.commit();
    core.Send(message.from, response);
    return;
  }
  if (!log.Matches(request.previous_index, request.previous_term)) {
    core.Send(message.from, Rejection(log, request));
    return;
  }
  if (!TakeEntries(core, request)) return;
  // Not the last index: what lies behind the matched part may be another leader's.
  response.match_index = LogIndex(request.previous_index.value() + request.entries.size());
  log.CommitTo(std::min(request.commit, response.match_index));
  core.Send(message.from, response);
}

void OnAppendResponse(RaftCore& core, const Message& message) {
  const auto& response = std::get<AppendResponse>(message.body);
  Progress* progress = core.replication().Find(message.from);
  if (progress == nullptr || response.round > core.rounds().newest()) return;
  if (!core.KnowLife(message, progress)) return;
  progress->Heard(response.round, core.wait_clock());
  if (response.accepted) {
    if (response.match_index > core.log().last_index()) return;
    progress->Accepted(response.match_index);
    core.MaybeCommit();
    core.MaybeFinishTransfer();
  } else if (!response.rejected_index.IsZero() &&
             progress->IsCurrentRejection(response.rejected_index)) {
    if (progress->state() == Progress::State::kProbe &&
        response.rejected_index <= core.log().compacted_index()) {
      core.WantSnapshot(message.from, progress);
    } else {
      progress->Rejected(Replication::NextAfterRejection(response, core.log()));
    }
  }
  core.WantFlush();
  core.OnRoundsAnswered();
}

void OnHeartbeatRequest(RaftCore& core, const Message& message) {
  const auto& request = std::get<HeartbeatRequest>(message.body);
  if (!FollowLeader(core, message.from)) return;
  core.log().CommitTo(request.commit);
  core.TakeCure(request.cure);
  core.Send(message.from, HeartbeatResponse{request.round, core.FollowIntoQuiet(request)});
}

void OnHeartbeatResponse(RaftCore& core, const Message& message) {
  const auto& response = std::get<HeartbeatResponse>(message.body);
  Progress* progress = core.replication().Find(message.from);
  if (progress == nullptr || response.round > core.rounds().newest()) return;
  const bool was_returning = progress->returning();
  if (!core.KnowLife(message, progress)) return;
  progress->Heard(response.round, core.wait_clock());
  progress->SaidQuiet(response.quiet ? response.round : 0);
  // A follower was woken after it had gone quiet: what others said before that is void.
  if (response.round == 0) core.Rouse();
  // The follower lives but lacks entries: what was sent, or its answers, may have got lost. One
  // question past the window finds out; a rejection or an acknowledgement reopens it.
  if (progress->match() < core.log().last_index() &&
      progress->state() != Progress::State::kSnapshot) {
    progress->ResumeProbing();
    if (auto probe = core.replication().Probe(progress, core.log(), core.rounds().newest())) {
      core.Send(message.from, *std::move(probe));
    }
  }
  core.OnRoundsAnswered();
  core.MaybeGoQuiet();
  if (was_returning) core.MaybeCommit();  // if it is no more, its copies count
}

}  // namespace quorate::raft
