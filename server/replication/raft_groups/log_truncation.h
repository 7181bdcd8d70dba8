// Which part of a replica's log may go.
#ifndef SERVER_REPLICATION_RAFT_GROUPS_LOG_TRUNCATION_H_
#define SERVER_REPLICATION_RAFT_GROUPS_LOG_TRUNCATION_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "raft/raft_node.h"
#include "raft/types.h"
#include "server/runtime/clock.h"

namespace quorate {

// What the decision goes by.
struct LogFacts {
  raft::LogIndex compacted;
  // Stored bytes of all entries.
  uint64_t bytes = 0;
  // The last entry that may go for its size: about the bound stays. Zero: none.
  raft::LogIndex last_by_size;
  // The last entry that may go for its age. Zero: none.
  raft::LogIndex last_by_age;
  // Up to here the effects are durable in the data; the log holds the only copy of the rest.
  raft::LogIndex flushed;
  // Leaders: the first entry that a follower in sight still has to get is behind this one.
  std::optional<raft::LogIndex> followers_hold;
};

struct TruncationStep {
  // Entries up to here go; zero: none.
  raft::LogIndex drop_to;
  // More could go if the data were flushed.
  bool flush = false;

  friend bool operator==(const TruncationStep&, const TruncationStep&) = default;
};

// The log is cut when it exceeds `keep_bytes` by a quarter, to that size, or when entries are old;
// never beyond what is flushed. A follower that is heard of gets its entries from the log rather
// than by a snapshot, unless the log exceeds `hard_bytes`: one slow follower must not fill the
// disk.
[[nodiscard]] TruncationStep DecideTruncation(const LogFacts& facts, uint64_t keep_bytes,
                                              uint64_t hard_bytes);

// What the followers of a leader hold it to; nothing for others.
[[nodiscard]] std::optional<raft::LogIndex> HeldByFollowers(const raft::RaftStatus& status);

// Remembers how long the log was when. Marks are `spacing` apart, so few are kept.
class LogAges {
 public:
  LogAges(Duration age, Duration spacing) : age_(age), spacing_(spacing) {}

  // The last entry that was there already `age` ago; zero: not known.
  raft::LogIndex Note(raft::LogIndex last, MonotonicTime now);

 private:
  const Duration age_;
  const Duration spacing_;
  std::deque<std::pair<MonotonicTime, raft::LogIndex>> marks_;
};

}  // namespace quorate

#endif  // SERVER_REPLICATION_RAFT_GROUPS_LOG_TRUNCATION_H_
