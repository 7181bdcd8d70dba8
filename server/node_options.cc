#include "server/node_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <chrono>
#include <fstream>
#include <functional>
#include <iterator>
#include <sstream>
#include <string_view>
#include <utility>

#include "server/node_options_config.h"
#include "server/node_options_values.h"

namespace quorate {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kGiB = uint64_t{1} << 30;
constexpr uint64_t kBytesMax = 1024 * kGiB;

struct OptionSpec {
  std::string name;      // without dashes; the key in the configuration file
  std::string value;     // what it takes, for people; empty: a switch
  std::string standard;  // the default, for people; empty: none
  std::string help;
  std::function<Problem(const std::string& value, KvdOptions* options)> set;
  bool repeatable = false;
};

// "[::1]:7400" → "[::1]", "7400".
std::pair<std::string, std::string> SplitAddress(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return {address, ""};
  return {address.substr(0, colon), address.substr(colon + 1)};
}

Problem CheckAddress(const std::string& address) {
  const auto [host, port] = SplitAddress(address);
  uint32_t number = 0;
  const bool bare_ipv6 = host.find(':') != std::string::npos && host.front() != '[';
  if (host.empty() || bare_ipv6 || !SetNumber<uint32_t>(port, 1, 65535, &number).empty()) {
    return fmt::format("'{}' is not HOST:PORT with a port from 1 to 65535{}", address,
                       bare_ipv6 ? "; put an IPv6 address in brackets" : "");
  }
  return "";
}

Problem SetAddress(const std::string& value, std::string* address) {
  if (Problem problem = CheckAddress(value); !problem.empty()) return problem;
  *address = value;
  return "";
}

Problem AddJoin(const std::string& value, KvdOptions* options) {
  std::stringstream list(value);
  std::string address;
  while (std::getline(list, address, ',')) {
    if (Problem problem = CheckAddress(address); !problem.empty()) return problem;
    options->join.push_back(address);
  }
  return options->join.empty() ? "it names no address" : "";
}

Problem AddPeerAddress(const std::string& value, KvdOptions* options) {
  const size_t equals = value.find('=');
  uint64_t id = 0;
  if (equals == std::string::npos ||
      !SetNumber<uint64_t>(value.substr(0, equals), 1, UINT64_MAX, &id).empty()) {
    return fmt::format("'{}' is not ID=HOST:PORT, such as 2=10.0.0.2:7402", value);
  }
  return SetAddress(value.substr(equals + 1), &options->peer_addresses[id]);
}

Problem SetZone(const std::string& value, KvdOptions* options) {
  const bool clean = std::all_of(value.begin(), value.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == '/';
  });
  if (!clean || value.size() > 128) {
    return fmt::format(
        "'{}' is not a zone: letters, digits and -_. with / between the levels, at "
        "most 128, such as eu-west/a",
        value);
  }
  options->zone = value;
  return "";
}

std::vector<OptionSpec> AddressOptions() {
  return {
      {"listen", "HOST:PORT", "127.0.0.1:7400", "Where clients are served.",
       [](const auto& value, auto* options) { return SetAddress(value, &options->listen); }},
      {"http", "HOST:PORT", "127.0.0.1:7401", "Where /healthz, /readyz and /metrics are served.",
       [](const auto& value, auto* options) { return SetAddress(value, &options->http); }},
      {"peer-listen", "HOST:PORT", "127.0.0.1:7402", "Where other nodes are served.",
       [](const auto& value, auto* options) { return SetAddress(value, &options->peer_listen); }},
      {"advertise", "HOST:PORT", "as --listen", "Where clients reach this node.",
       [](const auto& value, auto* options) { return SetAddress(value, &options->advertise); }},
      {"advertise-peer", "HOST:PORT", "as --peer-listen", "Where other nodes reach this node.",
       [](const auto& value, auto* options) {
         return SetAddress(value, &options->advertise_peer);
       }},
      {"join", "HOST:PORT,…", "",
       "Peer addresses of nodes to find the cluster by; may name this node too.", AddJoin},
      {"peer-address", "ID=HOST:PORT", "",
       "Where to reach node ID's peer port instead of at the address it tells, for tests and "
       "behind address translation. May be given several times.",
       AddPeerAddress, true},
      {"insecure", "", "",
       "Serve addresses beyond this machine without TLS: whoever reaches them can read and write "
       "everything.",
       [](const auto&, auto* options) {
         options->insecure = true;
         return Problem();
       }},
  };
}

