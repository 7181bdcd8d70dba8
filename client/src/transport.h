// How the client library reaches one node: the seam between its logic (routing, retries, deadlines)
// and gRPC. The simulator implements it on virtual time.
#ifndef CLIENT_SRC_TRANSPORT_H_
#define CLIENT_SRC_TRANSPORT_H_

#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "kv/v1/admin.pb.h"
#include "kv/v1/key_value.pb.h"
#include "server/runtime/runtime.h"

namespace quorate::client {

template <class T>
using Done = absl::AnyInvocable<void(absl::StatusOr<T>)>;

// Threads: any. `done` is called exactly once, on any thread, also when the deadline passes without
// an answer. Errors from the server carry an ErrorDetail (proto/error_detail.h); errors of the
// transport itself carry none, except that a request which certainly never left carries outcome
// NOT_DONE.
class Transport {
 public:
  virtual ~Transport() = default;

  virtual void Get(const std::string& address, const kv::v1::GetRequest& request,
                   MonotonicTime deadline, Done<kv::v1::GetResponse> done) = 0;
  virtual void Put(const std::string& address, const kv::v1::PutRequest& request,
                   MonotonicTime deadline, Done<kv::v1::PutResponse> done) = 0;
  virtual void Delete(const std::string& address, const kv::v1::DeleteRequest& request,
                      MonotonicTime deadline, Done<kv::v1::DeleteResponse> done) = 0;
  virtual void Increment(const std::string& address, const kv::v1::IncrementRequest& request,
                         MonotonicTime deadline, Done<kv::v1::IncrementResponse> done) = 0;
  virtual void Batch(const std::string& address, const kv::v1::BatchRequest& request,
                     MonotonicTime deadline, Done<kv::v1::BatchResponse> done) = 0;
  // One page of a scan (single_page is set by the implementation).
  virtual void ScanPage(const std::string& address, const kv::v1::ScanRequest& request,
                        MonotonicTime deadline, Done<kv::v1::ScanResponse> done) = 0;

  virtual void Init(const std::string& address, const kv::v1::InitRequest& request,
                    MonotonicTime deadline, Done<kv::v1::InitResponse> done) = 0;
  virtual void GetClusterState(const std::string& address,
                               const kv::v1::GetClusterStateRequest& request,
                               MonotonicTime deadline,
                               Done<kv::v1::GetClusterStateResponse> done) = 0;
  virtual void GetNodeStatus(const std::string& address,
                             const kv::v1::GetNodeStatusRequest& request, MonotonicTime deadline,
                             Done<kv::v1::GetNodeStatusResponse> done) = 0;
  virtual void CreateKeyspace(const std::string& address,
                              const kv::v1::CreateKeyspaceRequest& request, MonotonicTime deadline,
                              Done<kv::v1::CreateKeyspaceResponse> done) = 0;
  virtual void DropKeyspace(const std::string& address, const kv::v1::DropKeyspaceRequest& request,
                            MonotonicTime deadline, Done<kv::v1::DropKeyspaceResponse> done) = 0;
  virtual void ListReplicas(const std::string& address, const kv::v1::ListReplicasRequest& request,
                            MonotonicTime deadline, Done<kv::v1::ListReplicasResponse> done) = 0;
  virtual void MovePartition(const std::string& address,
                             const kv::v1::MovePartitionRequest& request, MonotonicTime deadline,
                             Done<kv::v1::MovePartitionResponse> done) = 0;
  virtual void RecoverPartition(const std::string& address,
                                const kv::v1::RecoverPartitionRequest& request,
                                MonotonicTime deadline,
                                Done<kv::v1::RecoverPartitionResponse> done) = 0;
  virtual void TransferLeader(const std::string& address,
                              const kv::v1::TransferLeaderRequest& request, MonotonicTime deadline,
                              Done<kv::v1::TransferLeaderResponse> done) = 0;
  virtual void DrainNode(const std::string& address, const kv::v1::DrainNodeRequest& request,
                         MonotonicTime deadline, Done<kv::v1::DrainNodeResponse> done) = 0;
};

}  // namespace quorate::client

#endif  // CLIENT_SRC_TRANSPORT_H_
