#include "server/replication/raft_groups/lease_view.h"

namespace quorate {

// All operations are sequentially consistent: on the machines we know the loads cost the same as
// plain ones, and stores happen a few times a second.

void LeaseSlot::Publish(ReplicaId replica, uint64_t placement_epoch, MonotonicTime valid_until) {
  const int64_t until_ns = valid_until.time_since_epoch().count();
  if (published() && replica_ == replica.value() && placement_epoch_ == placement_epoch) {
    if (until_ns > valid_until_ns_) {
      valid_until_ns_ = until_ns;
    }
    return;
  }
  Withdraw();
  replica_ = replica.value();
  placement_epoch_ = placement_epoch;
  valid_until_ns_ = until_ns;
  generation_ = generation_ + 1;
}

void LeaseSlot::Withdraw() {
  if (published()) {
    generation_ = generation_ + 1;
  }
}

std::optional<LeaseView> LeaseSlot::Load(MonotonicTime now) const {
  LeaseView view;
  view.generation = generation_;
  if ((view.generation & 1) == 0) {
    return std::nullopt;
  }
  view.valid_until = MonotonicTime(Duration(valid_until_ns_));
  view.replica = ReplicaId(replica_);
  view.placement_epoch = placement_epoch_;
  // The values belong together only if the generation did not move while they were read.
  if (now >= view.valid_until || generation_ != view.generation) {
    return std::nullopt;
  }
  return view;
}

bool LeaseSlot::StillHolds(const LeaseView& view, MonotonicTime now) const {
  return now < view.valid_until && generation_ == view.generation;
}

}  // namespace quorate
