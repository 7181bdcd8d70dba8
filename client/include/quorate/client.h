// The door to a Quorate cluster.
//
//   auto client = quorate::client::Client::Connect({.endpoints = {"127.0.0.1:7400"}});
//   auto orders = (*client)->OpenKeyspace("orders");
//   quorate::client::WriteResult put = orders->Put("k", "v");
//   if (put.outcome == quorate::client::Outcome::kUnknown) …   // repeat with put.request_id, or
//   read
#ifndef QUORATE_CLIENT_H_
#define QUORATE_CLIENT_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "quorate/cluster.h"
#include "quorate/keyspace.h"
#include "quorate/options.h"
#include "quorate/result.h"

namespace quorate::client {

// Owns one connection to each node, a thread that takes their answers and one for timers. A process
// needs one. Any number of threads may use it at once.
//
// The destructor ends every call under way (kCancelled; writes already sent: kUnknown), calls their
// handlers, and then returns. It must not run on a handler's thread.
class Client {
 public:
  // Checks the options and returns at once; nodes are contacted by the first call. INVALID_ARGUMENT
  // when no endpoint is given or one is not host:port.
  static absl::StatusOr<std::unique_ptr<Client>> Connect(const ClientOptions& options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Asks the cluster for the keyspace. NOT_FOUND when several nodes know none of that name;
  // UNAVAILABLE when no node answered within the timeout.
  [[nodiscard]] absl::StatusOr<Keyspace> OpenKeyspace(const std::string& name,
                                                      const ReadOptions& options = {});
  // The same without asking: calls on an absent keyspace answer kKeyspaceNotFound.
  [[nodiscard]] Keyspace UncheckedKeyspace(const std::string& name);

  // Makes the node at `address` the first of a new cluster; `force` even if nodes it should join do
  // not answer. Sent once, to this node only: an init without an answer is never carried elsewhere.
  // A connection that is not made in time is tried again, for half of the time-out.
  [[nodiscard]] InitResult Init(const std::string& address, bool force,
                                const AdminOptions& options = {});
  // The newest state that a node answered with; asks the nodes in turn until one does.
  [[nodiscard]] ClusterStateResult GetClusterState(const AdminOptions& options = {});
  // Creates a keyspace. One that exists with an equal policy is done, with created = false.
  [[nodiscard]] CreateKeyspaceResult CreateKeyspace(const std::string& name, const Policy& policy,
                                                    const AdminOptions& options = {});
  // Drops a keyspace and all its data. Never repeated after an unknown outcome.
  [[nodiscard]] DropKeyspaceResult DropKeyspace(const std::string& name,
                                                const AdminOptions& options = {});

  // Begins to move a partition's replica from one node to another. Done when it is begun, and when
  // it was begun or through before; GetClusterState shows when it is through.
  [[nodiscard]] MovePartitionResult MovePartition(const PartitionMove& move,
                                                  const AdminOptions& options = {});
  // Turns an open move back. Done when none is open any more that would have to be.
  [[nodiscard]] MovePartitionResult CancelMove(const std::string& keyspace, uint32_t partition,
                                               const AdminOptions& options = {});
  // Has a partition that lost its majority for good go on from one replica alone, which must be
  // told to be enough; repeats are harmless. Done when that is written down.
  [[nodiscard]] RecoverPartitionResult RecoverPartition(const PartitionRecovery& recovery,
                                                        const AdminOptions& options = {});
  // Has all replicas moved away from a node; `undo`: lets it have replicas again.
  [[nodiscard]] DrainNodeResult DrainNode(uint64_t node_id, bool undo,
                                          const AdminOptions& options = {});
  // Asks the node at `address`, which leads the partition, to hand over to `to.to_node`. Sent
  // once, as Init.
  [[nodiscard]] TransferLeaderResult TransferLeader(const std::string& address,
                                                    const PartitionMove& to,
                                                    const AdminOptions& options = {});

  // The next two ask one node and are sent once, as Init. Node status: what it says of itself.
  void NodeStatusAsync(const std::string& address, const AdminOptions& options,
                       Handler<NodeStatusResult> handler);
  // The replicas at this node; of one keyspace, or of all when `keyspace` is empty. `checksum`
  // reads all their data.
  void ListReplicasAsync(const std::string& address, const std::string& keyspace, bool checksum,
                         const AdminOptions& options, Handler<ListReplicasResult> handler);

 private:
  struct Parts;
  explicit Client(std::shared_ptr<Parts> parts);

  // Keyspaces hold it too, and may come with a call at any time: closed by the destructor, it is
  // freed when the last of them is gone.
  std::shared_ptr<Parts> parts_;
};

}  // namespace quorate::client

#endif  // QUORATE_CLIENT_H_
