// Group: its log is cut behind what the data holds durably.
#include <algorithm>
#include <utility>

#include "server/replication/raft_groups/group.h"
#include "server/replication/raft_groups/log_truncation.h"
#include "server/runtime/log.h"
#include "server/storage/data_store.h"

namespace quorate {

void Group::TruncateLog(MonotonicTime now) {
  const raft::RaftStatus status = node_.Status();
  const uint64_t keep = context_->options.log_keep_bytes;
  const LogFacts facts{
      .compacted = status.compacted_index,
      .bytes = log_->ByteSize(),
      .last_by_size = log_->LastBefore(keep),
      .last_by_age = log_ages_.Note(status.applied, now),
      .flushed = std::min(context_->data->FlushedIndex(spec_.self), status.applied),
      .followers_hold = HeldByFollowers(status)};
  const TruncationStep step = DecideTruncation(facts, keep, context_->options.log_bytes_max / 2);
  flush_wanted_ |= step.flush;
  // The core forgets first: from then on nobody asks for what the log writer drops.
  if (!step.drop_to.IsZero() && node_.CompactTo(step.drop_to)) {
    drop_to_ = step.drop_to;
    LogDebug("replica/log_cut", {{"group", spec_.group.value()}, {"behind", step.drop_to.value()}});
  }
}

void Group::EmitTruncation(TurnOutput* out) {
  if (!drop_to_.IsZero()) {
    out->appends.push_back(
        {.group = spec_.group, .drop_to = std::exchange(drop_to_, raft::LogIndex())});
  }
  out->flush_wanted |= std::exchange(flush_wanted_, false);
}

}  // namespace quorate
