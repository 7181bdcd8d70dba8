#include "tools/kvctl/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "fmt/format.h"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/duration.h"

namespace quorate::kvctl {
namespace {

// Everything that flags are parsed into, and the command that was chosen.
struct CommandLine {
  GlobalOptions global;
  bool hex = false;
  bool base64 = false;
  InitFlags init;
  KeyspaceFlags keyspace;
  PartitionFlags partition;
  DataFlags data;
  ScanFlags scan;
  ImportFlags import;
  LoadFlags load;
  std::function<int(Context&)> run;
};

const std::map<std::string, Format> kFormats = {
    {"auto", Format::kAuto}, {"table", Format::kTable}, {"plain", Format::kPlain},
    {"json", Format::kJson}, {"jsonl", Format::kJsonl}, {"csv", Format::kCsv},
    {"raw", Format::kRaw}};

void AddGlobal(CLI::App& app, CommandLine& line) {
  app.add_option("--endpoints", line.global.endpoints,
                 "HOST:PORT of one or more nodes, separated by commas; one that answers is enough")
      ->delimiter(',')
      ->expected(1, 64)
      ->take_all()
      ->default_str("127.0.0.1:7400");
  app.add_option_function<std::string>(
         "-o,--output",
         [&line](const std::string& name) { line.global.format = kFormats.at(name); },
         "table (on a terminal), plain (piped), json, jsonl, csv, raw")
      ->check(CLI::IsMember({"auto", "table", "plain", "json", "jsonl", "csv", "raw"}));
  app.add_option_function<std::string>(
         "--timeout",
         [&line](const std::string& text) {
           const auto timeout = ParseDuration(text);
           if (!timeout) {
             throw CLI::ValidationError("--timeout", "not a time such as 5s, 250ms or 1m");
           }
           line.global.timeout = *timeout;
         },
         "how long each request may take, retries included")
      ->default_str("5s");
  auto* hex = app.add_flag("--hex", line.hex, "keys and values are typed and printed as hex");
  app.add_flag("--base64", line.base64, "keys and values are typed and printed as base64")
      ->excludes(hex);
}

CLI::App* Command(CLI::App& parent, CommandLine& line, const std::string& name,
                  const std::string& description, std::function<int(Context&)> run) {
  CLI::App* command = parent.add_subcommand(name, description);
  command->fallthrough();
  command->callback([&line, run = std::move(run)] { line.run = run; });
  return command;
}

CLI::App* Noun(CLI::App& app, const std::string& name, const std::string& description) {
  CLI::App* noun = app.add_subcommand(name, description);
  noun->require_subcommand(1)->fallthrough();
  return noun;
}

void AddClusterCommands(CLI::App& app, CommandLine& line) {
  CLI::App* init = Command(app, line, "init", "Makes the first endpoint's node a new cluster; once",
                           [&line](Context& context) { return RunInit(context, line.init); });
  init->add_flag("--force", line.init.force, "even if nodes given by --join do not answer");
  Command(app, line, "status", "Nodes and keyspaces at a glance", RunStatus);
  Command(app, line, "version", "This program's version", RunVersion);
  CLI::App* node = Noun(app, "node", "The cluster's nodes");
  Command(*node, line, "list", "All nodes, and whether they serve", RunNodeList);
}

void AddKeyspaceCommands(CLI::App& app, CommandLine& line) {
  KeyspaceFlags& flags = line.keyspace;
  CLI::App* keyspace = Noun(app, "keyspace", "Named sets of keys, each with its own policy");
  CLI::App* create = Command(
      *keyspace, line, "create", "Creates one; done as well when it exists with an equal policy",
      [&line](Context& context) { return RunKeyspaceCreate(context, line.keyspace); });
  create->add_option("NAME", flags.name, "1..64 of a-z A-Z 0-9 - _ .")->required();
  create->add_option("--replication", flags.replication, "raft (linearizable) or quorum")
      ->check(CLI::IsMember({"raft", "quorum"}));
  create->add_option("--replicas", flags.replicas, "copies of each partition: 1, 3, 5 or 7")
      ->default_str("3");
  create->add_option("--partitions", flags.partitions, "a power of two, 1..4096; fixed")
      ->default_str("16");
  create->add_option("--routing", flags.routing, "what of a key decides its partition; fixed")
      ->check(CLI::IsMember({"tag", "whole"}));
  create->add_option("--lease", flags.lease, "off: reads never trust clocks, at one round trip")
      ->check(CLI::IsMember({"on", "off"}));
  create->add_option("--value-bytes-max", flags.value_bytes_max, "largest value, up to 16 MiB")
      ->default_str("1048576");
  create->add_flag("--dry-run", flags.dry_run, "only say what would be created");
  CLI::App* describe =
      Command(*keyspace, line, "describe", "Its policy, and what the policy means",
              [&line](Context& context) { return RunKeyspaceDescribe(context, line.keyspace); });
  describe->add_option("NAME", flags.name)->required();
  Command(*keyspace, line, "list", "All keyspaces", RunKeyspaceList);
  CLI::App* drop =
      Command(*keyspace, line, "drop", "Removes one and all its data",
              [&line](Context& context) { return RunKeyspaceDrop(context, line.keyspace); });
  drop->add_option("NAME", flags.name)->required();
  drop->add_flag("--yes", flags.yes, "do not ask for the name to be typed");
  drop->add_flag("--dry-run", flags.dry_run, "only say what would be dropped");
}

void AddPartitionCommands(CLI::App& app, CommandLine& line) {
  CLI::App* partition = Noun(app, "partition", "The slices of a keyspace");
  CLI::App* list =
      Command(*partition, line, "list", "Partitions with leader and replicas, asked of every node",
              [&line](Context& context) { return RunPartitionList(context, line.partition); });
  list->add_option("KEYSPACE", line.partition.keyspace)->required();
  list->add_flag("--checksum", line.partition.checksum, "read and sum up all data of each replica");
  CLI::App* locate =
      Command(app, line, "locate", "Which partition and nodes hold a key",
              [&line](Context& context) { return RunLocate(context, line.partition); });
  locate->add_option("KEYSPACE", line.partition.keyspace)->required();
  locate->add_option("KEY", line.partition.key)->required();
}

void AddWriteFlags(CLI::App* command, DataFlags& flags, bool is_put) {
  if (is_put) {
    command->add_flag("--if-absent", flags.if_absent, "only when the key does not exist");
  }
  command->add_option("--if-version", flags.if_version,
                      "only when the key has this version (32 hexadecimal digits)");
  command->add_option("--request-id", flags.request_id,
                      "repeats a write of unknown outcome, as printed then");
  command->add_flag("--receipt", flags.receipt, "say how it was served");
}

void AddDataCommands(CLI::App& app, CommandLine& line) {
  DataFlags& flags = line.data;
  CLI::App* put = Command(app, line, "put", "Writes a value: text, @FILE, or - (standard input)",
                          [&line](Context& context) { return RunPut(context, line.data); });
  put->add_option("KEYSPACE", flags.keyspace)->required();
  put->add_option("KEY", flags.key)->required();
  put->add_option("VALUE", flags.value, "text, @FILE, or - for standard input")->required();
  AddWriteFlags(put, flags, /*is_put=*/true);
  CLI::App* get = Command(app, line, "get", "Prints a key's value",
                          [&line](Context& context) { return RunGet(context, line.data); });
  get->add_option("KEYSPACE", flags.keyspace)->required();
  get->add_option("KEY", flags.key)->required();
  get->add_flag("--receipt", flags.receipt, "say how it was served");
  CLI::App* del = Command(app, line, "del", "Removes a key",
                          [&line](Context& context) { return RunDelete(context, line.data); });
  del->add_option("KEYSPACE", flags.keyspace)->required();
  del->add_option("KEY", flags.key)->required();
  AddWriteFlags(del, flags, /*is_put=*/false);
}

void AddScanFlags(CLI::App* command, ScanFlags& flags) {
  command->add_option("KEYSPACE", flags.keyspace)->required();
  auto* prefix = command->add_option("--prefix", flags.prefix, "only keys with this prefix");
  command->add_option("--begin", flags.begin, "first key")->excludes(prefix);
  command->add_option("--end", flags.end, "first key no longer wanted")->excludes(prefix);
}

void AddBulkCommands(CLI::App& app, CommandLine& line) {
  CLI::App* scan = Command(app, line, "scan", "Prints keys and values in key order",
                           [&line](Context& context) { return RunScan(context, line.scan); });
  AddScanFlags(scan, line.scan);
  scan->add_option("--limit", line.scan.limit, "most entries");
  scan->add_flag("--keys-only", line.scan.keys_only, "leave values out");
  scan->add_option("--routing-key", line.scan.routing_key, "only keys of this hash tag");
  CLI::App* import =
      Command(app, line, "import", "Writes records from lines of JSON: {\"key\":…,\"value\":…}",
              [&line](Context& context) { return RunImport(context, line.import); });
  import->add_option("KEYSPACE", line.import.keyspace)->required();
  import->add_option("FILE", line.import.file, "or - for standard input")->required();
  import->add_option("--inflight", line.import.inflight, "puts on their way at once")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  CLI::App* export_command =
      Command(app, line, "export", "Prints records as lines of JSON, in key order",
              [&line](Context& context) { return RunExport(context, line.scan); });
  AddScanFlags(export_command, line.scan);
  LoadFlags& load = line.load;
  CLI::App* command =
      Command(app, line, "load", "Writes unique keys for a while and counts what became of them",
              [&line](Context& context) { return RunLoad(context, line.load); });
  command->add_option("KEYSPACE", load.keyspace)->required();
  command->add_option("--prefix", load.prefix, "of the keys")->capture_default_str();
  command->add_option("--seconds", load.seconds)->check(CLI::PositiveNumber)->capture_default_str();
  command->add_option("--clients", load.clients, "writers, one write at a time each")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  command->add_option("--value-bytes", load.value_bytes)
      ->check(CLI::Range(0, 16 << 20))
      ->capture_default_str();
  command->add_option("--journal", load.journal, "file for one line of JSON a write");
}

// --some-flag ← KVCTL_SOME_FLAG, for every flag of every command.
void AddEnvironment(CLI::App* app) {
  for (CLI::Option* option : app->get_options()) {
    if (option->get_lnames().empty() || option->get_lnames()[0].starts_with("help")) {
      continue;
    }
    std::string name = "KVCTL_" + option->get_lnames()[0];
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
      return c == '-' ? '_' : static_cast<char>(std::toupper(c));
    });
    option->envname(name);
  }
  for (CLI::App* command : app->get_subcommands([](CLI::App*) { return true; })) {
    AddEnvironment(command);
  }
}

