#include "server/service/grpc_server.h"

#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <type_traits>

#include "grpc/health/v1/health.grpc.pb.h"
#include "kv/v1/admin.grpc.pb.h"
#include "kv/v1/key_value.grpc.pb.h"
#include "server/runtime/grpc_acceptor.h"
#include "server/runtime/grpc_completion_loop.h"
#include "server/runtime/log.h"
#include "server/service/admission_metrics.h"
#include "server/service/grpc_call.h"
#include "server/service/grpc_reflection.h"
#include "server/service/grpc_scan_call.h"

namespace quorate {
namespace {

namespace health = grpc::health::v1;

constexpr Duration kKeyValueTimeout = std::chrono::seconds(5);
constexpr Duration kAdminTimeout = std::chrono::seconds(30);
constexpr size_t kAcceptsPerRareMethod = 2;
constexpr int kKeepaliveTimeMs = 10'000;
constexpr int kKeepaliveTimeoutMs = 5'000;
constexpr int kPingIntervalMinMs = 1'000;
// A connection must have said that it speaks HTTP/2 by then.
constexpr int kHandshakeTimeoutMs = 10'000;
// A connection without requests for so long is ended in good order.
constexpr int kConnectionIdleMs = 600'000;
constexpr int kHeaderBytesMax = 16 << 10;
// How often memory and unread answers are looked at.
constexpr Duration kTickInterval = std::chrono::milliseconds(100);
constexpr Duration kReturnMemoryInterval = std::chrono::seconds(3);

// Watch is left to GrpcUnknownMethods. Its default would be served by a thread of gRPC's own.
using HealthService = health::Health::WithAsyncMethod_Check<
    health::Health::WithGenericMethod_Watch<health::Health::Service>>;

// "GetRequest" → "Get", the method's name in our services.
std::string MethodName(const std::string& request_type) {
  return request_type.substr(0, request_type.rfind("Request"));
}

class GrpcServerImpl final : public GrpcServer {
 public:
  GrpcServerImpl(const GrpcServerOptions& options, const Clock* clock, KeyValueService* key_value,
                 AdminService* admin)
      : options_(options),
        admission_(options.limits),
        metrics_(options.observe),
        clock_(clock),
        services_{key_value, admin} {}

  ~GrpcServerImpl() override {
    collectors_.clear();
    Drain(Duration::zero());
    if (ticker_) ticker_->Stop();
    if (work_) work_->AwaitEnd();
    server_.reset();
    if (own_loop_) own_loop_->Stop();
  }

  absl::Status Listen();

  [[nodiscard]] int port() const override { return port_; }
  void SetServing(bool serving) override { serving_.store(serving); }
  [[nodiscard]] size_t requests_inflight() const override { return admission_.requests(); }
  [[nodiscard]] size_t connections() const override { return acceptor_->connections(); }

  void Drain(Duration grace) override {
    if (!server_ || drained_) return;
    drained_ = true;
    SetServing(false);
    acceptor_->Stop();
    server_->Shutdown(std::chrono::system_clock::now() + grace);
  }

 private:
  struct Services {
    KeyValueService* key_value;
    AdminService* admin;
  };

  // Binds one method of the generated service to one of ours and waits for its calls.
  template <class Request, class Response, class GrpcBase, class Service>
  void Bind(GrpcUnaryMethod<Request, Response>* method,
            std::type_identity_t<GrpcBase>* grpc_service,
            void (GrpcBase::*accept)(grpc::ServerContext*, Request*,
                                     grpc::ServerAsyncResponseWriter<Response>*,
                                     grpc::CompletionQueue*, grpc::ServerCompletionQueue*, void*),
            Service* service,
            void (Service::*serve)(const CallContext&, const Request&, Reply<Response>)) {
    grpc::ServerCompletionQueue* queue = work_->queue();
    method->metrics = metrics_.MethodOf(MethodName(Request::descriptor()->name()));
    method->accept = [grpc_service, accept, queue](auto* context, Request* request, auto* writer,
                                                   void* tag) {
      (grpc_service->*accept)(context, request, writer, queue, queue, tag);
    };
    method->serve = [service, serve](const CallContext& context, const Request& request,
                                     Reply<Response> reply) {
      (service->*serve)(context, request, std::move(reply));
    };
  }

