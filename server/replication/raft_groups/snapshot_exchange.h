// Both ends of this node's snapshots, on the background loop.
#ifndef SERVER_REPLICATION_RAFT_GROUPS_SNAPSHOT_EXCHANGE_H_
#define SERVER_REPLICATION_RAFT_GROUPS_SNAPSHOT_EXCHANGE_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "internal/v1/peer.pb.h"
#include "server/replication/raft_groups/gate.h"
#include "server/replication/raft_groups/host_context.h"
#include "server/replication/raft_groups/snapshot_receiver.h"
#include "server/replication/raft_groups/snapshot_route.h"
#include "server/replication/raft_groups/snapshot_sender.h"

namespace quorate {

// Takes everything to the background loop, which may read and write files, and back to who waits
// for it. Owned by the host and by its tasks on the loop. Any thread.
class SnapshotExchange : public std::enable_shared_from_this<SnapshotExchange> {
 public:
  // Called on the background loop; must not block.
  struct Sinks {
    SnapshotSender::Ended ended;
    SnapshotReceiver::Arrived arrived;
  };

  SnapshotExchange(std::shared_ptr<HostContext> context, Sinks sinks);

  // The leader's side.
  void Offer(const SnapshotRoute& route, uint64_t node);
  void Withdraw(GroupId group);
  // The receiver's side: an offer that the group has looked at, and may take.
  void Accept(uint64_t from_node, internal::v1::SnapshotMessage offer);
  // Everything but offers.
  void OnMessage(uint64_t from_node, internal::v1::SnapshotMessage message);
  // The replica here is going away.
  void Forget(GroupId group);
  // What the group says of one that arrived: taken, or why not. The sender is told, and may send
  // the follower what comes next.
  void Answer(const ArrivedSnapshot& arrived, bool taken, std::string why);
  // One that is not wanted any more; removed where that may take its time.
  void Discard(std::shared_ptr<StagedSnapshot> staged);
  // When it returns nothing runs here or ever will, and no snapshot of the store is held.
  void Close();

 private:
  void Post(Task task);
  void PostAt(MonotonicTime when, Task task);

  const std::shared_ptr<HostContext> context_;
  Gate gate_;
  SnapshotSender sender_;
  SnapshotReceiver receiver_;

  Mutex discarded_mutex_;
  std::vector<std::shared_ptr<StagedSnapshot>> discarded_ ABSL_GUARDED_BY(discarded_mutex_);
};

}  // namespace quorate

#endif  // SERVER_REPLICATION_RAFT_GROUPS_SNAPSHOT_EXCHANGE_H_
