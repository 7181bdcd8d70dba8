// Messages on their way out, sorted by whether they may leave before the disk has caught up.
#ifndef RAFT_OUTBOX_H_
#define RAFT_OUTBOX_H_

#include <vector>

#include "raft/message.h"
#include "raft/ready.h"
#include "raft/types.h"

namespace quorate::raft {

// A message waits for the disk if it claims what a crash could take back: a vote (asked for or
// given), an accepted append, or a term that is not durable yet. The rest leaves at once.
// Owned by RaftCore; same thread.
class Outbox {
 public:
  // `durable_term`: the term that a crash now would bring back.
  void Send(Message message, Term durable_term);
  [[nodiscard]] bool empty() const { return at_once_.empty() && after_persist_.empty(); }
  // Only what waits for no disk.
  [[nodiscard]] bool HasForNow() const { return !at_once_.empty(); }
  void MoveForNow(Ready* ready);
  // Moves all messages into `ready`, whose entries and hard state are set already. `disk_idle`: no
  // earlier Ready is under way.
  void MoveTo(Ready* ready, bool disk_idle);

 private:
  std::vector<Message> at_once_;
  std::vector<Message> after_persist_;
};

}  // namespace quorate::raft

#endif  // RAFT_OUTBOX_H_
