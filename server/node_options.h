// What kvd can be told: one table from which the parser, --help and the sample configuration come.
#ifndef SERVER_NODE_OPTIONS_H_
#define SERVER_NODE_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/runtime/log.h"

namespace quorate {

// Meaning, default and unit of each field: the table in node_options.cc, or `kvd --help`.
struct KvdOptions {
  std::string data_dir;
  std::string listen = "127.0.0.1:7400";
  std::string http = "127.0.0.1:7401";
  std::string peer_listen = "127.0.0.1:7402";
  std::string advertise;       // never empty after parsing
  std::string advertise_peer;  // never empty after parsing
  std::map<uint64_t, std::string> peer_addresses;
  std::vector<std::string> join;
  std::string zone;
  uint32_t weight = 1;
  size_t cache_bytes = size_t{256} << 20;
  size_t workers = 1;
  size_t grpc_threads = 1;
  LogLevel log_level = LogLevel::kInfo;
  std::string log_file;
  bool insecure = false;
};

struct KvdCommand {
  enum class Action { kRun, kHelp, kVersion, kSampleConfig };
  Action action = Action::kRun;
  KvdOptions options;  // of kRun
};

// `arguments` without the program's name. Reads the file of --config; what the command line says
// replaces what the file says, option by option. An error names the flag, or the file and key, and
// the fix.
absl::StatusOr<KvdCommand> ParseKvdCommandLine(const std::vector<std::string>& arguments);

// The same for a configuration in hand; `source` names it in errors.
absl::StatusOr<KvdCommand> ParseKvdOptions(const std::vector<std::string>& arguments,
                                           const std::string& config, const std::string& source);

// For people.
std::string KvdHelp();
// A configuration file with every key, its meaning and its default.
std::string KvdSampleConfig();

}  // namespace quorate

#endif  // SERVER_NODE_OPTIONS_H_