std::vector<OptionSpec> OtherOptions() {
  return {
      {"zone", "PATH", "none",
       "Where the node stands, such as eu-west/a; copies are spread over zones.", SetZone},
      {"weight", "N", "1", "Share of the data relative to other nodes, 1 to 1000.",
       [](const auto& value, auto* options) {
         return SetNumber<uint32_t>(value, 1, 1000, &options->weight);
       }},
      {"cache-bytes", "SIZE", "256MiB", "Memory for data read lately.",
       [](const auto& value, auto* options) {
         return SetBytes(value, 0, kBytesMax, &options->cache_bytes);
       }},
      {"workers", "N", "1",
       "Event loops that partitions are spread over. More help once one is busy all the time.",
       [](const auto& value, auto* options) {
         return SetNumber<size_t>(value, 1, 64, &options->workers);
       }},
      {"grpc-threads", "N", "1",
       "Threads that take requests from the network. More pay only with cores to spare.",
       [](const auto& value, auto* options) {
         return SetNumber<size_t>(value, 1, 64, &options->grpc_threads);
       }},
      {"log-level", "LEVEL", "info", "Least important lines to log: debug, info, warning or error.",
       [](const auto& value, auto* options) {
         return ParseLogLevel(value, &options->log_level)
                    ? Problem()
                    : fmt::format("'{}' is not debug, info, warning or error", value);
       }},
      {"slow-request-ms", "N", "500",
       "Log requests that take at least so long, with where the time went. 0: none.",
       [](const auto& value, auto* options) {
         return SetNumber<uint32_t>(value, 0, 3'600'000, &options->slow_request_ms);
       }},
      {"log-file", "FILE", "standard error",
       "Log to a file, rotated at 64 MiB, four old ones kept.",
       [](const auto& value, auto* options) {
         options->log_file = value;
         return Problem();
       }},
  };
}

std::vector<OptionSpec> ReplicationOptions() {
  return {
      {"log-keep-bytes", "SIZE", "16MiB",
       "A partition's log is cut to about this once the data holds what its entries did. A longer "
       "one spares nodes that were away a snapshot. 1MiB to 256GiB.",
       [](const auto& value, auto* options) {
         return SetBytes(value, kMiB, 256 * kGiB, &options->log_keep_bytes);
       }},
      {"log-age-max", "TIME", "10m", "Entries of a partition's log go, too, when they are so old.",
       [](const auto& value, auto* options) {
         return SetDuration(value, std::chrono::seconds(1), &options->log_age_max);
       }},
      {"log-bytes-max", "SIZE", "1GiB",
       "A partition whose log is longer refuses writes; half of it is kept for a follower that "
       "answers and is behind. At least four times log-keep-bytes, at most 1024GiB.",
       [](const auto& value, auto* options) {
         return SetBytes(value, kMiB, kBytesMax, &options->log_bytes_max);
       }},
      {"snapshot-bytes-per-second", "SIZE", "64MiB",
       "What all snapshots that this node sends may take of its network and disk. 1MiB to 64GiB.",
       [](const auto& value, auto* options) {
         return SetBytes(value, kMiB, 64 * kGiB, &options->snapshot_bytes_per_second);
       }},
      {"snapshots-max", "N", "4",
       "Snapshots that this node sends at a time, and as many that it receives. 1 to 64.",
       [](const auto& value, auto* options) {
         return SetNumber<size_t>(value, 1, 64, &options->snapshots_max);
       }},
  };
}

std::vector<OptionSpec> BoundOptions() {
  return {
      {"memory-limit-bytes", "SIZE", "70 % of the machine's or control group's",
       "Memory that the process may use; near it requests are refused. 0: no limit.",
       [](const auto& value, auto* options) {
         return SetBytes(value, 0, kBytesMax, &options->memory_limit_bytes.emplace());
       }},
      {"connections-max", "N", "10000",
       "Connections of clients at a time; fewer where the limit on open files is near.",
       [](const auto& value, auto* options) {
         return SetNumber<size_t>(value, 1, 1'000'000, &options->connections_max);
       }},
      {"slow-reader-timeout", "TIME", "30s",
       "A request whose answer is not read for so long is ended.",
       [](const auto& value, auto* options) {
         return SetDuration(value, std::chrono::milliseconds(100), &options->slow_reader_timeout);
       }},
  };
}

const std::vector<OptionSpec>& Options() {
  static const auto* const kOptions = [] {
    auto* options = new std::vector<OptionSpec>{
        {"data-dir", "DIR", "",
         "The folder that holds this node's data. Needed; made when missing.",
         [](const auto& value, auto* parsed) {
           parsed->data_dir = value;
           return value.empty() ? Problem("it is empty") : Problem();
         }}};
    for (auto& group : {AddressOptions(), OtherOptions(), ReplicationOptions(), BoundOptions()}) {
      options->insert(options->end(), group.begin(), group.end());
    }
    return options;
  }();
  return *kOptions;
}

