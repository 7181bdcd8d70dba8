// The client library without threads and gRPC: what the public Client wraps in production, and what
// the simulator runs on virtual time.
#ifndef CLIENT_SRC_CLIENT_CORE_H_
#define CLIENT_SRC_CLIENT_CORE_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/src/transport.h"
#include "quorate/batch.h"
#include "quorate/cluster.h"
#include "quorate/options.h"
#include "quorate/result.h"
#include "server/runtime/runtime.h"

namespace quorate::client {

struct CoreParts;

struct ClientCoreOptions {
  // Where to begin, host:port.
  std::vector<std::string> endpoints;
  // These three outlive the core's Close and every answer of the transport.
  Transport* transport = nullptr;
  const Clock* clock = nullptr;
  // Runs timers (retries, waits); the happy path does not touch it.
  Executor* executor = nullptr;
  // Jitter and spreading. Also the client id, unless one is given.
  uint64_t seed = 0;
  // Unset: from the seed.
  std::optional<std::array<uint8_t, 16>> client_id;
  // As ClientOptions.
  size_t inflight_max = ClientOptions().inflight_max;
  size_t inflight_bytes_max = ClientOptions().inflight_bytes_max;
};

// All calls return at once; handlers run exactly once, on the caller's thread, the transport's or
// the executor's. Contracts of the single calls: quorate/keyspace.h and quorate/client.h. Any
// thread.
class ClientCore {
 public:
  explicit ClientCore(const ClientCoreOptions& options);
  ~ClientCore() { Close(); }
  ClientCore(const ClientCore&) = delete;
  ClientCore& operator=(const ClientCore&) = delete;

  // Ends what waits for a timer or the cluster state, and lets nothing new be sent. Attempts under
  // way end when the transport ends them. Idempotent.
  void Close();

  void Get(const std::string& keyspace, const std::string& key, const ReadOptions& options,
           Handler<GetResult> handler);
  void Put(const std::string& keyspace, const std::string& key, const std::string& value,
           const WriteOptions& options, Handler<WriteResult> handler);
  void Delete(const std::string& keyspace, const std::string& key, const WriteOptions& options,
              Handler<WriteResult> handler);
  void Increment(const std::string& keyspace, const std::string& key, int64_t delta,
                 const IncrementOptions& options, Handler<IncrementResult> handler);
  void Batch(const std::string& keyspace, const BatchOperations& operations,
             const BatchOptions& options, Handler<BatchResult> handler);
  void Scan(const std::string& keyspace, const ScanRange& range, const ScanOptions& options,
            Handler<ScanPage> handler);

  // Done when the keyspace is known to exist.
  void FindKeyspace(const std::string& keyspace, const ReadOptions& options,
                    Handler<Result> handler);
  void GetClusterState(const AdminOptions& options, Handler<ClusterStateResult> handler);
  void CreateKeyspace(const std::string& name, const Policy& policy, const AdminOptions& options,
                      Handler<CreateKeyspaceResult> handler);
  void DropKeyspace(const std::string& name, const AdminOptions& options,
                    Handler<DropKeyspaceResult> handler);
  void MovePartition(const PartitionMove& move, bool cancel, const AdminOptions& options,
                     Handler<MovePartitionResult> handler);
  void RecoverPartition(const PartitionRecovery& recovery, const AdminOptions& options,
                        Handler<RecoverPartitionResult> handler);
  void DrainNode(uint64_t node_id, bool undo, const AdminOptions& options,
                 Handler<DrainNodeResult> handler);

  // At one node; see DirectCall.
  void TransferLeader(const std::string& address, const PartitionMove& to,
                      const AdminOptions& options, Handler<TransferLeaderResult> handler);
  void Init(const std::string& address, bool force, const AdminOptions& options,
            Handler<InitResult> handler);
  void GetNodeStatus(const std::string& address, const AdminOptions& options,
                     Handler<NodeStatusResult> handler);
  void ListReplicas(const std::string& address, const std::string& keyspace, bool checksum,
                    const AdminOptions& options, Handler<ListReplicasResult> handler);

 private:
  [[nodiscard]] MonotonicTime DeadlineAfter(std::chrono::nanoseconds timeout) const;

  const std::shared_ptr<CoreParts> parts_;
};

}  // namespace quorate::client

#endif  // CLIENT_SRC_CLIENT_CORE_H_
