// The client library's transport in the simulator: requests travel over the simulated network and
// are handed, decoded, to the services of whichever process is behind the address by then.
#ifndef TESTS_SIM_CLUSTER_SIM_TRANSPORT_H_
#define TESTS_SIM_CLUSTER_SIM_TRANSPORT_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "client/src/transport.h"
#include "server/service/services.h"
#include "tests/sim/sim_clock.h"
#include "tests/sim/sim_network.h"
#include "tests/sim/sim_scheduler.h"

namespace quorate::sim {

// What answers behind an address at one moment. Null pointers: nothing does.
struct SimServer {
  KeyValueService* key_value = nullptr;
  AdminService* admin = nullptr;
  const Clock* clock = nullptr;
};

// One client process. As with gRPC: a refused connection certainly carried nothing, so it is
// answered as not done; a lost request or answer ends at the deadline, without a detail, as
// unknown. Owned by the test; outlives the client that uses it.
class SimTransport final : public client::Transport {
 public:
  using Resolve = std::function<SimServer(const std::string& address)>;

  // `name` is the client's address in the network; `clock` the client's own.
  SimTransport(SimScheduler* scheduler, SimNetwork* network, const SimClock* clock,
               std::string name, Resolve resolve)
      : scheduler_(scheduler),
        network_(network),
        clock_(clock),
        name_(std::move(name)),
        resolve_(std::move(resolve)) {}

  void Get(const std::string& address, const kv::v1::GetRequest& request, MonotonicTime deadline,
           client::Done<kv::v1::GetResponse> done) override;
  void Put(const std::string& address, const kv::v1::PutRequest& request, MonotonicTime deadline,
           client::Done<kv::v1::PutResponse> done) override;
  void Delete(const std::string& address, const kv::v1::DeleteRequest& request,
              MonotonicTime deadline, client::Done<kv::v1::DeleteResponse> done) override;
  void Increment(const std::string& address, const kv::v1::IncrementRequest& request,
                 MonotonicTime deadline, client::Done<kv::v1::IncrementResponse> done) override;
  void Batch(const std::string& address, const kv::v1::BatchRequest& request,
             MonotonicTime deadline, client::Done<kv::v1::BatchResponse> done) override;
  void ScanPage(const std::string& address, const kv::v1::ScanRequest& request,
                MonotonicTime deadline, client::Done<kv::v1::ScanResponse> done) override;
  void Init(const std::string& address, const kv::v1::InitRequest& request, MonotonicTime deadline,
            client::Done<kv::v1::InitResponse> done) override;
  void GetClusterState(const std::string& address, const kv::v1::GetClusterStateRequest& request,
                       MonotonicTime deadline,
                       client::Done<kv::v1::GetClusterStateResponse> done) override;
  void GetNodeStatus(const std::string& address, const kv::v1::GetNodeStatusRequest& request,
                     MonotonicTime deadline,
                     client::Done<kv::v1::GetNodeStatusResponse> done) override;
  void CreateKeyspace(const std::string& address, const kv::v1::CreateKeyspaceRequest& request,
                      MonotonicTime deadline,
                      client::Done<kv::v1::CreateKeyspaceResponse> done) override;
  void DropKeyspace(const std::string& address, const kv::v1::DropKeyspaceRequest& request,
                    MonotonicTime deadline,
                    client::Done<kv::v1::DropKeyspaceResponse> done) override;
  void ListReplicas(const std::string& address, const kv::v1::ListReplicasRequest& request,
                    MonotonicTime deadline,
                    client::Done<kv::v1::ListReplicasResponse> done) override;
  void MovePartition(const std::string& address, const kv::v1::MovePartitionRequest& request,
                     MonotonicTime deadline,
                     client::Done<kv::v1::MovePartitionResponse> done) override;
  void RecoverPartition(const std::string& address, const kv::v1::RecoverPartitionRequest& request,
                        MonotonicTime deadline,
                        client::Done<kv::v1::RecoverPartitionResponse> done) override;
  void TransferLeader(const std::string& address, const kv::v1::TransferLeaderRequest& request,
                      MonotonicTime deadline,
                      client::Done<kv::v1::TransferLeaderResponse> done) override;
  void DrainNode(const std::string& address, const kv::v1::DrainNodeRequest& request,
                 MonotonicTime deadline, client::Done<kv::v1::DrainNodeResponse> done) override;

 private:
  // Carries one call: `service` picks the service out of a SimServer, `method` is its member.
  template <class Service, class Request, class Response>
  void Call(const std::string& address, const Request& request, MonotonicTime deadline,
            client::Done<Response> done, Service* SimServer::* service,
            void (Service::*method)(const CallContext&, const Request&, Reply<Response>));

  SimScheduler* const scheduler_;
  SimNetwork* const network_;
  const SimClock* const clock_;
  const std::string name_;
  const Resolve resolve_;
};

}  // namespace quorate::sim

#endif  // TESTS_SIM_CLUSTER_SIM_TRANSPORT_H_