  template <class Request, class Response>
  void Accept(const GrpcUnaryMethod<Request, Response>& method, size_t calls) {
    for (size_t i = 0; i < calls; ++i) {
      GrpcUnaryCall<Request, Response>::Accept(&method, environment_);
    }
  }

  void Tick();
  void AddCollectors();
  void BindKeyValue();
  void BindAdmin();
  void BindHealth();
  absl::StatusOr<health::HealthCheckResponse> CheckHealth(
      const health::HealthCheckRequest& request) const;

  const GrpcServerOptions options_;
  Admission admission_;
  PendingWrites writes_;
  MonotonicTime memory_returned_{};
  std::atomic<uint64_t> unread_answers_{0};
  RequestMetrics metrics_;
  std::vector<std::shared_ptr<void>> collectors_;
  const Clock* const clock_;
  const Services services_;
  std::atomic<bool> serving_{false};
  bool drained_ = false;
  int port_ = 0;

  kv::v1::KeyValue::AsyncService key_value_;
  kv::v1::Admin::AsyncService admin_;
  HealthService health_;
  GrpcReflection reflection_{{kv::v1::KeyValue::service_full_name(),
                              kv::v1::Admin::service_full_name(),
                              health::Health::service_full_name(), GrpcReflection::name()}};

  GrpcUnaryMethod<kv::v1::GetRequest, kv::v1::GetResponse> get_;
  GrpcUnaryMethod<kv::v1::PutRequest, kv::v1::PutResponse> put_;
  GrpcUnaryMethod<kv::v1::DeleteRequest, kv::v1::DeleteResponse> delete_;
  GrpcUnaryMethod<kv::v1::IncrementRequest, kv::v1::IncrementResponse> increment_;
  GrpcUnaryMethod<kv::v1::BatchRequest, kv::v1::BatchResponse> batch_;
  GrpcScanMethod scan_;
  GrpcUnaryMethod<kv::v1::InitRequest, kv::v1::InitResponse> init_;
  GrpcUnaryMethod<kv::v1::GetClusterStateRequest, kv::v1::GetClusterStateResponse>
      get_cluster_state_;
  GrpcUnaryMethod<kv::v1::GetNodeStatusRequest, kv::v1::GetNodeStatusResponse> get_node_status_;
  GrpcUnaryMethod<kv::v1::CreateKeyspaceRequest, kv::v1::CreateKeyspaceResponse> create_keyspace_;
  GrpcUnaryMethod<kv::v1::DropKeyspaceRequest, kv::v1::DropKeyspaceResponse> drop_keyspace_;
  GrpcUnaryMethod<kv::v1::ListReplicasRequest, kv::v1::ListReplicasResponse> list_replicas_;
  GrpcUnaryMethod<kv::v1::MovePartitionRequest, kv::v1::MovePartitionResponse> move_partition_;
  GrpcUnaryMethod<kv::v1::RecoverPartitionRequest, kv::v1::RecoverPartitionResponse>
      recover_partition_;
  GrpcUnaryMethod<kv::v1::TransferLeaderRequest, kv::v1::TransferLeaderResponse> transfer_leader_;
  GrpcUnaryMethod<kv::v1::DrainNodeRequest, kv::v1::DrainNodeResponse> drain_node_;
  GrpcUnaryMethod<health::HealthCheckRequest, health::HealthCheckResponse> check_;

  GrpcCallEnvironment environment_{};
  std::unique_ptr<GrpcCompletionLoop> own_loop_;
  std::optional<GrpcWork> work_;
  std::unique_ptr<GrpcTicker> ticker_;
  // Destroyed first: it knows the services above and the loop's queue.
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> connections_;
  std::unique_ptr<GrpcAcceptor> acceptor_;
};

void Configure(grpc::ServerBuilder& builder, const GrpcServerOptions& options) {
  builder.SetMaxReceiveMessageSize(static_cast<int>(options.message_bytes_max));
  builder.SetMaxSendMessageSize(static_cast<int>(options.message_bytes_max));
  if (options.network_bytes_max != 0) {
    grpc::ResourceQuota quota("clients");
    quota.Resize(options.network_bytes_max);
    builder.SetResourceQuota(quota);
  }
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                             static_cast<int>(options.streams_per_connection_max));
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kHeaderBytesMax);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, kConnectionIdleMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  // Clients may look for dead links as often as every second.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kPingIntervalMinMs);
}