const OptionSpec* FindOption(const std::string& name) {
  const auto found = std::find_if(Options().begin(), Options().end(),
                                  [&](const OptionSpec& spec) { return spec.name == name; });
  return found == Options().end() ? nullptr : &*found;
}

// Option name → values and where each set was given, for errors.
struct Given {
  std::string where;
  std::vector<std::string> values;
};
using GivenOptions = std::map<std::string, Given>;

struct Arguments {
  KvdCommand::Action action = KvdCommand::Action::kRun;
  std::string config_file;
  GivenOptions given;
};

absl::Status Refuse(const std::string& what) { return absl::InvalidArgumentError(what); }

absl::StatusOr<Arguments> SplitArguments(const std::vector<std::string>& arguments) {
  using Action = KvdCommand::Action;
  static const std::map<std::string, Action> kActions = {{"--help", Action::kHelp},
                                                         {"-h", Action::kHelp},
                                                         {"--version", Action::kVersion},
                                                         {"--print-config", Action::kSampleConfig},
                                                         {"--check-ready", Action::kCheckReady}};
  Arguments split;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (const auto action = kActions.find(argument); action != kActions.end()) {
      split.action = action->second;
      // The others end the reading: no option matters to them, right or wrong.
      if (split.action == Action::kCheckReady) continue;
      return split;
    }
    const size_t equals = argument.find('=');
    const std::string flag = argument.substr(0, equals);
    const std::string name = flag.starts_with("--") ? flag.substr(2) : "";
    const OptionSpec* spec = FindOption(name);
    const bool takes_value = spec == nullptr || !spec->value.empty();
    if (spec == nullptr && name != "config") {
      return Refuse(fmt::format("{} is not an option of kvd; `kvd --help` lists them", argument));
    }
    if (!takes_value && equals != std::string::npos) {
      return Refuse(fmt::format("{} takes no value; write it alone", flag));
    }
    std::string value;
    if (equals != std::string::npos) {
      value = argument.substr(equals + 1);
    } else if (takes_value) {
      if (++i == arguments.size()) {
        return Refuse(fmt::format("{} needs a value: {} {}", flag, flag,
                                  spec == nullptr ? "FILE" : spec->value));
      }
      value = arguments[i];
    }
    if (spec == nullptr) {
      split.config_file = value;
      continue;
    }
    Given& given = split.given[name];
    given.where = flag;
    if (!given.values.empty() && !spec->repeatable) {
      return Refuse(fmt::format("{} is given twice; give it once", flag));
    }
    given.values.push_back(value);
  }
  return split;
}

bool HostIs(const std::string& address, std::initializer_list<std::string_view> hosts) {
  const std::string host = SplitAddress(address).first;
  return std::find(hosts.begin(), hosts.end(), host) != hosts.end();
}

bool IsWildcard(const std::string& address) { return HostIs(address, {"0.0.0.0", "[::]", "*"}); }

bool IsLoopback(const std::string& address) {
  return HostIs(address, {"localhost", "[::1]"}) || address.starts_with("127.");
}

// What no single option can tell.
absl::Status CheckTogether(KvdOptions* options) {
  if (options->data_dir.empty()) {
    return Refuse(
        "--data-dir is missing: name the folder that is to hold this node's data, such "
        "as --data-dir /var/lib/quorate");
  }
  const std::vector<std::pair<std::string, std::string>> listens = {
      {"--listen", options->listen},
      {"--http", options->http},
      {"--peer-listen", options->peer_listen}};
  for (size_t i = 0; i < listens.size(); ++i) {
    const auto& [flag, address] = listens[i];
    if (!options->insecure && !IsLoopback(address)) {
      return Refuse(fmt::format(
          "{} {} would serve other machines, and this version has no TLS: whoever reaches the "
          "port could read and write everything. Listen on 127.0.0.1, or accept it with --insecure",
          flag, address));
    }
    for (size_t other = 0; other < i; ++other) {
      if (listens[other].second == address) {
        return Refuse(fmt::format("{} and {} are both {}; give each a port of its own",
                                  listens[other].first, flag, address));
      }
    }
  }
  // Otherwise it might refuse writes before there is anything to cut.
  if (options->log_bytes_max / 4 < options->log_keep_bytes) {
    return Refuse(fmt::format(
        "--log-bytes-max {} is less than four times --log-keep-bytes {}; raise the one or lower "
        "the other",
        BytesText(options->log_bytes_max), BytesText(options->log_keep_bytes)));
  }
  if (options->advertise.empty()) options->advertise = options->listen;
  if (options->advertise_peer.empty()) options->advertise_peer = options->peer_listen;
  options->advertise_http = options->http;
  if (IsWildcard(options->http)) {
    options->advertise_http = fmt::format("{}:{}", SplitAddress(options->advertise).first,
                                          SplitAddress(options->http).second);
  }
  for (const auto& [flag, address] : {std::pair("--advertise", options->advertise),
                                      std::pair("--advertise-peer", options->advertise_peer)}) {
    if (IsWildcard(address)) {
      return Refuse(
          fmt::format("others cannot reach this node at {}; name an address of this "
                      "machine with {} HOST:PORT",
                      address, flag));
    }
  }
  return absl::OkStatus();
}

