// A Transport for tests: the test says how each node answers.
#ifndef CLIENT_SRC_TEST_TRANSPORT_H_
#define CLIENT_SRC_TEST_TRANSPORT_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "client/src/test_virtual_time.h"
#include "client/src/transport.h"
#include "proto/error_detail.h"

namespace quorate::client {

// An answer of a node: a response, an error, or silence, which ends at the attempt's deadline.
template <class Response>
struct Behaviour {
  absl::StatusOr<Response> answer = Response{};
  bool silent = false;
  Duration after = std::chrono::milliseconds(1);
};

// One thread, on virtual time. Calls that a test expects none of answer UNIMPLEMENTED.
class TestTransport final : public Transport {
 public:
  explicit TestTransport(VirtualTime* time) : time_(time) {}

  template <class Request, class Response>
  using Rule = std::function<Behaviour<Response>(const std::string& address, const Request&)>;

  Rule<kv::v1::GetRequest, kv::v1::GetResponse> get;
  Rule<kv::v1::PutRequest, kv::v1::PutResponse> put;
  Rule<kv::v1::IncrementRequest, kv::v1::IncrementResponse> increment;
  Rule<kv::v1::BatchRequest, kv::v1::BatchResponse> batch;
  Rule<kv::v1::ScanRequest, kv::v1::ScanResponse> scan;
  Rule<kv::v1::GetClusterStateRequest, kv::v1::GetClusterStateResponse> state;
  Rule<kv::v1::DropKeyspaceRequest, kv::v1::DropKeyspaceResponse> drop;
  Rule<kv::v1::InitRequest, kv::v1::InitResponse> init;
  Rule<kv::v1::GetNodeStatusRequest, kv::v1::GetNodeStatusResponse> status;

  // What was sent.
  struct Sent {
    std::string address;
    kv::v1::RequestId id;
    uint32_t timeout_ms = 0;
  };
  std::vector<Sent> puts;
  std::vector<kv::v1::IncrementRequest> increments;
  struct SentBatch {
    std::string address;
    kv::v1::BatchRequest request;
  };
  std::vector<SentBatch> batches;
  std::vector<std::string> states;

  void Get(const std::string& address, const kv::v1::GetRequest& request, MonotonicTime deadline,
           Done<kv::v1::GetResponse> done) override {
    Answer(get, address, request, deadline, std::move(done));
  }
  void Put(const std::string& address, const kv::v1::PutRequest& request, MonotonicTime deadline,
           Done<kv::v1::PutResponse> done) override {
    puts.push_back({.address = address,
                    .id = request.header().request_id(),
                    .timeout_ms = request.header().timeout_ms()});
    Answer(put, address, request, deadline, std::move(done));
  }
  void Delete(const std::string& address, const kv::v1::DeleteRequest& request,
              MonotonicTime deadline, Done<kv::v1::DeleteResponse> done) override {
    Answer({}, address, request, deadline, std::move(done));
  }
  void Increment(const std::string& address, const kv::v1::IncrementRequest& request,
                 MonotonicTime deadline, Done<kv::v1::IncrementResponse> done) override {
    increments.push_back(request);
    Answer(increment, address, request, deadline, std::move(done));
  }
  void Batch(const std::string& address, const kv::v1::BatchRequest& request,
             MonotonicTime deadline, Done<kv::v1::BatchResponse> done) override {
    batches.push_back({.address = address, .request = request});
    Answer(batch, address, request, deadline, std::move(done));
  }
  void ScanPage(const std::string& address, const kv::v1::ScanRequest& request,
                MonotonicTime deadline, Done<kv::v1::ScanResponse> done) override {
    Answer(scan, address, request, deadline, std::move(done));
  }
  void Init(const std::string& address, const kv::v1::InitRequest& request, MonotonicTime deadline,
            Done<kv::v1::InitResponse> done) override {
    Answer(init, address, request, deadline, std::move(done));
  }
  void GetClusterState(const std::string& address, const kv::v1::GetClusterStateRequest& request,
                       MonotonicTime deadline,
                       Done<kv::v1::GetClusterStateResponse> done) override {
    states.push_back(address);
    Answer(state, address, request, deadline, std::move(done));
  }
  void GetNodeStatus(const std::string& address, const kv::v1::GetNodeStatusRequest& request,
                     MonotonicTime deadline, Done<kv::v1::GetNodeStatusResponse> done) override {
    Answer(status, address, request, deadline, std::move(done));
  }
  void CreateKeyspace(const std::string& address, const kv::v1::CreateKeyspaceRequest& request,
                      MonotonicTime deadline, Done<kv::v1::CreateKeyspaceResponse> done) override {
    Answer({}, address, request, deadline, std::move(done));
  }
  void DropKeyspace(const std::string& address, const kv::v1::DropKeyspaceRequest& request,
                    MonotonicTime deadline, Done<kv::v1::DropKeyspaceResponse> done) override {
    Answer(drop, address, request, deadline, std::move(done));
  }
  void ListReplicas(const std::string& address, const kv::v1::ListReplicasRequest& request,
                    MonotonicTime deadline, Done<kv::v1::ListReplicasResponse> done) override {
    Answer({}, address, request, deadline, std::move(done));
  }
  void MovePartition(const std::string& address, const kv::v1::MovePartitionRequest& request,
                     MonotonicTime deadline, Done<kv::v1::MovePartitionResponse> done) override {
    Answer({}, address, request, deadline, std::move(done));
  }
  void RecoverPartition(const std::string& address, const kv::v1::RecoverPartitionRequest& request,
                        MonotonicTime deadline,
                        Done<kv::v1::RecoverPartitionResponse> done) override {
    Answer({}, address, request, deadline, std::move(done));
  }
  void TransferLeader(const std::string& address, const kv::v1::TransferLeaderRequest& request,
                      MonotonicTime deadline, Done<kv::v1::TransferLeaderResponse> done) override {
    Answer({}, address, request, deadline, std::move(done));
  }
  void DrainNode(const std::string& address, const kv::v1::DrainNodeRequest& request,
                 MonotonicTime deadline, Done<kv::v1::DrainNodeResponse> done) override {
    Answer({}, address, request, deadline, std::move(done));
  }

 private:
  template <class Request, class Response>
  void Answer(const std::type_identity_t<Rule<Request, Response>>& rule, const std::string& address,
              const Request& request, MonotonicTime deadline, Done<Response> done) {
    Behaviour<Response> behaviour;
    behaviour.answer = absl::UnimplementedError("not expected by this test");
    if (rule) {
      behaviour = rule(address, request);
    }
    MonotonicTime when = time_->Now() + behaviour.after;
    if (behaviour.silent || when > deadline) {
      when = deadline;
      behaviour.answer = absl::DeadlineExceededError("no answer");
    }
    time_->PostAt(when, [done = std::move(done), answer = std::move(behaviour.answer)]() mutable {
      done(std::move(answer));
    });
  }

  VirtualTime* const time_;
};

}  // namespace quorate::client

#endif  // CLIENT_SRC_TEST_TRANSPORT_H_
