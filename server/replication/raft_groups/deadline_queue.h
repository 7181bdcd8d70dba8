// The open requests of one worker in the order in which they give up.
#ifndef SERVER_REPLICATION_RAFT_GROUPS_DEADLINE_QUEUE_H_
#define SERVER_REPLICATION_RAFT_GROUPS_DEADLINE_QUEUE_H_

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "server/replication/raft_groups/request.h"

namespace quorate {

// Every request that a worker has taken and that has not ended is in here, so that none can be
// forgotten: it ends by its answer (which removes it), by its deadline, or when the worker closes.
//
// Owned by one Worker and touched by its loop only. Invariant: request.ticket.number != 0 exactly
// while the request is in the queue.
class DeadlineQueue {
 public:
  void Add(std::shared_ptr<OpenRequest> request) {
    request->ticket = {.when = request->deadline(), .number = ++last_number_};
    const auto ticket = request->ticket;
    requests_.emplace_hint(requests_.end(), ticket, std::move(request));
  }

  // No effect on a request that is not in the queue.
  void Remove(OpenRequest& request) {
    if (request.ticket.number != 0) {
      requests_.erase(request.ticket);
      request.ticket = {};
    }
  }

  [[nodiscard]] std::optional<MonotonicTime> Earliest() const {
    if (requests_.empty()) {
      return std::nullopt;
    }
    return requests_.begin()->first.when;
  }

  // Takes out all whose deadline has come, earliest first.
  [[nodiscard]] std::vector<std::shared_ptr<OpenRequest>> TakeDue(MonotonicTime now) {
    std::vector<std::shared_ptr<OpenRequest>> due;
    while (!requests_.empty() && requests_.begin()->first.when <= now) {
      TakeFirst(&due);
    }
    return due;
  }

  [[nodiscard]] std::vector<std::shared_ptr<OpenRequest>> TakeAll() {
    std::vector<std::shared_ptr<OpenRequest>> all;
    while (!requests_.empty()) {
      TakeFirst(&all);
    }
    return all;
  }

  [[nodiscard]] size_t size() const { return requests_.size(); }

 private:
  void TakeFirst(std::vector<std::shared_ptr<OpenRequest>>* to) {
    const auto first = requests_.begin();
    first->second->ticket = {};
    to->push_back(std::move(first->second));
    requests_.erase(first);
  }

  absl::btree_map<OpenRequest::DeadlineTicket, std::shared_ptr<OpenRequest>> requests_;
  uint64_t last_number_ = 0;
};

}  // namespace quorate

#endif  // SERVER_REPLICATION_RAFT_GROUPS_DEADLINE_QUEUE_H_