absl::Status GrpcServerImpl::Listen() {
  auto acceptor = GrpcAcceptor::Listen(options_.listen, "--listen", options_.connections_max);
  if (!acceptor.ok()) return acceptor.status();
  acceptor_ = *std::move(acceptor);
  port_ = acceptor_->port();
  grpc::ServerBuilder builder;
  Configure(builder, options_);
  using Type = grpc::ServerBuilder::experimental_type::ExternalConnectionType;
  connections_ = builder.experimental().AddExternalConnectionAcceptor(
      Type::FROM_FD, grpc::InsecureServerCredentials());
  builder.RegisterService(&key_value_);
  builder.RegisterService(&admin_);
  builder.RegisterService(&health_);
  builder.RegisterService(reflection_.service());
  if (options_.loop == nullptr) {
    own_loop_ =
        std::make_unique<GrpcCompletionLoop>(builder, options_.polling_threads, "grpc_clients");
  }
  work_.emplace(own_loop_ ? own_loop_.get() : options_.loop);
  server_ = work_->loop()->Start(builder, &*work_);
  if (!server_) return absl::InternalError("gRPC refused the options of its server");
  environment_ = {clock_, &*work_, &admission_, &writes_};
  AddCollectors();
  BindKeyValue();
  BindAdmin();
  BindHealth();
  reflection_.Accept(&*work_);
  ticker_ = std::make_unique<GrpcTicker>(&*work_, kTickInterval, [this] { Tick(); });
  acceptor_->Start([this](int listener, int descriptor) {
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
    connection.listener_fd = listener;
    connection.fd = descriptor;
    connections_->HandleNewConnection(&connection);
  });
  return absl::OkStatus();
}

void GrpcServerImpl::Tick() {
  const MonotonicTime now = clock_->Now();
  const MemoryLevel before = admission_.memory_level();
  admission_.Tick(now, options_.memory_bytes ? options_.memory_bytes() : 0);
  const MemoryLevel level = admission_.memory_level();
  if (level != before) {
    LogWarning("admission/memory", {{"level", MemoryLevelName(level)},
                                    {"used_bytes", admission_.memory_bytes()},
                                    {"limit_bytes", options_.limits.memory_bytes_max}});
  }
  if (level != MemoryLevel::kNormal && options_.return_memory &&
      now - memory_returned_ >= kReturnMemoryInterval) {
    memory_returned_ = now;
    options_.return_memory();
  }
  const Duration timeout = admission_.IsCrowded()
                               ? std::min(options_.slow_reader_timeout, kCrowdedReaderTimeout)
                               : options_.slow_reader_timeout;
  if (const size_t cut = writes_.CutOff(now, timeout); cut != 0) {
    unread_answers_.fetch_add(cut, std::memory_order_relaxed);
    LogWarning("grpc_server/unread_answers", {{"requests_ended", cut}});
  }
}

void GrpcServerImpl::AddCollectors() {
  MetricsRegistry& registry = *options_.observe.registry;
  collectors_ = AddAdmissionMetrics(registry, &admission_);
  const auto add = [&](const char* name, const char* help, const char* kind, auto value) {
    collectors_.push_back(registry.AddCollector({.name = name, .help = help}, kind, [value] {
      return std::vector<Sample>{{.label_values = {}, .value = static_cast<double>(value())}};
    }));
  };
  add("quorate_connections", "Connections of clients that are open.", "gauge",
      [this] { return acceptor_->connections(); });
  add("quorate_connections_refused_total", "Connections closed because there were too many.",
      "counter", [this] { return acceptor_->refused(); });
  add("quorate_unread_answers_total", "Requests ended because nobody took their answer.", "counter",
      [this] { return unread_answers_.load(std::memory_order_relaxed); });
}

