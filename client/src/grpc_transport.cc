#include "client/src/grpc_transport.h"

#include <grpcpp/grpcpp.h>

#include <map>
#include <set>
#include <string>
#include <utility>

#include "client/src/grpc_call.h"
#include "server/runtime/mutex.h"

namespace quorate::client {
namespace {

constexpr int kMessageBytesMax = 20 << 20;

grpc::ChannelArguments ChannelArgs() {
  grpc::ChannelArguments args;
  args.SetMaxReceiveMessageSize(kMessageBytesMax);
  args.SetMaxSendMessageSize(kMessageBytesMax);
  // Retries are ours: gRPC does not know which requests are safe to repeat.
  args.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 500);
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  // A lost packet to a name server costs this and not the resolver's own many seconds; and a node
  // that comes back at another address of its name is looked for at once, not every 30 seconds.
  args.SetInt(GRPC_ARG_DNS_ARES_QUERY_TIMEOUT_MS, 2000);
  args.SetInt(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, 1000);
  // The time-out is also TCP_USER_TIMEOUT: a link that was cut and healed is reconnected within
  // seconds instead of after TCP's own retransmission back-off.
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 5000);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 3000);
  // Two clients in one process do not share connections.
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return args;
}

// Locks: the table of nodes and calls under one mutex; gRPC is never called with it held, except to
// cancel (which does not call back).
class Impl final : public GrpcTransport {
 public:
  Impl(const Clock* clock, Executor* poller) : clock_(clock) {
    poller->Post([this] { Poll(); });
  }
  ~Impl() override { Shutdown(); }

