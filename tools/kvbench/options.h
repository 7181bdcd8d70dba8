// What kvbench was asked to do.
#ifndef TOOLS_KVBENCH_OPTIONS_H_
#define TOOLS_KVBENCH_OPTIONS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace quorate::kvbench {

enum class Command : uint8_t { kLoad, kRun, kEchoServer };
enum class TargetKind : uint8_t { kQuorate, kEcho, kEtcd };
enum class OperationKind : uint8_t { kGet, kPut };

struct Options {
  Command command = Command::kRun;

  // load and run
  TargetKind target = TargetKind::kQuorate;
  std::vector<std::string> endpoints;
  std::string keyspace = "bench";  // of Quorate; others have none
  size_t clients = 64;             // requests in flight
  size_t connections = 1;          // to each server
  size_t keys = 10'000;
  size_t value_bytes = 100;
  uint64_t seed = 1;
  bool json = false;

  // run
  OperationKind operation = OperationKind::kGet;
  std::chrono::nanoseconds warm_up = std::chrono::seconds(1);
  std::chrono::nanoseconds duration = std::chrono::seconds(5);
  std::vector<int64_t> server_pids;

  // echo-server
  std::string listen = "127.0.0.1:0";
};

// Nothing: the program ends with *exit_code (help was asked for, or the line is wrong), and what
// there was to say has been printed.
std::optional<Options> ParseCommandLine(int argc, const char* const* argv, int* exit_code);

}  // namespace quorate::kvbench

#endif  // TOOLS_KVBENCH_OPTIONS_H_
