// The requests that a node takes, decoded: what gRPC handlers call in production and what the
// simulator calls directly.
#ifndef SERVER_SERVICE_SERVICES_H_
#define SERVER_SERVICE_SERVICES_H_

#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "kv/v1/admin.pb.h"
#include "kv/v1/key_value.pb.h"
#include "server/replication/request_trace.h"
#include "server/runtime/runtime.h"

namespace quorate {

// What every lower call knows of its caller.
struct CallContext {
  std::string principal;   // empty: not authenticated
  MonotonicTime deadline;  // when the caller gives up
  std::string trace_id;
  // Where the request's way is noted; lives until the reply. May be null.
  RequestTrace* trace = nullptr;
};

template <class T>
using Reply = absl::AnyInvocable<void(absl::StatusOr<T>)>;

// Threads: any. A reply may come on the calling thread before the call returns, or later on a loop;
// it comes exactly once, by the deadline. Errors carry an ErrorDetail (proto/error_detail.h).
class KeyValueService {
 public:
  virtual ~KeyValueService() = default;
  virtual void Get(const CallContext& context, const kv::v1::GetRequest& request,
                   Reply<kv::v1::GetResponse> reply) = 0;
  virtual void Put(const CallContext& context, const kv::v1::PutRequest& request,
                   Reply<kv::v1::PutResponse> reply) = 0;
  virtual void Delete(const CallContext& context, const kv::v1::DeleteRequest& request,
                      Reply<kv::v1::DeleteResponse> reply) = 0;
  virtual void Increment(const CallContext& context, const kv::v1::IncrementRequest& request,
                         Reply<kv::v1::IncrementResponse> reply) = 0;
  virtual void Batch(const CallContext& context, const kv::v1::BatchRequest& request,
                     Reply<kv::v1::BatchResponse> reply) = 0;
  // One page. The streaming adapter calls it again with next_page_token (and the limit reduced)
  // after the page was taken by the network, so a slow reader slows the scan.
  virtual void ScanPage(const CallContext& context, const kv::v1::ScanRequest& request,
                        Reply<kv::v1::ScanResponse> reply) = 0;
};

// As KeyValueService.
class AdminService {
 public:
  virtual ~AdminService() = default;
  virtual void Init(const CallContext& context, const kv::v1::InitRequest& request,
                    Reply<kv::v1::InitResponse> reply) = 0;
  virtual void GetClusterState(const CallContext& context,
                               const kv::v1::GetClusterStateRequest& request,
                               Reply<kv::v1::GetClusterStateResponse> reply) = 0;
  virtual void GetNodeStatus(const CallContext& context,
                             const kv::v1::GetNodeStatusRequest& request,
                             Reply<kv::v1::GetNodeStatusResponse> reply) = 0;
  virtual void CreateKeyspace(const CallContext& context,
                              const kv::v1::CreateKeyspaceRequest& request,
                              Reply<kv::v1::CreateKeyspaceResponse> reply) = 0;
  virtual void DropKeyspace(const CallContext& context, const kv::v1::DropKeyspaceRequest& request,
                            Reply<kv::v1::DropKeyspaceResponse> reply) = 0;
  virtual void ListReplicas(const CallContext& context, const kv::v1::ListReplicasRequest& request,
                            Reply<kv::v1::ListReplicasResponse> reply) = 0;
  virtual void RecoverPartition(const CallContext& context,
                                const kv::v1::RecoverPartitionRequest& request,
                                Reply<kv::v1::RecoverPartitionResponse> reply) = 0;
  virtual void MovePartition(const CallContext& context,
                             const kv::v1::MovePartitionRequest& request,
                             Reply<kv::v1::MovePartitionResponse> reply) = 0;
  virtual void TransferLeader(const CallContext& context,
                              const kv::v1::TransferLeaderRequest& request,
                              Reply<kv::v1::TransferLeaderResponse> reply) = 0;
  virtual void DrainNode(const CallContext& context, const kv::v1::DrainNodeRequest& request,
                         Reply<kv::v1::DrainNodeResponse> reply) = 0;
};

}  // namespace quorate

#endif  // SERVER_SERVICE_SERVICES_H_
