#include "raft/replication.h"

#include <algorithm>
#include <utility>

#include "raft/quorum.h"

namespace quorate::raft {
namespace {

// The follower may well hold more than is known of it, say by a snapshot whose news got lost. So it
// is asked about the first entry that can still be named, before it is sent a snapshot.
void SkipCompacted(Progress* follower, const RaftLog& log) {
  if (follower->next() <= log.compacted_index()) follower->SkipTo(log.compacted_index().Next());
}

}  // namespace

void Replication::Start(const Configuration& configuration, LogIndex last, MonotonicTime now) {
  followers_.clear();
  SetMembers(configuration, last, now);
}

void Replication::SetMembers(const Configuration& configuration, LogIndex last, MonotonicTime now) {
  std::erase_if(followers_,
                [&](const auto& entry) { return !IsMember(configuration, entry.first); });
  for (ReplicaId member : Members(configuration)) {
    if (member != config_.self) followers_.emplace(member, Progress(config_, last.Next(), now));
  }
}

Progress* Replication::Find(ReplicaId replica) {
  const auto found = followers_.find(replica);
  return found == followers_.end() ? nullptr : &found->second;
}

const Progress* Replication::Find(ReplicaId replica) const {
  const auto found = followers_.find(replica);
  return found == followers_.end() ? nullptr : &found->second;
}

std::optional<AppendRequest> Replication::NextAppend(Progress* follower, const RaftLog& log,
                                                     uint64_t round, bool commit_alone) {
  if (!follower->CanSend()) return std::nullopt;
  SkipCompacted(follower, log);
  const bool probing = follower->state() == Progress::State::kProbe;
  const bool behind = follower->next() <= log.last_index();
  const bool news = commit_alone && follower->commit_sent() < log.commit();
  if (!behind && !probing && !news) return std::nullopt;
  if (!behind) return Probe(follower, log, round);

  const LogIndex previous = follower->next().Previous();
  const absl::StatusOr<Term> previous_term = log.TermAt(previous);
  const size_t bytes_max = std::min(config_.append_bytes_max, follower->inflights().bytes_left());
  absl::StatusOr<std::vector<Entry>> entries =
      log.Entries(follower->next(), log.last_index(), bytes_max);
  if (!previous_term.ok() || !entries.ok()) {
    follower->MarkLogUnavailable();
    return std::nullopt;
  }
  size_t bytes = 0;
  for (const Entry& entry : *entries) bytes += entry.ByteSize();
  follower->Sent(entries->back().index, bytes, log.commit());
  return AppendRequest{previous, *previous_term, *std::move(entries), log.commit(), round};
}

bool Replication::OwesCommit(LogIndex commit) const {
  return std::any_of(followers_.begin(), followers_.end(), [&](const auto& entry) {
    return entry.second.commit_sent() < commit && entry.second.CanSend();
  });
}

std::optional<AppendRequest> Replication::Probe(Progress* follower, const RaftLog& log,
                                                uint64_t round) {
  SkipCompacted(follower, log);
  const LogIndex previous = follower->next().Previous();
  const absl::StatusOr<Term> previous_term = log.TermAt(previous);
  if (!previous_term.ok()) {
    follower->MarkLogUnavailable();
    return std::nullopt;
  }
  follower->Sent(previous, 0, log.commit());
  return AppendRequest{previous, *previous_term, {}, log.commit(), round};
}

LogIndex Replication::NextAfterRejection(const AppendResponse& response, const RaftLog& log) {
  // Nothing at or above the rejected index can be the next one to agree on.
  const LogIndex hint = std::clamp(response.conflict_index, LogIndex(1),
                                   std::max(response.rejected_index, LogIndex(1)));
  if (response.conflict_term.IsZero()) return hint;
  const LogIndex last =
      log.LastIndexUpToTerm(response.conflict_term, LogIndex(response.rejected_index.value() - 1));
  // Same term on both sides: they agree on at most what this log has of it. Else all of the
  // follower's conflicting term goes, and so does what is newer than it here.
  if (log.Matches(last, response.conflict_term)) return last.Next();
  return std::min(hint, last.Next());
}

LogIndex Replication::QuorumMatch(const Configuration& configuration, LogIndex persisted) const {
  return LogIndex(ReachedByQuorum(configuration, [&](ReplicaId voter) -> uint64_t {
    if (voter == config_.self) return persisted.value();
    const Progress* progress = Find(voter);
    return progress == nullptr || progress->returning() ? 0 : progress->match().value();
  }));
}

uint64_t Replication::QuorumRound(const Configuration& configuration, uint64_t newest) const {
  return ReachedByQuorum(configuration, [&](ReplicaId voter) -> uint64_t {
    if (voter == config_.self) return newest;
    const Progress* progress = Find(voter);
    return progress == nullptr ? 0 : progress->confirmed_round();
  });
}

MonotonicTime Replication::QuorumHeard(const Configuration& configuration,
                                       MonotonicTime now) const {
  const auto since_start = [](MonotonicTime time) {
    return static_cast<uint64_t>(std::max<int64_t>(time.time_since_epoch().count(), 0));
  };
  const uint64_t heard = ReachedByQuorum(configuration, [&](ReplicaId voter) -> uint64_t {
    if (voter == config_.self) return since_start(now);
    const Progress* progress = Find(voter);
    return progress == nullptr ? 0 : since_start(progress->last_heard());
  });
  return MonotonicTime(Duration(static_cast<int64_t>(heard)));
}

}  // namespace quorate::raft
