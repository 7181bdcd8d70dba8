#include "raft/outbox.h"

#include <iterator>
#include <utility>

namespace quorate::raft {
namespace {

bool WaitsForDisk(const Message& message, Term durable_term) {
  if (std::holds_alternative<VoteRequest>(message.body) ||
      std::holds_alternative<VoteResponse>(message.body)) {
    return true;
  }
  if (const auto* append = std::get_if<AppendResponse>(&message.body)) {
    return append->accepted || message.term > durable_term;
  }
  // Pre-vote speaks of a term that nobody has entered.
  if (std::holds_alternative<PreVoteRequest>(message.body)) return false;
  if (const auto* pre_vote = std::get_if<PreVoteResponse>(&message.body)) {
    return !pre_vote->granted && message.term > durable_term;
  }
  return message.term > durable_term;
}

void MoveAll(std::vector<Message>* from, std::vector<Message>* to) {
  to->insert(to->end(), std::make_move_iterator(from->begin()),
             std::make_move_iterator(from->end()));
  from->clear();
}

}  // namespace

void Outbox::Send(Message message, Term durable_term) {
  const bool waits = WaitsForDisk(message, durable_term);
  (waits ? after_persist_ : at_once_).push_back(std::move(message));
}

void Outbox::MoveForNow(Ready* ready) { MoveAll(&at_once_, &ready->messages); }

void Outbox::MoveTo(Ready* ready, bool disk_idle) {
  MoveForNow(ready);
  const bool all_durable = disk_idle && !ready->NeedsPersist();
  MoveAll(&after_persist_, all_durable ? &ready->messages : &ready->messages_after_persist);
}

}  // namespace quorate::raft
