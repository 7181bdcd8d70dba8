#include "raft/invariants.h"

#include <algorithm>

#include "fmt/format.h"
#include "raft/configuration.h"
#include "raft/quorum.h"
#include "raft/raft_core.h"

namespace quorate::raft {
namespace {

bool SameContent(const Entry& a, const Entry& b) {
  if (a.kind != b.kind || (a.payload == nullptr) != (b.payload == nullptr)) return false;
  return a.payload == b.payload || *a.payload == *b.payload;
}

const RaftLog& LogOf(const ReplicaView& replica) { return replica.node->core().log(); }

}  // namespace

void Invariants::Fail(std::string text) { violations_.push_back(std::move(text)); }

void Invariants::Check(const std::vector<ReplicaView>& replicas, MonotonicTime now) {
  for (const ReplicaView& replica : replicas) {
    if (replica.node != nullptr) CheckReplica(replica);
  }
  // After all logs and commits are known: a later leader lacks something only now committed.
  for (const ReplicaView& replica : replicas) {
    if (replica.node != nullptr) CheckLeader(replica, &seen_[replica.id]);
  }
  CheckQuorumLog(replicas);
  CheckQuiet(replicas);
  CheckLeases(replicas, now);
}

void Invariants::CheckReplica(const ReplicaView& replica) {
  Seen& seen = seen_[replica.id];
  CheckTermAndVote(replica, &seen);
  CheckLog(replica, &seen);
  CheckCommit(replica, &seen);
  CheckMembership(replica);
}

void Invariants::CheckTermAndVote(const ReplicaView& replica, Seen* seen) {
  const RaftCore& core = replica.node->core();
  const uint64_t id = replica.id.value();
  if (core.term() < seen->term) {
    Fail(fmt::format("term_monotonic: {} went from term {} to {}", id, seen->term.value(),
                     core.term().value()));
  }
  if (core.term() == seen->term && !seen->voted_for.IsZero() &&
      core.voted_for() != seen->voted_for) {
    Fail(fmt::format("term_monotonic: {} changed its vote in term {}", id, core.term().value()));
  }
  seen->term = core.term();
  seen->voted_for = core.voted_for();
}

// By induction over all entries ever seen: where two logs hold the same (index, term), their
// entries and their predecessors' terms are equal, so the whole prefixes are. From the end down to
// the first entry that is still as last seen, below which nothing can differ without a cut.
void Invariants::CheckLog(const ReplicaView& replica, Seen* seen) {
  const RaftLog& log = LogOf(replica);
  const LogIndex last = log.last_index();
  const auto known = [&](LogIndex index) -> Term {
    const uint64_t offset = index.value() - seen->first.value();
    return index >= seen->first && offset < seen->terms.size() ? seen->terms[offset] : Term();
  };
  const LogIndex seen_last(seen->first.value() + seen->terms.size() - 1);
  LogIndex same = last;
  std::vector<Term> fresh;
  while (same > log.compacted_index()) {
    const absl::StatusOr<Term> term = log.TermAt(same);
    if (!term.ok() || (known(same) == *term && !known(same).IsZero())) break;
    fresh.push_back(*term);
    same = same.Previous();
  }
  if (seen->leads == replica.node->term() && replica.node->role() == Role::kLeader &&
      same < seen_last) {
    Fail(fmt::format("leader_append_only: leader {} of term {} cut its log after {}",
                     replica.id.value(), seen->leads.value(), same.value()));
  }
  if (same < seen->first) {
    seen->first = same.Next();
    seen->terms.clear();
  } else {
    seen->terms.resize(same.value() - seen->first.value() + 1);
  }
  seen->terms.insert(seen->terms.end(), fresh.rbegin(), fresh.rend());
  for (LogIndex index = same.Next(); index <= last; index = index.Next()) {
    CheckEntry(replica, index);
  }
}

void Invariants::CheckEntry(const ReplicaView& replica, LogIndex index) {
  const RaftLog& log = LogOf(replica);
  const absl::StatusOr<Term> previous = log.TermAt(index.Previous());
  const absl::StatusOr<std::vector<Entry>> found = log.Entries(index, index, 0);
  if (!previous.ok() || !found.ok()) return;
  const Entry& entry = found->front();
  const auto [known, inserted] =
      entries_.try_emplace({index, entry.term}, KnownEntry{*previous, entry});
  if (inserted) return;
  if (known->second.previous_term != *previous || !SameContent(known->second.entry, entry)) {
    Fail(fmt::format("log_matching: entry {} of term {} differs at {}", index.value(),
                     entry.term.value(), replica.id.value()));
  }
}

void Invariants::CheckCommit(const ReplicaView& replica, Seen* seen) {
  const RaftLog& log = LogOf(replica);
  if (log.commit() < seen->commit) {
    Fail(fmt::format("commit_agreement: commit of {} fell", replica.id.value()));
  }
  for (LogIndex index = seen->commit.Next(); index <= log.commit(); index = index.Next()) {
    const absl::StatusOr<Term> term = log.TermAt(index);
    if (!term.ok()) continue;
    const auto [known, inserted] =
        committed_.try_emplace(index, Committed{*term, replica.node->term()});
    if (inserted) NoteCommitted(index, *term);
    if (!inserted && known->second.entry_term != *term) {
      Fail(fmt::format("commit_agreement: {} committed term {} at {}, others term {}",
                       replica.id.value(), term->value(), index.value(),
                       known->second.entry_term.value()));
    }
  }
  seen->commit = log.commit();
}

void Invariants::NoteCommitted(LogIndex index, Term term) {
  const auto known = entries_.find({index, term});
  if (known == entries_.end() || known->second.entry.kind != EntryKind::kConfig) return;
  const auto configuration = DecodeConfiguration(*known->second.entry.payload);
  if (!configuration.ok()) {
    return Fail(fmt::format("one_change: entry {} is no configuration", index.value()));
  }
  committed_configurations_[index] = *configuration;
}

// In force is what the log's last configuration entry says, of which at most one is uncommitted.
void Invariants::CheckMembership(const ReplicaView& replica) {
  const RaftCore& core = replica.node->core();
  const LogIndex in_force = core.configurations().latest_index();
  size_t uncommitted = 0;
  for (LogIndex index = LogOf(replica).last_index(); index > LogOf(replica).commit();
       index = index.Previous()) {
    const absl::StatusOr<Term> term = LogOf(replica).TermAt(index);
    if (!term.ok()) return;
    const auto known = entries_.find({index, *term});
    if (known == entries_.end() || known->second.entry.kind != EntryKind::kConfig) continue;
    if (++uncommitted == 1 && index != in_force) {
      Fail(fmt::format(
          "one_change: {} goes by the configuration of {}, its log ends with that of {}",
          replica.id.value(), in_force.value(), index.value()));
    }
  }
  const LogIndex commit = LogOf(replica).commit();
  if (uncommitted == 0 && !core.configuration().voters.empty() &&
      core.configuration() != CommittedConfiguration(commit)) {
    Fail(fmt::format("config_from_log: {} goes by another membership than what is committed at {}",
                     replica.id.value(), commit.value()));
  }
  if (uncommitted > 1) {
    Fail(fmt::format("one_change: {} holds {} uncommitted changes of membership",
                     replica.id.value(), uncommitted));
  }
}

void Invariants::CheckLeaderHolds(const ReplicaView& leader, LogIndex index,
                                  const Committed& committed) {
  // A leader of an older term that does not know of its end yet may well lack it.
  if (committed.seen_in_term > leader.node->term()) return;
  if (index <= LogOf(leader).compacted_index()) return;
  if (LogOf(leader).Matches(index, committed.entry_term)) return;
  Fail(fmt::format("leader_completeness: leader {} of term {} lacks entry {} of term {}",
                   leader.id.value(), leader.node->term().value(), index.value(),
                   committed.entry_term.value()));
}

void Invariants::CheckLeader(const ReplicaView& replica, Seen* seen) {
  if (replica.node->role() != Role::kLeader) {
    seen->leads = Term();
    return;
  }
  if (replica.node->core().IsReturning()) {
    Fail(fmt::format("returning_helps_none: {} leads", replica.id.value()));
  }
  const Term term = replica.node->term();
  const auto [leader, inserted] = leaders_.try_emplace(term, replica.id);
  if (leader->second != replica.id) {
    Fail(fmt::format("election_safety: {} and {} lead term {}", leader->second.value(),
                     replica.id.value(), term.value()));
  }
  if (seen->leads != term) {
    for (const auto& [index, committed] : committed_) CheckLeaderHolds(replica, index, committed);
  } else if (!committed_.empty()) {
    // What was committed since then: the last entry stands for all, by log matching.
    CheckLeaderHolds(replica, committed_.rbegin()->first, committed_.rbegin()->second);
  }
  seen->leads = term;
}

void Invariants::CheckQuorumLog(const std::vector<ReplicaView>& replicas) {
  if (committed_.empty()) return;
  const LogIndex index = committed_.rbegin()->first;
  const Term term = committed_.rbegin()->second.entry_term;
  // Not of a joint configuration's outgoing half: once the entry that leaves it is in the log of a
  // leader, entries before that one commit without it.
  const Configuration incoming{
      .voters = CommittedConfiguration(index).voters, .outgoing = {}, .learners = {}};
  const uint64_t held = ReachedByQuorum(incoming, [&](ReplicaId voter) -> uint64_t {
    const auto found =
        std::find_if(replicas.begin(), replicas.end(),
                     [&](const ReplicaView& replica) { return replica.id == voter; });
    if (found == replicas.end() || found->disk == nullptr) return 1;
    if (index <= found->disk->CompactedIndex()) return 1;
    // It may lack the entry, since it elects nobody.
    const HardState state = found->disk->InitialHardState();
    if (state.life > state.cured) return 1;
    const absl::StatusOr<Term> stored = found->disk->TermAt(index);
    return stored.ok() && *stored == term ? 1 : 0;
  });
  if (held == 0) {
    Fail(fmt::format("quorum_log: committed entry {} of term {} is on no majority's disks",
                     index.value(), term.value()));
  }
}

void Invariants::CheckQuiet(const std::vector<ReplicaView>& replicas) {
  for (const ReplicaView& leader : replicas) {
    if (leader.node == nullptr || leader.node->role() != Role::kLeader) continue;
    if (!leader.node->quiet()) continue;
    const LogIndex last = LogOf(leader).last_index();
    for (const ReplicaView& replica : replicas) {
      if (replica.node == nullptr || !replica.node->quiet()) continue;
      if (replica.node->term() != leader.node->term()) continue;
      // Who was removed, and does not know it, is told by the driver's watch.
      if (!IsMember(leader.node->core().configuration(), replica.id)) continue;
      if (LogOf(replica).last_index() == last && LogOf(replica).commit() == last) continue;
      Fail(fmt::format("quiet_caught_up: {} is quiet with {} of {} entries, {} committed",
                       replica.id.value(), LogOf(replica).last_index().value(), last.value(),
                       LogOf(replica).commit().value()));
    }
  }
}

void Invariants::CheckLeases(const std::vector<ReplicaView>& replicas, MonotonicTime now) {
  for (const ReplicaView& holder : replicas) {
    if (holder.node == nullptr || !holder.node->CurrentLease(holder.now.value_or(now))) continue;
    for (const ReplicaView& other : replicas) {
      if (other.node == nullptr || other.node->role() != Role::kLeader) continue;
      if (other.node->term() <= holder.node->term()) continue;
      Fail(fmt::format("lease_exclusion: {} leads term {} while {} holds a lease of term {}",
                       other.id.value(), other.node->term().value(), holder.id.value(),
                       holder.node->term().value()));
    }
  }
}

void Invariants::OnSend(const Message& message, const LogStorage& disk, const HardState& durable) {
  if (message.life != durable.life || message.cured > durable.cured) {
    Fail(fmt::format("durable_promise: {} is cured of life {} of {}, its disk of life {} of {}",
                     message.from.value(), message.cured, message.life, durable.cured,
                     durable.life));
  }
  const bool pre_vote = std::holds_alternative<PreVoteRequest>(message.body) ||
                        std::holds_alternative<PreVoteResponse>(message.body);
  if (!pre_vote && message.term > durable.term) {
    Fail(fmt::format("durable_promise: {} speaks of term {}, its disk of {}", message.from.value(),
                     message.term.value(), durable.term.value()));
  }
  // Older claims were true when they were made; a later term has overtaken them.
  if (message.term != durable.term) return;
  const auto* vote = std::get_if<VoteResponse>(&message.body);
  if (vote != nullptr && vote->granted && durable.voted_for != message.to) {
    Fail(fmt::format("durable_promise: {} grants a vote in term {} that its disk does not hold",
                     message.from.value(), message.term.value()));
  }
  if (vote != nullptr && vote->granted && durable.life > durable.cured) {
    Fail(fmt::format("returning_helps_none: {} votes", message.from.value()));
  }
  const auto* append = std::get_if<AppendResponse>(&message.body);
  if (append != nullptr && append->accepted && append->match_index > disk.LastIndex()) {
    Fail(fmt::format("durable_promise: {} acknowledges {}, its disk ends at {}",
                     message.from.value(), append->match_index.value(), disk.LastIndex().value()));
  }
}

void Invariants::OnApply(ReplicaId replica, const Entry& entry) {
  Seen& seen = seen_[replica];
  if (entry.index != seen.applied.Next()) {
    Fail(fmt::format("state_machine_safety: {} applied {} after {}", replica.value(),
                     entry.index.value(), seen.applied.value()));
  }
  seen.applied = entry.index;
  const auto committed = committed_.find(entry.index);
  if (committed != committed_.end() && committed->second.entry_term == entry.term) return;
  Fail(fmt::format("state_machine_safety: {} applied entry {} of term {}, not committed",
                   replica.value(), entry.index.value(), entry.term.value()));
}

void Invariants::OnInstall(ReplicaId replica, const SnapshotMeta& snapshot) {
  const auto committed = committed_.find(snapshot.index);
  if (committed == committed_.end() || committed->second.entry_term != snapshot.term) {
    Fail(fmt::format("state_machine_safety: {} installs entry {} of term {}, not committed",
                     replica.value(), snapshot.index.value(), snapshot.term.value()));
  } else if (snapshot.configuration != CommittedConfiguration(snapshot.index)) {
    Fail(fmt::format("config_from_log: {} installs entry {} with a membership of another day",
                     replica.value(), snapshot.index.value()));
  }
  Seen& seen = seen_[replica];
  if (snapshot.index < seen.applied) {
    Fail(fmt::format("state_machine_safety: {} goes back from {} to a snapshot of {}",
                     replica.value(), seen.applied.value(), snapshot.index.value()));
  }
  seen.applied = snapshot.index;
}

void Invariants::OnStart(ReplicaId replica, LogIndex applied) {
  Seen& seen = seen_[replica];
  seen.terms.clear();
  seen.first = LogIndex(1);
  seen.commit = LogIndex();
  seen.applied = applied;
  seen.leads = Term();
  // Term and vote go by the disk now: what was never durable was never claimed.
  seen.term = Term();
  seen.voted_for = ReplicaId();
}

}  // namespace quorate::raft
