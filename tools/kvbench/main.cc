// kvbench: measures Quorate, and what it is compared with, from outside (docs/benchmarks.md).
#include <fmt/format.h>
#include <pthread.h>

#include <csignal>
#include <cstdio>

#include "absl/synchronization/mutex.h"
#include "tools/kvbench/driver_grpc.h"
#include "tools/kvbench/echo_server_grpc.h"
#include "tools/kvbench/options.h"
#include "tools/kvbench/report.h"

namespace quorate::kvbench {
namespace {

constexpr int kExitFailed = 1;

int Fail(const absl::Status& status) {
  fmt::print(stderr, "kvbench: {}\n", std::string(status.message()));
  return kExitFailed;
}

int ServeEcho(const Options& options) {
  // Before any thread starts, so that all inherit it.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const auto server = EchoServer::Start(options.listen);
  if (!server.ok()) return Fail(server.status());
  fmt::print("listening on port {}\n", (*server)->port());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  return 0;
}

int Measure(const Options& options) {
  const auto target = Connect(options);
  if (!target.ok()) return Fail(target.status());
  const Figures figures = options.command == Command::kLoad ? Load(options, target->get())
                                                            : Run(options, target->get());
  fmt::print("{}", options.json ? ToJson(options, figures) : ToText(options, figures));
  if (figures.failures != 0 || figures.latencies.count() == 0) {
    fmt::print(stderr, "kvbench: {} operations failed, {} done; first error: {}\n",
               figures.failures, figures.latencies.count(), figures.first_error);
    return kExitFailed;
  }
  return 0;
}

int Main(int argc, char** argv) {
  int exit_code = 0;
  const auto options = ParseCommandLine(argc, argv, &exit_code);
  if (!options) return exit_code;
  return options->command == Command::kEchoServer ? ServeEcho(*options) : Measure(*options);
}

}  // namespace
}  // namespace quorate::kvbench

int main(int argc, char** argv) {
  // gRPC uses absl::Mutex; Debian builds its deadlock detection in, which is slow and aborts.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return quorate::kvbench::Main(argc, argv);
}