void GrpcServerImpl::BindKeyValue() {
  using GrpcService = kv::v1::KeyValue::AsyncService;
  Bind(&get_, &key_value_, &GrpcService::RequestGet, services_.key_value, &KeyValueService::Get);
  Bind(&put_, &key_value_, &GrpcService::RequestPut, services_.key_value, &KeyValueService::Put);
  Bind(&delete_, &key_value_, &GrpcService::RequestDelete, services_.key_value,
       &KeyValueService::Delete);
  Bind(&increment_, &key_value_, &GrpcService::RequestIncrement, services_.key_value,
       &KeyValueService::Increment);
  Bind(&batch_, &key_value_, &GrpcService::RequestBatch, services_.key_value,
       &KeyValueService::Batch);
  get_.default_timeout = put_.default_timeout = delete_.default_timeout =
      increment_.default_timeout = batch_.default_timeout = kKeyValueTimeout;
  put_.writes = delete_.writes = increment_.writes = batch_.writes = true;
  scan_.accept = [this](auto* context, auto* request, auto* writer, void* tag) {
    key_value_.RequestScan(context, request, writer, work_->queue(), work_->queue(), tag);
  };
  scan_.serve_page = [this](const CallContext& context, const kv::v1::ScanRequest& request,
                            Reply<kv::v1::ScanResponse> reply) {
    services_.key_value->ScanPage(context, request, std::move(reply));
  };
  Accept(get_, options_.accepts_per_method);
  Accept(put_, options_.accepts_per_method);
  Accept(delete_, options_.accepts_per_method);
  Accept(increment_, options_.accepts_per_method);
  Accept(batch_, options_.accepts_per_method);
  scan_.metrics = metrics_.MethodOf("Scan");
  for (size_t i = 0; i < options_.accepts_per_method; ++i) {
    GrpcScanCall::Accept(&scan_, environment_);
  }
}

void GrpcServerImpl::BindAdmin() {
  using GrpcService = kv::v1::Admin::AsyncService;
  // All that a method needs at once: one that is not accepted would let its callers wait.
  const auto bind = [this](auto* method, auto accept, auto serve) {
    Bind(method, &admin_, accept, services_.admin, serve);
    method->default_timeout = kAdminTimeout;
    method->administers = true;
    Accept(*method, kAcceptsPerRareMethod);
  };
  bind(&init_, &GrpcService::RequestInit, &AdminService::Init);
  bind(&get_cluster_state_, &GrpcService::RequestGetClusterState, &AdminService::GetClusterState);
  bind(&get_node_status_, &GrpcService::RequestGetNodeStatus, &AdminService::GetNodeStatus);
  bind(&create_keyspace_, &GrpcService::RequestCreateKeyspace, &AdminService::CreateKeyspace);
  bind(&drop_keyspace_, &GrpcService::RequestDropKeyspace, &AdminService::DropKeyspace);
  bind(&list_replicas_, &GrpcService::RequestListReplicas, &AdminService::ListReplicas);
  bind(&move_partition_, &GrpcService::RequestMovePartition, &AdminService::MovePartition);
  bind(&recover_partition_, &GrpcService::RequestRecoverPartition, &AdminService::RecoverPartition);
  bind(&transfer_leader_, &GrpcService::RequestTransferLeader, &AdminService::TransferLeader);
  bind(&drain_node_, &GrpcService::RequestDrainNode, &AdminService::DrainNode);
  init_.writes = create_keyspace_.writes = drop_keyspace_.writes = true;
}

void GrpcServerImpl::BindHealth() {
  check_.accept = [this](auto* context, auto* request, auto* writer, void* tag) {
    health_.RequestCheck(context, request, writer, work_->queue(), work_->queue(), tag);
  };
  check_.serve = [this](const CallContext&, const health::HealthCheckRequest& request,
                        Reply<health::HealthCheckResponse> reply) { reply(CheckHealth(request)); };
  check_.administers = true;
  Accept(check_, kAcceptsPerRareMethod);
}

absl::StatusOr<health::HealthCheckResponse> GrpcServerImpl::CheckHealth(
    const health::HealthCheckRequest& request) const {
  const std::string& name = request.service();
  if (!name.empty() && name != kv::v1::KeyValue::service_full_name() &&
      name != kv::v1::Admin::service_full_name()) {
    return absl::NotFoundError("this node has no service " + name);
  }
  health::HealthCheckResponse response;
  response.set_status(serving_.load() ? health::HealthCheckResponse::SERVING
                                      : health::HealthCheckResponse::NOT_SERVING);
  return response;
}

}  // namespace

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(const GrpcServerOptions& options,
                                                              const Clock* clock,
                                                              KeyValueService* key_value,
                                                              AdminService* admin) {
  auto server = std::make_unique<GrpcServerImpl>(options, clock, key_value, admin);
  if (absl::Status status = server->Listen(); !status.ok()) return status;
  return server;
}

}  // namespace quorate
