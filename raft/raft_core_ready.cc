// From the core to its driver and back: Ready, and what the driver reports.
#include <algorithm>
#include <utility>

#include "raft/check.h"
#include "raft/raft_core.h"

namespace quorate::raft {

bool RaftCore::HardStateChanged() const {
  return given_.term != term_ || given_.voted_for != voted_for_ || given_.cured != cured_;
}

HardState RaftCore::HeldNow() const {
  return {.term = term_,
          .voted_for = voted_for_,
          .commit = log_.commit(),
          .life = life_,
          .cured = cured_};
}

// A cut is always followed by what replaced the cut part.
bool RaftCore::MustSync(const std::vector<Entry>& entries) {
  if (!entries.empty() && std::exchange(log_was_cut_, false)) return true;
  return std::any_of(entries.begin(), entries.end(),
                     [](const Entry& entry) { return entry.kind == EntryKind::kConfig; });
}

bool RaftCore::HasCommittedToHandOut() const {
  const LogIndex last = std::min(log_.commit(), disk_.persisted());
  return last > applies_.handed_out() && !applies_.Full() && log_error_.ok();
}

bool RaftCore::HasReady() const {
  if (role_changed_ || flush_wanted_ || outbox_.HasForNow() || !reads_served_.empty() ||
      !reads_refused_.empty() || !snapshots_wanted_.empty()) {
    return true;
  }
  if (installing_token_) return false;
  return snapshot_ || !outbox_.empty() || log_.unstable().HasNew() || HardStateChanged() ||
         HasCommittedToHandOut();
}

Ready RaftCore::TakeReady() {
  FlushAppends();
  Ready ready;
  ready.persist_token = ++last_token_;
  ready.reads = std::exchange(reads_served_, {});
  ready.reads_refused = std::exchange(reads_refused_, {});
  ready.snapshots_wanted = std::exchange(snapshots_wanted_, {});
  ready.role_changed = std::exchange(role_changed_, false);
  if (installing_token_) {
    // What goes to the disk waits, so that nothing has to be kept in order around the snapshot.
    outbox_.MoveForNow(&ready);
    return ready;
  }
  ready.snapshot = std::exchange(snapshot_, std::nullopt);
  if (ready.snapshot) installing_token_ = ready.persist_token;
  ready.entries = log_.unstable().TakeNew();
  // The commit index alone is not worth a write: it is learned again after a crash.
  const HardState now_held = HeldNow();
  const bool writes_log = ready.snapshot || !ready.entries.empty();
  ready.must_sync = HardStateChanged() || ready.snapshot || MustSync(ready.entries);
  if (HardStateChanged() || (writes_log && given_.commit != now_held.commit)) {
    ready.hard_state = now_held;
    given_ = now_held;
  }
  outbox_.MoveTo(&ready, disk_.idle());
  if (ready.NeedsPersist()) disk_.Add(ready, wait_clock_);
  TakeCommitted(&ready);
  return ready;
}

void RaftCore::TakeCommitted(Ready* ready) {
  if (!HasCommittedToHandOut()) return;
  absl::StatusOr<std::vector<Entry>> entries =
      log_.Entries(applies_.handed_out().Next(), std::min(log_.commit(), disk_.persisted()),
                   config_.apply_bytes_max);
  if (!entries.ok()) {
    log_error_ = entries.status();
    return;
  }
  applies_.HandOut(*entries);
  ready->committed_entries = *std::move(entries);
  ReleaseMemory();
}

// Durable entries stay in memory until they are handed out, which spares reading them back; but not
// more of them than the bound, when the majority or the applying is slow.
void RaftCore::ReleaseMemory() {
  log_.unstable().Release(std::min(applies_.handed_out(), disk_.persisted()));
  if (log_.unstable().bytes() > config_.cached_bytes_max) {
    log_.unstable().Release(disk_.persisted());
  }
}

void RaftCore::FlushAppends() {
  if (!std::exchange(flush_wanted_, false)) return;
  const bool commit_alone = std::exchange(commit_due_, false) || !config_.commit_rides_along;
  for (auto& [replica, progress] : replication_.followers()) {
    while (std::optional<AppendRequest> append =
               replication_.NextAppend(&progress, log_, rounds_.newest(), commit_alone)) {
      Send(replica, *std::move(append));
    }
  }
}

void RaftCore::OnPersisted(uint64_t token, MonotonicTime now) {
  QUORATE_CHECK(token <= last_token_);
  AdvanceTime(now);
  disk_.Complete(token, wait_clock_);
  if (installing_token_ && token >= *installing_token_) installing_token_.reset();
  const HardState& durable = disk_.durable();
  // A candidate's own vote counts like any other: when it is durable.
  if (role_ == Role::kCandidate && durable.term == term_ && durable.voted_for == config_.self) {
    election_.Record(config_.self, true);
    ActOnVotes();
  }
  if (role_ == Role::kLeader) MaybeCommit();
  ReleaseMemory();
}

void RaftCore::MaybeCommit() {
  const LogIndex match = replication_.QuorumMatch(configuration(), disk_.persisted());
  // Counting copies decides only about the own term; what lies before it comes along.
  if (match < term_start_ || !log_.CommitTo(match)) return;
  uncommitted_.CommittedTo(log_.commit());
  WantFlush();
  MaybeOpenReadRound();
  OnCommitted();
}

}  // namespace quorate::raft
