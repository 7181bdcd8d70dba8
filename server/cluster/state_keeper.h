// Takes newer cluster states, makes them durable, and only then hands them on.
#ifndef SERVER_CLUSTER_STATE_KEEPER_H_
#define SERVER_CLUSTER_STATE_KEEPER_H_

#include <functional>
#include <memory>
#include <optional>

#include "internal/v1/cluster_state.pb.h"
#include "server/cluster/cluster_view.h"
#include "server/runtime/runtime.h"
#include "server/storage/node_records.h"

namespace quorate {

// Durable first: a node makes its replicas equal to the state, and removes those that the state
// does not name. If it created a replica by a state that a crash then took back, the next start
// would remove that replica with the data it had acknowledged.
//
// Disk writes run on the log writer's loop, one at a time; of several states that arrive meanwhile
// the newest is taken. Owned by Membership; control loop only.
class StateKeeper {
 public:
  // `adopted` is called on the control loop with each state that is durable. A state that could not
  // be stored is not adopted (the store is poisoned then).
  StateKeeper(const Runtime& runtime, NodeRecords* records,
              std::function<void(std::shared_ptr<const ClusterView>)> adopted)
      : control_(runtime.workers[0]),
        disk_(runtime.log_writer),
        records_(records),
        adopted_(std::move(adopted)) {}

  // What is stored already, at the start.
  void SetStoredEpoch(uint64_t epoch) { newest_ = epoch; }
  // Whose views are made, before the first Offer.
  void SetSelf(uint64_t node_id) { self_ = node_id; }
  // Ignored unless newer than all before.
  void Offer(internal::v1::ClusterState state);

 private:
  void Write();

  Executor* const control_;
  Executor* const disk_;
  NodeRecords* const records_;
  const std::function<void(std::shared_ptr<const ClusterView>)> adopted_;
  uint64_t self_ = 0;
  uint64_t newest_ = 0;
  bool writing_ = false;
  std::optional<internal::v1::ClusterState> next_;
};

}  // namespace quorate

#endif  // SERVER_CLUSTER_STATE_KEEPER_H_
