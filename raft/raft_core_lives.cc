// Lives: groups whose entries are not fsynced, and replicas that come back from a loss of power.
//
// Such a replica may have acknowledged entries that are gone. It has its term, its vote and a
// beginning of its log (Ready::must_sync), but where that ends tells nothing any more. So until it
// is cured it does not vote and does not campaign; and its leader forgets what it acknowledged. It
// is cured by an entry c that its leader proposed, in its own term, after it had learned of the new
// life, and that was committed without counting returning replicas: when it holds c, it holds
// all that it ever acknowledged and that was committed.
//
// Why that is enough. Raft is safe because a later leader's majority and the majority that holds a
// committed entry e have a voter w in common, and w votes only for logs that contain e (Raft paper,
// section 5.4.3). That needs no more than this: who acknowledged e in term T, or counted its own
// copy as that term's leader, holds e when it votes in a later term. A voter that has lost e since
// is returning, and does not vote. If it was cured meanwhile, then by a leader of a term from T on,
// for its own term is fsynced and T at least:
//   - of a term after T: by induction over terms that leader's log contained e when it was elected,
//     so e comes before c.
//   - of term T itself: e was in that leader's log before w acknowledged it, so before w lost
//     power, so before the leader learned of w's new life; c came after that. An entry proposed
//     before might precede e.
// Holding c is holding e, by log matching, or both are in a snapshot; and cured is written behind
// them, with fsync.
//
// So a majority of undamaged voters is all that a group needs: no voter that lost nothing waits for
// one that did, and a majority that is returning elects nobody, rather than somebody who knows
// less. The size of a majority stays that of all voters, in both halves of a joint configuration.
//
// What may count and what may not:
//   - Votes and acknowledgements of an earlier life that arrive late were true when they were
//     given, and the argument speaks of that moment. A leader that knows of the later life ignores
//     them all the same: its picture of the follower's log would be wrong, and the follower never
//     catch up.
//   - Answers to rounds of a returning replica count (check-quorum, ReadIndex, lease). They say
//     that no later term has its vote, which rests on the hard state alone.
//   - Acknowledgements of a returning replica do not count, and c must be committed without them.
//     The argument above needs neither. It is so that a replica which lost something adds to no
//     decision before others, by themselves a majority, hold all that it is to hold; and what is
//     acknowledged is always on a majority that may elect. That c is committed also makes its index
//     enough to name it: nothing else will ever be there. So a late or doubled cure says nothing
//     wrong, and a snapshot cures like the log.
//   - A leader of term T that lost power never leads T again, since its vote for itself is fsynced,
//     so what it sent in T and then lost is never contradicted in T.
#include <algorithm>

#include "fmt/format.h"
#include "raft/raft_core.h"

namespace quorate::raft {

// ---- The leader.

bool RaftCore::KnowLife(const Message& message, Progress* progress) {
  if (message.life < progress->life()) return false;
  if (message.life == progress->life()) {
    if (message.cured >= message.life) progress->Cured();
    return true;
  }
  const bool returning = message.cured < message.life;
  progress->BeginLife(message.life, returning ? log_.last_index().Next() : LogIndex());
  if (returning) {
    if (transfer_ && transfer_->target == message.from) transfer_.reset();
    log_.Append(Entry{term_, progress->cure_index(), EntryKind::kNoop, nullptr});
  }
  WantFlush();
  return true;
}

Cure RaftCore::CureFor(const Progress& progress) const {
  if (!progress.returning() || log_.commit() < progress.cure_index()) return {};
  return {.life = progress.life(), .index = progress.cure_index()};
}

// Where too many voters are returning nothing is committed, so none of them would ever be cured.
absl::Status RaftCore::WhyTooFewWhole(const Configuration& target) const {
  const auto returning =
      std::count_if(target.voters.begin(), target.voters.end(), [this](ReplicaId voter) {
        const Progress* progress = replication_.Find(voter);
        return progress != nullptr && progress->returning();
      });
  if (static_cast<size_t>(returning) <= (target.voters.size() - 1) / 2) return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format(
      "voters: {} of {} lost power and are not whole yet", returning, target.voters.size()));
}

// ---- The returning replica.

// Told by the leader of this term, to whom the log here is equal up to commit().
void RaftCore::TakeCure(const Cure& cure) {
  if (cure.life != life_ || cured_ >= life_ || cure.index.IsZero()) return;
  if (log_.commit() >= cure.index) cured_ = life_;
}

}  // namespace quorate::raft