  void Get(const std::string& address, const kv::v1::GetRequest& request, MonotonicTime deadline,
           Done<kv::v1::GetResponse> done) override {
    Unary<kv::v1::GetResponse>(
        address, deadline, std::move(done),
        [request](GrpcNode& node, grpc::ClientContext* context, grpc::CompletionQueue* queue) {
          return node.key_value->AsyncGet(context, request, queue);
        });
  }
  void Put(const std::string& address, const kv::v1::PutRequest& request, MonotonicTime deadline,
           Done<kv::v1::PutResponse> done) override {
    Unary<kv::v1::PutResponse>(
        address, deadline, std::move(done),
        [request](GrpcNode& node, grpc::ClientContext* context, grpc::CompletionQueue* queue) {
          return node.key_value->AsyncPut(context, request, queue);
        });
  }
  void Delete(const std::string& address, const kv::v1::DeleteRequest& request,
              MonotonicTime deadline, Done<kv::v1::DeleteResponse> done) override {
    Unary<kv::v1::DeleteResponse>(
        address, deadline, std::move(done),
        [request](GrpcNode& node, grpc::ClientContext* context, grpc::CompletionQueue* queue) {
          return node.key_value->AsyncDelete(context, request, queue);
        });
  }
  void Increment(const std::string& address, const kv::v1::IncrementRequest& request,
                 MonotonicTime deadline, Done<kv::v1::IncrementResponse> done) override {
    Unary<kv::v1::IncrementResponse>(
        address, deadline, std::move(done),
        [request](GrpcNode& node, grpc::ClientContext* context, grpc::CompletionQueue* queue) {
          return node.key_value->AsyncIncrement(context, request, queue);
        });
  }
  void Batch(const std::string& address, const kv::v1::BatchRequest& request,
             MonotonicTime deadline, Done<kv::v1::BatchResponse> done) override {
    Unary<kv::v1::BatchResponse>(
        address, deadline, std::move(done),
        [request](GrpcNode& node, grpc::ClientContext* context, grpc::CompletionQueue* queue) {
          return node.key_value->AsyncBatch(context, request, queue);
        });
  }
  void ScanPage(const std::string& address, const kv::v1::ScanRequest& request,
                MonotonicTime deadline, Done<kv::v1::ScanResponse> done) override {
    kv::v1::ScanRequest single = request;
    single.set_single_page(true);
    Run(address, [&](std::shared_ptr<GrpcNode> node) {
      return std::make_unique<GrpcScanCall>(std::move(node), deadline, std::move(single),
                                            std::move(done));
    });
  }
  void Init(const std::string& address, const kv::v1::InitRequest& request, MonotonicTime deadline,
            Done<kv::v1::InitResponse> done) override {
    Unary<kv::v1::InitResponse>(
        address, deadline, std::move(done),
        [request](GrpcNode& node, grpc::ClientContext* context, grpc::CompletionQueue* queue) {
          return node.admin->AsyncInit(context, request, queue);
        });
  }
  void GetClusterState(const std::string& address, const kv::v1::GetClusterStateRequest& request,
                       MonotonicTime deadline,
                       Done<kv::v1::GetClusterStateResponse> done) override {
    Unary<kv::v1::GetClusterStateResponse>(
        address, deadline, std::move(done),
        [request](GrpcNode& node, grpc::ClientContext* context, grpc::CompletionQueue* queue) {
          return node.admin->AsyncGetClusterState(context, request, queue);
        });
  }
  void GetNodeStatus(const std::string& address, const kv::v1::GetNodeStatusRequest& request,
                     MonotonicTime deadline, Done<kv::v1::GetNodeStatusResponse> done) override {
    Unary<kv::v1::GetNodeStatusResponse>(
        address, deadline, std::move(done),
        [request](GrpcNode& node, grpc::ClientContext* context, grpc::CompletionQueue* queue) {
          return node.admin->AsyncGetNodeStatus(context, request, queue);
        });
  }
  void CreateKeyspace(const std::string& address, const kv::v1::CreateKeyspaceRequest& request,
                      MonotonicTime deadline, Done<kv::v1::CreateKeyspaceResponse> done) override {
    Unary<kv::v1::CreateKeyspaceResponse>(
        address, deadline, std::move(done),
        [request](GrpcNode& node, grpc::ClientContext* context, grpc::CompletionQueue* queue) {
          return node.admin->AsyncCreateKeyspace(context, request, queue);
        });
  }
  void DropKeyspace(const std::string& address, const kv::v1::DropKeyspaceRequest& request,
                    MonotonicTime deadline, Done<kv::v1::DropKeyspaceResponse> done) override {
    Unary<kv::v1::DropKeyspaceResponse>(
        address, deadline, std::move(done),
        [request](GrpcNode& node, grpc::ClientContext* context, grpc::CompletionQueue* queue) {
          return node.admin->AsyncDropKeyspace(context, request, queue);
        });
  }
  void ListReplicas(const std::string& address, const kv::v1::ListReplicasRequest& request,
                    MonotonicTime deadline, Done<kv::v1::ListReplicasResponse> done) override {
    Unary<kv::v1::ListReplicasResponse>(
        address, deadline, std::move(done),
        [request](GrpcNode& node, grpc::ClientContext* context, grpc::CompletionQueue* queue) {
          return node.admin->AsyncListReplicas(context, request, queue);
        });
  }
  void MovePartition(const std::string& address, const kv::v1::MovePartitionRequest& request,
                     MonotonicTime deadline, Done<kv::v1::MovePartitionResponse> done) override {
    Unary<kv::v1::MovePartitionResponse>(
        address, deadline, std::move(done),
        [request](GrpcNode& node, grpc::ClientContext* context, grpc::CompletionQueue* queue) {
          return node.admin->AsyncMovePartition(context, request, queue);
        });
  }
  void RecoverPartition(const std::string& address, const kv::v1::RecoverPartitionRequest& request,
                        MonotonicTime deadline,
                        Done<kv::v1::RecoverPartitionResponse> done) override {
    Unary<kv::v1::RecoverPartitionResponse>(
        address, deadline, std::move(done),
        [request](GrpcNode& node, grpc::ClientContext* context, grpc::CompletionQueue* queue) {
          return node.admin->AsyncRecoverPartition(context, request, queue);
        });
  }
  void TransferLeader(const std::string& address, const kv::v1::TransferLeaderRequest& request,
                      MonotonicTime deadline, Done<kv::v1::TransferLeaderResponse> done) override {
    Unary<kv::v1::TransferLeaderResponse>(
        address, deadline, std::move(done),
        [request](GrpcNode& node, grpc::ClientContext* context, grpc::CompletionQueue* queue) {
          return node.admin->AsyncTransferLeader(context, request, queue);
        });
  }
  void DrainNode(const std::string& address, const kv::v1::DrainNodeRequest& request,
                 MonotonicTime deadline, Done<kv::v1::DrainNodeResponse> done) override {
    Unary<kv::v1::DrainNodeResponse>(
        address, deadline, std::move(done),
        [request](GrpcNode& node, grpc::ClientContext* context, grpc::CompletionQueue* queue) {
          return node.admin->AsyncDrainNode(context, request, queue);
        });
  }

