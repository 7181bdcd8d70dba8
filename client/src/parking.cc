#include "client/src/parking.h"

#include <utility>

namespace quorate::client {

uint64_t Parking::Park(Continuation continuation) {
  MutexLock lock(&mutex_);
  if (closed_) {
    return 0;
  }
  parked_.emplace(++last_ticket_, std::move(continuation));
  return last_ticket_;
}

void Parking::Wake(uint64_t ticket, absl::Status status) {
  Continuation continuation;
  {
    MutexLock lock(&mutex_);
    const auto found = parked_.find(ticket);
    if (found == parked_.end()) {
      return;
    }
    continuation = std::move(found->second);
    parked_.erase(found);
  }
  continuation(std::move(status));
}

void Parking::Close() {
  std::map<uint64_t, Continuation> parked;
  {
    MutexLock lock(&mutex_);
    closed_ = true;
    parked.swap(parked_);
  }
  for (auto& [ticket, continuation] : parked) {
    continuation(absl::CancelledError("the client was closed"));
  }
}

}  // namespace quorate::client
