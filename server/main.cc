// kvd: one node as a process. Composes the parts, tells apart start-up refusals, and stops cleanly
// on SIGTERM or SIGINT.
#include <fmt/format.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <memory>
#include <optional>
#include <thread>

#include "absl/synchronization/mutex.h"
#include "server/cluster/cluster_state.h"
#include "server/cluster/cluster_view.h"
#include "server/node.h"
#include "server/node_options.h"
#include "server/replication/peer_transport_grpc.h"
#include "server/runtime/grpc_completion_loop.h"
#include "server/runtime/log.h"
#include "server/runtime/process_figures.h"
#include "server/runtime/process_memory.h"
#include "server/runtime/production_runtime.h"
#include "server/service/grpc_server.h"
#include "server/service/http_ready_check.h"
#include "server/service/http_server.h"

namespace quorate {
namespace {

constexpr int kExitRefused = 1;
constexpr int kExitUsage = 2;
// Requests in flight have this long to end after SIGTERM.
constexpr Duration kDrainTime = std::chrono::seconds(5);
// Leaders here have this long to hand over, before that.
constexpr Duration kHandOverTime = std::chrono::seconds(2);
// A stop that takes longer is broken off: it hangs, for no disk is that slow. Supervisors that have
// less patience lose nothing by a kill.
constexpr Duration kStopTime = std::chrono::seconds(60);
constexpr Duration kReadinessInterval = std::chrono::milliseconds(100);

// Waiting for a signal on a thread of its own keeps handlers out of the program. Blocked before any
// thread starts, so that all inherit it.
sigset_t BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return signals;
}

// RocksDB and connections need many files; the soft limit is often 1024.
void RaiseFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    LogWarning("kvd/file_limit", {{"problem", "cannot be raised"}});
  }
}

// Clients must leave file descriptors to the store: one that it cannot open a file for fails for
// good.
size_t ConnectionsThatFilesAllow(size_t connections_max) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
    return connections_max;
  }
  const size_t files = limit.rlim_cur;
  const size_t allowed = files - std::max<size_t>(files / 4, std::min<size_t>(files / 2, 512));
  if (allowed < connections_max) {
    LogWarning("kvd/connections_limited",
               {{"connections_max", allowed}, {"wanted", connections_max}, {"open_files", files}});
  }
  return std::min(allowed, connections_max);
}

// What gRPC may hold for connections, of the memory limit.
size_t NetworkBytes(size_t memory_limit) {
  constexpr size_t kLeast = size_t{64} << 20;
  constexpr size_t kMost = size_t{512} << 20;
  return memory_limit == 0 ? kMost : std::clamp(memory_limit / 8, kLeast, kMost);
}

void BoundClientPort(const KvdOptions& options, GrpcServerOptions* port) {
  const size_t memory = options.memory_limit_bytes.value_or(AvailableMemoryBytes() / 100 * 70);
  port->limits = AdmissionLimits::For(memory);
  port->memory_bytes = ResidentBytes;
  port->network_bytes_max = NetworkBytes(memory);
  port->connections_max = ConnectionsThatFilesAllow(options.connections_max);
  port->slow_reader_timeout = options.slow_reader_timeout;
  LogInfo("kvd/bounds", {{"memory_limit_bytes", memory},
                         {"network_bytes_max", port->network_bytes_max},
                         {"connections_max", port->connections_max}});
}

// One paragraph, whatever the log goes to.
int Refuse(int code, const absl::Status& status) {
  std::fputs(fmt::format("kvd: {}\n", std::string(status.message())).c_str(), stderr);
  return code;
}

NodeOptions ToNodeOptions(const KvdOptions& options) {
  NodeOptions node;
  node.data_dir = options.data_dir;
  node.client_address = options.advertise;
  node.peer_address = options.advertise_peer;
  node.http_address = options.advertise_http;
  node.join = options.join;
  node.peer_addresses = options.peer_addresses;
  node.zone = options.zone;
  node.weight = options.weight;
  node.cache_bytes = options.cache_bytes;
  node.replication.log_keep_bytes = options.log_keep_bytes;
  node.replication.log_age_max = options.log_age_max;
  node.replication.log_bytes_max = options.log_bytes_max;
  node.replication.snapshot_bytes_per_second = options.snapshot_bytes_per_second;
  node.replication.snapshots_max = options.snapshots_max;
  node.version = QUORATE_VERSION;
  return node;
}

