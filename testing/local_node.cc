#include "quorate/testing/local_node.h"

#include <rocksdb/env.h>

#include <chrono>
#include <utility>

#include "client/src/wait.h"
#include "fmt/format.h"
#include "server/node.h"
#include "server/runtime/event_loop.h"
#include "server/runtime/free_port.h"
#include "server/runtime/log.h"
#include "server/runtime/mutex.h"
#include "server/runtime/production_runtime.h"
#include "server/service/grpc_server.h"
#include "testing/faulty_key_value_service.h"

namespace quorate::testing {
namespace {

// Of the file system in memory.
constexpr char kFolderInMemory[] = "/local-node";
// A test's data is small, and a process may hold many nodes.
constexpr size_t kCacheBytes = size_t{8} << 20;
// Requests under way have this long to end when the node stops.
constexpr Duration kDrainTime = std::chrono::seconds(1);
constexpr Duration kStartTime = std::chrono::seconds(30);
constexpr Duration kReadinessInterval = std::chrono::milliseconds(1);
// Another process may be quicker to take a port that was free.
constexpr int kPortsTried = 10;

// The only node of its cluster has nobody to talk to.
class NoNetwork final : public PeerNetwork {
 public:
  void Send(const std::string& /*address*/, std::string /*bytes*/) override {}
  void SetReceiver(Receiver /*receiver*/) override {}
};

// From one start to its stop, in the order of need.
struct Life {
  explicit Life(rocksdb::Env* env) : runtime({.workers = 1}), seams(runtime.runtime()) {
    seams.network = &network;
    if (env != nullptr) seams.env = env;
  }
  ~Life();
  Life(const Life&) = delete;
  Life& operator=(const Life&) = delete;

  absl::Status Start(const std::string& data_dir, const std::string& endpoint,
                     const FaultSwitch* faults);
  // Makes it the first node of a cluster, unless it belongs to one.
  absl::Status Found();

  NoNetwork network;
  ProductionRuntime runtime;
  Runtime seams;
  EventLoop holder{"held-answers", runtime.runtime().clock};
  std::unique_ptr<Node> node;
  std::unique_ptr<FaultyKeyValueService> key_value;
  std::unique_ptr<GrpcServer> server;
};

absl::Status Life::Start(const std::string& data_dir, const std::string& endpoint,
                         const FaultSwitch* faults) {
  NodeOptions options;
  options.data_dir = data_dir;
  options.client_address = endpoint;
  // Never dialled; it only has to be there.
  options.peer_address = endpoint;
  options.http_address = endpoint;
  options.cache_bytes = kCacheBytes;
  options.version = QUORATE_VERSION;
  node = std::make_unique<Node>(seams, std::move(options));
  if (absl::Status status = node->Start(); !status.ok()) {
    return status;
  }
  key_value = std::make_unique<FaultyKeyValueService>(node->key_value_service(), faults,
                                                      seams.clock, &holder);
  auto started =
      GrpcServer::Start({.listen = endpoint}, seams.clock, key_value.get(), node->admin_service());
  if (!started.ok()) {
    return started.status();
  }
  server = *std::move(started);
  return absl::OkStatus();
}

absl::Status Life::Found() {
  if (!node->identity().cluster_id.empty()) {
    return absl::OkStatus();
  }
  // Not by the client: it sends an init once only, which a slow connection would make the end of.
  CallContext context;
  context.deadline = seams.clock->Now() + kStartTime;
  return client::Wait<absl::Status>([&](client::Handler<absl::Status> done) {
    node->admin_service()->Init(
        context, {},
        [done = std::move(done)](const absl::StatusOr<kv::v1::InitResponse>& answer) mutable {
          done(answer.status());
        });
  });
}

Life::~Life() {
  // What a fault holds back would keep the server waiting for its answers.
  holder.Stop();
  if (server != nullptr) server->Drain(kDrainTime);
  if (node != nullptr) node->Stop();
  server.reset();
  runtime.Stop();
}

}  // namespace

struct LocalNode::Parts {
  absl::Status StartLife();
  absl::Status StartOnFreePort();
  absl::Status BecomeReady();

