// What a reading thread must know of a replica to serve a read without asking the replica's worker.
#ifndef SERVER_REPLICATION_RAFT_GROUPS_LEASE_VIEW_H_
#define SERVER_REPLICATION_RAFT_GROUPS_LEASE_VIEW_H_

#include <atomic>
#include <cstdint>
#include <optional>

#include "server/runtime/runtime.h"

namespace quorate {

// A lease as one reader saw it.
struct LeaseView {
  // Names this lease among all that the slot ever held; extending a lease keeps it.
  uint64_t generation = 0;
  MonotonicTime valid_until;  // exclusive
  ReplicaId replica;
  uint64_t placement_epoch = 0;
};

// The published lease of one group on this node, if any.
//
// A read is: Load, read the data, StillHolds (ReadUnderLease). Why that is linearizable: the lease
// held at a moment after the read began, so until that moment no other leader can have acknowledged
// anything; and this leader acknowledges a write only after it has applied it. Hence everything
// acknowledged before the read began was in the data that it read. The second look catches what
// takes the data itself away: step-down, destruction of the replica, a pause longer than the lease.
//
// Threads: Publish and Withdraw by the group's worker only; Load and StillHolds by any thread,
// without locks or waiting. Values of one generation are written before the generation becomes
// odd, and the generation moves before any of them is changed again.
class LeaseSlot {
 public:
  // Begins a lease, or extends the present one when replica and epoch are the same. An extension
  // never shortens.
  void Publish(ReplicaId replica, uint64_t placement_epoch, MonotonicTime valid_until);
  // After it returns no Load succeeds and no earlier view StillHolds.
  void Withdraw();
  // Worker only.
  [[nodiscard]] bool published() const {
    return (generation_.load(std::memory_order_relaxed) & 1) != 0;
  }

  [[nodiscard]] std::optional<LeaseView> Load(MonotonicTime now) const;
  [[nodiscard]] bool StillHolds(const LeaseView& view, MonotonicTime now) const;

 private:
  // Odd: a lease is published. Only grows.
  std::atomic<uint64_t> generation_{0};
  std::atomic<int64_t> valid_until_ns_{0};
  std::atomic<uint64_t> replica_{0};
  std::atomic<uint64_t> placement_epoch_{0};
};

// A whole read: what `read` makes of the data, if one lease held from before it began until after
// it ended; nothing otherwise. `now` is the clock, asked once on each side. Any thread that may
// call `read`.
template <class Now, class Read>
[[nodiscard]] auto ReadUnderLease(const LeaseSlot& slot, const Now& now, const Read& read)
    -> std::optional<decltype(read(LeaseView()))> {
  const std::optional<LeaseView> lease = slot.Load(now());
  if (!lease) {
    return std::nullopt;
  }
  auto result = read(*lease);
  if (!slot.StillHolds(*lease, now())) {
    return std::nullopt;
  }
  return result;
}

}  // namespace quorate

#endif  // SERVER_REPLICATION_RAFT_GROUPS_LEASE_VIEW_H_