  void Shutdown() override;

 private:
  template <class Response, class StartFunction>
  void Unary(const std::string& address, MonotonicTime deadline, Done<Response> done,
             StartFunction start) {
    Run(address, [&](std::shared_ptr<GrpcNode> node) {
      return std::make_unique<GrpcUnaryCall<Response, StartFunction>>(
          std::move(node), deadline, std::move(start), std::move(done));
    });
  }

  // Makes the call with the node's channel, registers it, and begins it.
  template <class MakeCall>
  void Run(const std::string& address, MakeCall make);

  std::shared_ptr<GrpcNode> NodeAt(const std::string& address) ABSL_LOCKS_EXCLUDED(mutex_);
  void Poll();
  void End(GrpcCall* call, const absl::Status& failure);

  const Clock* const clock_;
  grpc::CompletionQueue queue_;

  Mutex mutex_;
  CondVar changed_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool poll_ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, std::shared_ptr<GrpcNode>> nodes_ ABSL_GUARDED_BY(mutex_);
  std::set<GrpcCall*> calls_ ABSL_GUARDED_BY(mutex_);
};

std::shared_ptr<GrpcNode> Impl::NodeAt(const std::string& address) {
  {
    MutexLock lock(&mutex_);
    const auto found = nodes_.find(address);
    if (found != nodes_.end()) {
      return found->second;
    }
  }
  auto node = std::make_shared<GrpcNode>();
  node->address = address;
  node->channel =
      grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), ChannelArgs());
  node->key_value = kv::v1::KeyValue::NewStub(node->channel);
  node->admin = kv::v1::Admin::NewStub(node->channel);
  MutexLock lock(&mutex_);
  return nodes_.try_emplace(address, std::move(node)).first->second;
}

template <class MakeCall>
void Impl::Run(const std::string& address, MakeCall make) {
  std::unique_ptr<GrpcCall> call = make(NodeAt(address));
  bool closed = false;
  {
    MutexLock lock(&mutex_);
    closed = closed_;
    if (!closed) {
      calls_.insert(call.get());
    }
  }
  if (closed) {
    call->Deliver(NeverSent("the client was closed"));
    return;
  }
  GrpcCall* const running = call.release();
  absl::Status failure;
  if (!running->Begin(&queue_, clock_->Now(), &failure)) {
    End(running, failure);
  }
}

void Impl::End(GrpcCall* call, const absl::Status& failure) {
  // Removed only after its handler has returned, so that Shutdown waits for the handlers too.
  call->Deliver(failure);
  {
    MutexLock lock(&mutex_);
    calls_.erase(call);
    if (closed_ && calls_.empty()) {
      changed_.NotifyAll();
    }
  }
  delete call;
}

void Impl::Poll() {
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
    auto* call = static_cast<GrpcCall*>(tag);
    absl::Status failure;
    if (!call->Advance(&queue_, ok, clock_->Now(), &failure)) {
      End(call, failure);
    }
  }
  MutexLock lock(&mutex_);
  poll_ended_ = true;
  changed_.NotifyAll();
}

void Impl::Shutdown() {
  {
    MutexLock lock(&mutex_);
    if (closed_) {
      return;
    }
    closed_ = true;
    for (GrpcCall* call : calls_) {
      call->Cancel();
    }
    while (!calls_.empty()) {
      changed_.Wait(&mutex_);
    }
  }
  queue_.Shutdown();
  MutexLock lock(&mutex_);
  while (!poll_ended_) {
    changed_.Wait(&mutex_);
  }
}

}  // namespace

std::unique_ptr<GrpcTransport> GrpcTransport::Create(const Clock* clock, Executor* poller) {
  return std::make_unique<Impl>(clock, poller);
}

}  // namespace quorate::client