  // Null: the process's files. Outlives what works on it.
  std::unique_ptr<rocksdb::Env> memory;
  std::string data_dir;
  std::string endpoint;
  FaultSwitch faults;
  std::unique_ptr<Life> life;
  std::unique_ptr<client::Client> client;
};

absl::Status LocalNode::Parts::StartLife() {
  life = std::make_unique<Life>(memory.get());
  absl::Status status = life->Start(data_dir, endpoint, &faults);
  if (!status.ok()) {
    life.reset();
  }
  return status;
}

absl::Status LocalNode::Parts::StartOnFreePort() {
  absl::Status status;
  for (int i = 0; i < kPortsTried; ++i) {
    const auto port = FreeLoopbackPort();
    if (!port.ok()) {
      return port.status();
    }
    endpoint = fmt::format("127.0.0.1:{}", *port);
    status = StartLife();
    // A port that is taken is the only thing that another try can mend; the folder's troubles have
    // other codes (server/storage/store_options.h).
    if (status.ok() || status.code() != absl::StatusCode::kAlreadyExists) {
      return status;
    }
  }
  return status;
}

absl::Status LocalNode::Parts::BecomeReady() {
  if (absl::Status status = life->Found(); !status.ok()) {
    return status;
  }
  // Nobody tells when it is, and it takes few of these.
  Mutex mutex;
  CondVar never;
  const MutexLock lock(&mutex);
  const MonotonicTime until = life->seams.clock->Now() + kStartTime;
  for (NodeReadiness now = life->node->readiness(); !now.ready(); now = life->node->readiness()) {
    if (life->seams.clock->Now() > until) {
      return absl::DeadlineExceededError(
          fmt::format("the node did not get ready: {}", now.Reason()));
    }
    never.WaitFor(&mutex, kReadinessInterval);
  }
  life->server->SetServing(true);
  return absl::OkStatus();
}

LocalNode::LocalNode(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

LocalNode::~LocalNode() {
  parts_->client.reset();
  parts_->life.reset();
}

absl::StatusOr<std::unique_ptr<LocalNode>> LocalNode::Start(const LocalNodeOptions& options) {
  // Refusals that a test asks for are warnings to an operator, and noise in the test's output.
  SetLogLevel(LogLevel::kError);
  auto parts = std::make_unique<Parts>();
  parts->data_dir = options.data_dir;
  if (options.data_dir.empty()) {
    parts->memory.reset(rocksdb::NewMemEnv(rocksdb::Env::Default()));
    parts->data_dir = kFolderInMemory;
  }
  if (absl::Status status = parts->StartOnFreePort(); !status.ok()) {
    return status;
  }
  auto client = client::Client::Connect({.endpoints = {parts->endpoint}});
  if (!client.ok()) {
    return client.status();
  }
  parts->client = *std::move(client);
  // Owned from here on, so that an error takes it down in order.
  std::unique_ptr<LocalNode> node(new LocalNode(std::move(parts)));
  if (absl::Status status = node->parts_->BecomeReady(); !status.ok()) {
    return status;
  }
  return node;
}

const std::string& LocalNode::endpoint() const { return parts_->endpoint; }

client::Client& LocalNode::client() { return *parts_->client; }

absl::StatusOr<client::Keyspace> LocalNode::CreateKeyspace(const std::string& name,
                                                           client::Policy policy) {
  if (policy.replicas == 0) {
    policy.replicas = 1;
  }
  const client::CreateKeyspaceResult created =
      parts_->client->CreateKeyspace(name, policy, {.timeout = kStartTime});
  if (!created.ok()) {
    return created.status;
  }
  return parts_->client->UncheckedKeyspace(name);
}

void LocalNode::SetFaults(const Faults& faults) { parts_->faults.Set(faults); }

void LocalNode::Stop() { parts_->life.reset(); }

absl::Status LocalNode::Restart() {
  Stop();
  if (absl::Status status = parts_->StartLife(); !status.ok()) {
    return status;
  }
  absl::Status status = parts_->BecomeReady();
  if (!status.ok()) {
    Stop();
  }
  return status;
}

}  // namespace quorate::testing
