#include "tests/sim/cluster/sim_transport.h"

#include "proto/error_detail.h"

namespace quorate::sim {
namespace {

// One call's end: the first of answer, refusal and deadline counts.
template <class Response>
struct PendingCall {
  client::Done<Response> done;

  void Finish(absl::StatusOr<Response> result) {
    if (auto taken = std::exchange(done, nullptr)) taken(std::move(result));
  }
};

}  // namespace

template <class Service, class Request, class Response>
void SimTransport::Call(const std::string& address, const Request& request, MonotonicTime deadline,
                        client::Done<Response> done, Service* SimServer::* service,
                        void (Service::*method)(const CallContext&, const Request&,
                                                Reply<Response>)) {
  auto call = std::make_shared<PendingCall<Response>>();
  call->done = std::move(done);
  const Duration left = deadline - clock_->Now();
  scheduler_->At(clock_->ToVirtual(deadline), "call deadline", kNoNode, [call] {
    call->Finish(absl::DeadlineExceededError("no answer before the deadline"));
  });
  if (!network_->IsUp(address)) {
    scheduler_->After(std::chrono::microseconds(200), "connection refused", kNoNode, [call] {
      call->Finish(
          MakeError(kv::v1::REASON_WRONG_NODE, kv::v1::OUTCOME_NOT_DONE, "connection refused"));
    });
    return;
  }
  network_->Deliver(name_, address, [this, address, request, left, call, service, method] {
    const SimServer server = resolve_(address);
    if (server.*service == nullptr) return;
    CallContext context;
    context.deadline = server.clock->Now() + left;
    (server.*service->*method)(
        context, request, [this, address, call](absl::StatusOr<Response> result) mutable {
          network_->Deliver(address, name_, [call, result = std::move(result)]() mutable {
            call->Finish(std::move(result));
          });
        });
  });
}

void SimTransport::Get(const std::string& address, const kv::v1::GetRequest& request,
                       MonotonicTime deadline, client::Done<kv::v1::GetResponse> done) {
  Call(address, request, deadline, std::move(done), &SimServer::key_value, &KeyValueService::Get);
}

void SimTransport::Put(const std::string& address, const kv::v1::PutRequest& request,
                       MonotonicTime deadline, client::Done<kv::v1::PutResponse> done) {
  Call(address, request, deadline, std::move(done), &SimServer::key_value, &KeyValueService::Put);
}

void SimTransport::Delete(const std::string& address, const kv::v1::DeleteRequest& request,
                          MonotonicTime deadline, client::Done<kv::v1::DeleteResponse> done) {
  Call(address, request, deadline, std::move(done), &SimServer::key_value,
       &KeyValueService::Delete);
}

void SimTransport::Increment(const std::string& address, const kv::v1::IncrementRequest& request,
                             MonotonicTime deadline, client::Done<kv::v1::IncrementResponse> done) {
  Call(address, request, deadline, std::move(done), &SimServer::key_value,
       &KeyValueService::Increment);
}

void SimTransport::Batch(const std::string& address, const kv::v1::BatchRequest& request,
                         MonotonicTime deadline, client::Done<kv::v1::BatchResponse> done) {
  Call(address, request, deadline, std::move(done), &SimServer::key_value, &KeyValueService::Batch);
}

void SimTransport::ScanPage(const std::string& address, const kv::v1::ScanRequest& request,
                            MonotonicTime deadline, client::Done<kv::v1::ScanResponse> done) {
  Call(address, request, deadline, std::move(done), &SimServer::key_value,
       &KeyValueService::ScanPage);
}

void SimTransport::Init(const std::string& address, const kv::v1::InitRequest& request,
                        MonotonicTime deadline, client::Done<kv::v1::InitResponse> done) {
  Call(address, request, deadline, std::move(done), &SimServer::admin, &AdminService::Init);
}

void SimTransport::GetClusterState(const std::string& address,
                                   const kv::v1::GetClusterStateRequest& request,
                                   MonotonicTime deadline,
                                   client::Done<kv::v1::GetClusterStateResponse> done) {
  Call(address, request, deadline, std::move(done), &SimServer::admin,
       &AdminService::GetClusterState);
}

void SimTransport::GetNodeStatus(const std::string& address,
                                 const kv::v1::GetNodeStatusRequest& request,
                                 MonotonicTime deadline,
                                 client::Done<kv::v1::GetNodeStatusResponse> done) {
  Call(address, request, deadline, std::move(done), &SimServer::admin,
       &AdminService::GetNodeStatus);
}

void SimTransport::CreateKeyspace(const std::string& address,
                                  const kv::v1::CreateKeyspaceRequest& request,
                                  MonotonicTime deadline,
                                  client::Done<kv::v1::CreateKeyspaceResponse> done) {
  Call(address, request, deadline, std::move(done), &SimServer::admin,
       &AdminService::CreateKeyspace);
}

void SimTransport::DropKeyspace(const std::string& address,
                                const kv::v1::DropKeyspaceRequest& request, MonotonicTime deadline,
                                client::Done<kv::v1::DropKeyspaceResponse> done) {
  Call(address, request, deadline, std::move(done), &SimServer::admin, &AdminService::DropKeyspace);
}

void SimTransport::ListReplicas(const std::string& address,
                                const kv::v1::ListReplicasRequest& request, MonotonicTime deadline,
                                client::Done<kv::v1::ListReplicasResponse> done) {
  Call(address, request, deadline, std::move(done), &SimServer::admin, &AdminService::ListReplicas);
}

void SimTransport::MovePartition(const std::string& address,
                                 const kv::v1::MovePartitionRequest& request,
                                 MonotonicTime deadline,
                                 client::Done<kv::v1::MovePartitionResponse> done) {
  Call(address, request, deadline, std::move(done), &SimServer::admin,
       &AdminService::MovePartition);
}

void SimTransport::RecoverPartition(const std::string& address,
                                    const kv::v1::RecoverPartitionRequest& request,
                                    MonotonicTime deadline,
                                    client::Done<kv::v1::RecoverPartitionResponse> done) {
  Call(address, request, deadline, std::move(done), &SimServer::admin,
       &AdminService::RecoverPartition);
}

void SimTransport::TransferLeader(const std::string& address,
                                  const kv::v1::TransferLeaderRequest& request,
                                  MonotonicTime deadline,
                                  client::Done<kv::v1::TransferLeaderResponse> done) {
  Call(address, request, deadline, std::move(done), &SimServer::admin,
       &AdminService::TransferLeader);
}

void SimTransport::DrainNode(const std::string& address, const kv::v1::DrainNodeRequest& request,
                             MonotonicTime deadline, client::Done<kv::v1::DrainNodeResponse> done) {
  Call(address, request, deadline, std::move(done), &SimServer::admin, &AdminService::DrainNode);
}

}  // namespace quorate::sim