// `layers` in the order of increasing weight.
absl::StatusOr<KvdOptions> Combine(const std::vector<GivenOptions>& layers) {
  GivenOptions all;
  for (const GivenOptions& layer : layers) {
    for (const auto& [name, given] : layer) all[name] = given;
  }
  KvdOptions options;
  for (const auto& [name, given] : all) {
    for (const std::string& value : given.values) {
      if (const Problem problem = FindOption(name)->set(value, &options); !problem.empty()) {
        return Refuse(fmt::format("{}: {}", given.where, problem));
      }
    }
  }
  return options;
}

// A switch that is switched off: no value, which hides the layers below.
absl::StatusOr<std::vector<std::string>> SwitchValues(const std::string& where,
                                                      const std::vector<std::string>& values) {
  if (values == std::vector<std::string>{"true"}) return values;
  if (values == std::vector<std::string>{"false"}) return std::vector<std::string>();
  return Refuse(fmt::format("{}: write true or false", where));
}

absl::StatusOr<GivenOptions> FromConfig(const std::string& config, const std::string& source) {
  auto keys = ReadConfigKeys(config, source);
  if (!keys.ok()) return keys.status();
  GivenOptions given;
  for (ConfigKey& key : *keys) {
    const std::string where = fmt::format("{}:{}: {}", source, key.line, key.name);
    const OptionSpec* spec = FindOption(key.name);
    if (spec == nullptr) {
      return Refuse(
          fmt::format("{} is not an option of kvd; `kvd --print-config` lists them", where));
    }
    if (spec->value.empty()) {
      auto values = SwitchValues(where, key.values);
      if (!values.ok()) return values.status();
      given[key.name] = {where, *std::move(values)};
      continue;
    }
    if (key.name == "join") key.values = {fmt::format("{}", fmt::join(key.values, ","))};
    if (key.values.size() != 1 && !spec->repeatable) {
      return Refuse(fmt::format("{}: takes one value, not a list", where));
    }
    given[key.name] = {where, std::move(key.values)};
  }
  return given;
}

constexpr std::string_view kVariablePrefix = "KVD_";
constexpr char kConfigVariable[] = "KVD_CONFIG";

// KVD_DATA_DIR → data-dir.
std::string OptionOfVariable(std::string_view variable) {
  std::string name(variable.substr(kVariablePrefix.size()));
  for (char& c : name) c = c == '_' ? '-' : static_cast<char>(std::tolower(c));
  return name;
}

std::vector<std::string> SplitAtCommas(const std::string& value) {
  std::vector<std::string> parts;
  std::stringstream list(value);
  for (std::string part; std::getline(list, part, ',');) parts.push_back(part);
  return parts;
}

absl::StatusOr<GivenOptions> FromEnvironment(const Environment& environment,
                                             std::vector<std::string>* ignored) {
  GivenOptions given;
  for (const auto& [variable, value] : environment) {
    // Set to nothing is how compose files leave a variable out.
    if (!variable.starts_with(kVariablePrefix) || variable == kConfigVariable || value.empty()) {
      continue;
    }
    const std::string name = OptionOfVariable(variable);
    const OptionSpec* spec = FindOption(name);
    if (spec == nullptr) {
      ignored->push_back(variable);
    } else if (spec->value.empty()) {
      auto values = SwitchValues(variable, {value});
      if (!values.ok()) return values.status();
      given[name] = {variable, *std::move(values)};
    } else {
      given[name] = {variable, spec->repeatable ? SplitAtCommas(value) : std::vector{value}};
    }
  }
  return given;
}