// The parts of a running kvd, in the order of need: members below are destroyed before those above.
class Process {
 public:
  explicit Process(const KvdOptions& options)
      : options_(options),
        runtime_({.workers = options.workers}),
        process_metrics_(AddProcessMetrics(*runtime_.runtime().metrics)),
        grpc_(options.grpc_threads, "grpc") {}
  // After a start that failed, too: the loops end before what lives on them.
  ~Process() {
    if (peers_) peers_->SetReceiver(nullptr);
    runtime_.Stop();
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // An error says why and what may help; the process then only wants to be destroyed.
  absl::Status Start();
  // Follows the node's readiness until a signal comes.
  void RunUntil(const sigset_t& signals);
  void Stop();

 private:
  [[nodiscard]] GrpcServerOptions ClientPortOptions();
  void FollowReadiness();
  void HandOver();

  const KvdOptions options_;
  ProductionRuntime runtime_;
  const std::vector<std::shared_ptr<void>> process_metrics_;
  GrpcCompletionLoop grpc_;  // for clients and peers
  std::unique_ptr<GrpcPeerTransport> peers_;
  std::unique_ptr<Node> node_;
  std::unique_ptr<GrpcServer> clients_;
  std::unique_ptr<HttpServer> http_;
  std::thread http_thread_;
  std::optional<std::string> readiness_told_;
};

absl::Status Process::Start() {
  const Clock* clock = runtime_.runtime().clock;
  auto peers = GrpcPeerTransport::Start(
      {.listen = options_.peer_listen, .loop = &grpc_, .metrics = runtime_.runtime().metrics},
      clock);
  if (!peers.ok()) return peers.status();
  peers_ = *std::move(peers);
  runtime_.SetNetwork(peers_.get());

  // Before the node, so that a taken port is told before the folder is touched; it answers only
  // once Serve is called.
  auto http = HttpServer::Listen(
      options_.http, {.readiness = [this] { return node_->readiness(); },
                      .health = [this] { return node_->health(); },
                      .metrics = [this] { return runtime_.runtime().metrics->Expose(); }});
  if (!http.ok()) return http.status();
  http_ = *std::move(http);

  node_ = std::make_unique<Node>(runtime_.runtime(), ToNodeOptions(options_));
  if (absl::Status status = node_->Start(); !status.ok()) return status;

  auto clients = GrpcServer::Start(ClientPortOptions(), clock, node_->key_value_service(),
                                   node_->admin_service());
  if (!clients.ok()) {
    node_->Stop();
    return clients.status();
  }
  clients_ = *std::move(clients);
  http_thread_ = std::thread([this] { http_->Serve(); });
  return absl::OkStatus();
}

GrpcServerOptions Process::ClientPortOptions() {
  GrpcServerOptions options{.listen = options_.listen, .loop = &grpc_};
  options.observe.registry = runtime_.runtime().metrics;
  options.observe.slow_request = std::chrono::milliseconds(options_.slow_request_ms);
  options.observe.keyspace_exists = [node = node_.get()](const std::string& name) {
    const auto view = node->cluster_view();
    return view != nullptr && view->keyspace(name) != nullptr;
  };
  BoundClientPort(options_, &options);
  options.return_memory = [background = runtime_.runtime().background] {
    background->Post(ReturnFreeMemory);
  };
  return options;
}

void Process::FollowReadiness() {
  const NodeReadiness now = node_->readiness();
  if (readiness_told_ == now.Reason()) return;
  clients_->SetServing(now.ready());
  if (now.ready()) {
    const PeerSelf identity = node_->identity();
    LogInfo("kvd/ready", {{"node_id", identity.node_id},
                          {"cluster_id", HexId(identity.cluster_id)},
                          {"boot", identity.boot},
                          {"listen", options_.listen},
                          {"http", options_.http},
                          {"peer_listen", options_.peer_listen}});
  } else {
    LogInfo("kvd/not_ready", {{"reason", now.Reason()}});
  }
  readiness_told_ = now.Reason();
}

void Process::RunUntil(const sigset_t& signals) {
  const timespec interval = {0, std::chrono::nanoseconds(kReadinessInterval).count()};
  int signal = -1;
  while (signal < 0) {
    FollowReadiness();
    signal = sigtimedwait(&signals, nullptr, &interval);
  }
  LogInfo("kvd/stopping", {{"signal", signal}});
}

// Clients of the groups led here would else wait for elections.
void Process::HandOver() {
  auto done = std::make_shared<std::promise<void>>();
  auto future = done->get_future();
  node_->HandOverLeadership([done] { done->set_value(); });
  const bool in_time = future.wait_for(kHandOverTime) == std::future_status::ready;
  LogInfo("kvd/handed_over", {{"in_time", in_time}});
}

void Process::Stop() {
  clients_->SetServing(false);
  HandOver();
  http_->Stop();
  http_thread_.join();
  clients_->Drain(kDrainTime);
  node_->Stop();
  // Every reply has been given or dropped now, which the server waits for.
  clients_.reset();
}

// Breaks the process off when stopping hangs; the data folder is safe at every instant.
void LimitStopTime() {
  std::thread([] {
    std::this_thread::sleep_for(kStopTime);
    std::fputs("kvd: stopping took too long and was broken off\n", stderr);
    std::_Exit(kExitRefused);
  }).detach();
}

// For health checks of containers and supervisors: the reason on standard error.
int CheckReady(const KvdOptions& options) {
  if (absl::Status status = CheckReadyOverHttp(options.http); !status.ok()) {
    return Refuse(kExitRefused, status);
  }
  std::fputs("ready\n", stdout);
  return 0;
}

int Run(const KvdCommand& command) {
  const KvdOptions& options = command.options;
  const sigset_t signals = BlockSignals();
  if (absl::Status status = StartLog({.level = options.log_level, .file = options.log_file});
      !status.ok()) {
    return Refuse(kExitRefused, status);
  }
  RaiseFileLimit();
  LogInfo("kvd/starting", {{"version", QUORATE_VERSION},
                           {"data_dir", options.data_dir},
                           {"pid", getpid()},
                           {"insecure", options.insecure}});
  for (const std::string& variable : command.ignored_environment) {
    LogWarning("kvd/variable_ignored", {{"variable", variable}, {"reason", "names no option"}});
  }
  auto process = std::make_unique<Process>(options);
  if (absl::Status status = process->Start(); !status.ok()) {
    return Refuse(kExitRefused, status);
  }
  process->RunUntil(signals);
  LimitStopTime();
  process->Stop();
  process.reset();
  LogInfo("kvd/stopped");
  return 0;
}

int Main(const std::vector<std::string>& arguments, const Environment& environment) {
  const auto command = ParseKvdCommandLine(arguments, environment);
  if (!command.ok()) return Refuse(kExitUsage, command.status());
  switch (command->action) {
    case KvdCommand::Action::kHelp:
      std::fputs(KvdHelp().c_str(), stdout);
      return 0;
    case KvdCommand::Action::kVersion:
      std::fputs("kvd " QUORATE_VERSION "\n", stdout);
      return 0;
    case KvdCommand::Action::kSampleConfig:
      std::fputs(KvdSampleConfig().c_str(), stdout);
      return 0;
    case KvdCommand::Action::kCheckReady:
      return CheckReady(command->options);
    case KvdCommand::Action::kRun:
      break;
  }
  return Run(*command);
}

Environment ReadEnvironment() {
  Environment environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const size_t equals = text.find('=');
    if (equals != std::string::npos) environment[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return environment;
}

}  // namespace
}  // namespace quorate

int main(int argc, char** argv) {
  // gRPC's locks; Debian's build looks for lock-order cycles at every one and aborts on a finding.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  // gRPC's own lines name its source files, not causes; ours say what went wrong.
  setenv("GRPC_VERBOSITY", "NONE", 0);
  // Other engines give each queue sockets of its own, those too that nobody polls.
  setenv("GRPC_POLL_STRATEGY", "epoll1", 1);
  return quorate::Main(std::vector<std::string>(argv + 1, argv + argc), quorate::ReadEnvironment());
}
