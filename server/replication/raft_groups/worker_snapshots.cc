// Worker: snapshots on their way to and from its groups.
#include <utility>

#include "server/replication/raft_groups/snapshot_exchange.h"
#include "server/replication/raft_groups/worker.h"

namespace quorate {

Group* Worker::FindReplica(GroupId group, ReplicaId replica) const {
  Group* const found = poisoned_ ? nullptr : Find(group);
  return found != nullptr && found->spec().self == replica ? found : nullptr;
}

void Worker::EnqueueSnapshotOffer(uint64_t from_node, internal::v1::SnapshotMessage offer) {
  Enqueue(Control([from_node, offer = std::move(offer)](Worker& on) mutable {
    const Group* const group = on.FindReplica(GroupId(offer.group_id()), ReplicaId(offer.to()));
    if (group != nullptr && group->TakesSnapshot(raft::Term(offer.offer().leader_term()))) {
      on.context_->snapshots->Accept(from_node, std::move(offer));
    }
  }));
}

void Worker::EnqueueSnapshot(ArrivedSnapshot arrived) {
  Enqueue(Control([arrived = std::move(arrived)](Worker& on) mutable {
    Group* const group = on.FindReplica(arrived.route.group, arrived.route.to);
    if (group == nullptr) {
      on.context_->snapshots->Answer(arrived, false, "the replica is gone");
      on.context_->snapshots->Discard(std::move(arrived.staged));
      return;
    }
    group->OnSnapshotArrived(std::move(arrived), on.now_);
    on.MarkDirty(*group);
  }));
}

void Worker::EnqueueSnapshotSent(const SnapshotRoute& route, std::optional<raft::LogIndex> index) {
  Enqueue(Control([route, index](Worker& on) {
    if (Group* const group = on.FindReplica(route.group, route.from)) {
      group->OnSnapshotSent(route, index, on.now_);
      on.MarkDirty(*group);
    }
  }));
}

}  // namespace quorate