// Before the flags could be parsed: does the user want errors as JSON?
bool WantsJson(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    const std::string_view next = i + 1 < argc ? argv[i + 1] : "";
    const bool named = flag == "--output" || flag == "-o";
    if ((named && next.starts_with("json")) || flag.starts_with("--output=json")) {
      return true;
    }
  }
  return false;
}

}  // namespace

int RunCommandLine(int argc, char** argv) {
  CLI::App app("Talks to a Quorate cluster. Exit codes and output formats: docs/cli.md", "kvctl");
  CommandLine line;
  app.require_subcommand(1);
  app.set_help_all_flag("--help-all", "Help of all commands");
  AddGlobal(app, line);
  AddClusterCommands(app, line);
  AddKeyspaceCommands(app, line);
  AddPartitionCommands(app, line);
  AddDataCommands(app, line);
  AddBulkCommands(app, line);
  AddEnvironment(&app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    ReportError(WantsJson(argc, argv), "", kExitUsage, "usage", "not-done", error.what(), "");
    return kExitUsage;
  }
  line.global.encoding = line.hex      ? Encoding::kHex
                         : line.base64 ? Encoding::kBase64
                                       : Encoding::kText;
  Context context(std::move(line.global));
  return line.run(context);
}

}  // namespace quorate::kvctl