absl::StatusOr<KvdCommand> Finish(const Arguments& arguments, const Environment& environment,
                                  const std::string& config, const std::string& source) {
  using Action = KvdCommand::Action;
  KvdCommand command;
  command.action = arguments.action;
  if (command.action != Action::kRun && command.action != Action::kCheckReady) return command;
  auto from_config = FromConfig(config, source);
  if (!from_config.ok()) return from_config.status();
  auto from_environment = FromEnvironment(environment, &command.ignored_environment);
  if (!from_environment.ok()) return from_environment.status();
  auto options = Combine({*std::move(from_config), *std::move(from_environment), arguments.given});
  if (!options.ok()) return options.status();
  command.options = *std::move(options);
  if (command.action == Action::kRun) {
    if (absl::Status status = CheckTogether(&command.options); !status.ok()) return status;
  }
  return command;
}

// --config, else KVD_CONFIG. First what named the file, for errors.
std::pair<std::string, std::string> ConfigFile(const Arguments& arguments,
                                               const Environment& environment) {
  if (!arguments.config_file.empty()) return {"--config", arguments.config_file};
  const auto variable = environment.find(kConfigVariable);
  return {kConfigVariable, variable == environment.end() ? "" : variable->second};
}

}  // namespace

absl::StatusOr<KvdCommand> ParseKvdOptions(const std::vector<std::string>& arguments,
                                           const Environment& environment,
                                           const std::string& config, const std::string& source) {
  auto split = SplitArguments(arguments);
  if (!split.ok()) return split.status();
  return Finish(*split, environment, config, source);
}

absl::StatusOr<KvdCommand> ParseKvdCommandLine(const std::vector<std::string>& arguments,
                                               const Environment& environment) {
  auto split = SplitArguments(arguments);
  if (!split.ok()) return split.status();
  const auto [named_by, path] = ConfigFile(*split, environment);
  const bool reads =
      split->action == KvdCommand::Action::kRun || split->action == KvdCommand::Action::kCheckReady;
  std::string config;
  if (reads && !path.empty()) {
    std::ifstream file(path);
    if (!file) {
      return Refuse(
          fmt::format("{}: {} cannot be read; check the name and its permissions", named_by, path));
    }
    config.assign(std::istreambuf_iterator<char>(file), {});
  }
  return Finish(*split, environment, config, path);
}

std::vector<KvdOptionInfo> KvdOptionTable() {
  std::vector<KvdOptionInfo> table;
  for (const OptionSpec& spec : Options()) {
    table.push_back({spec.name, spec.value, spec.standard, spec.help});
  }
  table.push_back({"config", "FILE", "", "Read options from a TOML file."});
  table.push_back({"check-ready", "", "",
                   "Ask the node at --http of this machine whether it is ready, say why not, and "
                   "end: 0 ready."});
  table.push_back({"print-config", "", "", "Print a sample of that file and end."});
  table.push_back({"version", "", "", "Print the version and end."});
  table.push_back({"help", "", "", "Print this and end."});
  return table;
}

std::string KvdHelp() {
  std::string text =
      "kvd, a node of a Quorate cluster\n\n"
      "usage: kvd --data-dir DIR [options]\n\n"
      "The first cluster: start each node with --join naming the others' peer addresses, then run\n"
      "`kvctl init` once.\n\n"
      "Each option may stand on the command line, in the environment (--data-dir DIR is\n"
      "KVD_DATA_DIR, a switch is true or false, lists have commas) or in a file; the command line\n"
      "goes before the environment, and that before the file.\n\n";
  for (const KvdOptionInfo& option : KvdOptionTable()) {
    const std::string standard =
        option.standard.empty() ? "" : fmt::format(" Default: {}.", option.standard);
    text += fmt::format("  {:<28} {}\n", fmt::format("--{} {}", option.name, option.value),
                        option.help + standard);
  }
  return text;
}

std::string KvdSampleConfig() {
  std::string text =
      "# Configuration of kvd, in TOML; `kvd --print-config` prints this sample. Keys are kvd's\n"
      "# flags without the dashes. A flag on the command line, or a variable of the environment\n"
      "# (data-dir: KVD_DATA_DIR), replaces the key here.\n";
  for (const OptionSpec& spec : Options()) {
    text += fmt::format("\n# {}\n", spec.help);
    if (!spec.standard.empty()) text += fmt::format("# Default: {}.\n", spec.standard);
    if (spec.value.empty()) {
      text += fmt::format("#{} = true\n", spec.name);
    } else if (spec.repeatable || spec.name == "join") {
      text +=
          fmt::format("#{} = [\"{}\"]\n", spec.name, spec.repeatable ? spec.value : "HOST:PORT");
    } else {
      text += fmt::format("#{} = \"{}\"\n", spec.name, spec.value);
    }
  }
  return text;
}

}  // namespace quorate
