#include "raft/progress.h"

#include <algorithm>

namespace quorate::raft {

void Progress::Sent(LogIndex last, size_t bytes, LogIndex commit) {
  if (bytes > 0) log_unavailable_ = false;
  commit_sent_ = std::max(commit_sent_, commit);
  if (state_ == State::kProbe) {
    waiting_ = true;
    return;
  }
  if (last < next_) return;
  next_ = last.Next();
  inflights_.Add(last, bytes);
}

void Progress::MarkLogUnavailable() {
  log_unavailable_ = true;
  state_ = State::kProbe;
  inflights_.Clear();
  waiting_ = true;
}

void Progress::Heard(uint64_t round, MonotonicTime now) {
  confirmed_round_ = std::max(confirmed_round_, round);
  last_heard_ = std::max(last_heard_, now);
}

void Progress::Accepted(LogIndex match) {
  if (match < match_) return;
  const bool advanced = match > match_;
  match_ = match;
  next_ = std::max(next_, match.Next());
  inflights_.FreeTo(match);
  if (advanced) log_unavailable_ = false;
  // By the snapshot awaited, an earlier one or from another leader; a late answer is no way out.
  if (state_ == State::kSnapshot && match_.Next() >= wanted_first_) state_ = State::kProbe;
  if (state_ == State::kProbe && (advanced || match.Next() >= next_)) {
    state_ = State::kReplicate;
    waiting_ = false;
    next_ = match.Next();
  }
}

bool Progress::IsCurrentRejection(LogIndex rejected) const {
  if (state_ == State::kSnapshot) return false;
  if (state_ == State::kProbe) return rejected.Next() == next_;
  return rejected > match_;
}

void Progress::Rejected(LogIndex next) {
  next_ = std::max(next, match_.Next());
  state_ = State::kProbe;
  waiting_ = false;
  inflights_.Clear();
}

void Progress::SkipTo(LogIndex first) {
  if (state_ == State::kReplicate) Rejected(first);
  next_ = first;
}

void Progress::AwaitSnapshot(LogIndex first) {
  state_ = State::kSnapshot;
  wanted_first_ = first;
  inflights_.Clear();
}

// What it said of rounds stays true: that rests on its term. A snapshot under way ends by a report.
void Progress::BeginLife(uint64_t life, LogIndex cure_index) {
  life_ = life;
  cure_index_ = cure_index;
  match_ = LogIndex();
  commit_sent_ = LogIndex();
  quiet_round_ = 0;
  inflights_.Clear();
  if (state_ == State::kSnapshot) return;
  state_ = State::kProbe;
  waiting_ = false;
}

void Progress::SnapshotEnded(std::optional<LogIndex> installed) {
  if (state_ != State::kSnapshot) return;
  state_ = State::kProbe;
  if (installed) next_ = std::max(match_, *installed).Next();
  // After a failure the next answered heartbeat starts again.
  waiting_ = !installed.has_value();
}

}  // namespace quorate::raft
