// What kvd can be told: one table from which the parser, --help and the sample configuration come.
#ifndef SERVER_NODE_OPTIONS_H_
#define SERVER_NODE_OPTIONS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/runtime/log.h"
#include "server/runtime/runtime.h"

namespace quorate {

// Meaning, default and unit of each field: the table in node_options.cc, or `kvd --help`.
struct KvdOptions {
  std::string data_dir;
  std::string listen = "127.0.0.1:7400";
  std::string http = "127.0.0.1:7401";
  std::string peer_listen = "127.0.0.1:7402";
  std::string advertise;       // never empty after parsing
  std::string advertise_peer;  // never empty after parsing
  // Where others find the HTTP port: --http, or where that is a wildcard the host of --advertise.
  std::string advertise_http;
  std::map<uint64_t, std::string> peer_addresses;
  std::vector<std::string> join;
  std::string zone;
  uint32_t weight = 1;
  size_t cache_bytes = size_t{256} << 20;
  size_t workers = 1;
  size_t grpc_threads = 1;
  std::optional<size_t> memory_limit_bytes;
  uint64_t log_keep_bytes = uint64_t{16} << 20;
  Duration log_age_max = std::chrono::minutes(10);
  uint64_t log_bytes_max = uint64_t{1} << 30;
  uint64_t snapshot_bytes_per_second = uint64_t{64} << 20;
  size_t snapshots_max = 4;
  size_t connections_max = 10'000;
  Duration slow_reader_timeout = std::chrono::seconds(30);
  LogLevel log_level = LogLevel::kInfo;
  std::string log_file;
  uint32_t slow_request_ms = 500;
  bool insecure = false;
};

struct KvdCommand {
  enum class Action { kRun, kCheckReady, kHelp, kVersion, kSampleConfig };
  Action action = Action::kRun;
  // Of kRun. Of kCheckReady without the checks of one option against another: only `http` counts.
  KvdOptions options;
  // Variables that look like ours and name no option. Not an error: Kubernetes, for one, adds
  // KVD_PORT and the like for a service named kvd.
  std::vector<std::string> ignored_environment;
};

// Name → value of each variable of the environment.
using Environment = std::map<std::string, std::string>;

// `arguments` without the program's name. An option is taken from the command line, else from the
// environment (--data-dir is KVD_DATA_DIR), else from the file that --config or KVD_CONFIG names.
// An error names the flag, the variable, or the file and key, and the fix.
absl::StatusOr<KvdCommand> ParseKvdCommandLine(const std::vector<std::string>& arguments,
                                               const Environment& environment);

// The same for a configuration in hand; `source` names it in errors.
absl::StatusOr<KvdCommand> ParseKvdOptions(const std::vector<std::string>& arguments,
                                           const Environment& environment,
                                           const std::string& config, const std::string& source);

// One option for people: a flag, and a key of the configuration file.
struct KvdOptionInfo {
  std::string name;      // without dashes
  std::string value;     // what it takes; empty: a switch
  std::string standard;  // the default; empty: none
  std::string help;
};
// All of them, those that only the command line takes last.
std::vector<KvdOptionInfo> KvdOptionTable();

// For people.
std::string KvdHelp();
// A configuration file with every key, its meaning and its default.
std::string KvdSampleConfig();

}  // namespace quorate

#endif  // SERVER_NODE_OPTIONS_H_
