#include "tools/kvctl/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "nlohmann/json.hpp"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/complete_command.h"
#include "tools/kvctl/completion.h"
#include "tools/kvctl/man_page.h"
#include "tools/kvctl/resolve.h"

namespace quorate::kvctl {
namespace {

// What the parser's own table has no place for.
struct Note {
  std::string meaning;               // of a value: what is to be typed, for completion
  std::vector<std::string> choices;  // empty: any value
};

// Everything that flags are parsed into, and the command that was chosen.
struct CommandLine {
  bool hex = false;
  bool base64 = false;
  std::string unread;  // settings: ResolveSettings takes them from the words
  InitFlags init;
  StatusFlags status;
  ContextFlags context;
  KeyspaceFlags keyspace;
  PartitionFlags partition;
  MoveFlags move;
  DrainFlags drain;
  DataFlags data;
  BatchFlags batch;
  ScanFlags scan;
  ImportFlags import;
  LoadFlags load;
  DemoFlags demo;
  std::string shell;
  std::vector<std::string> help_path;
  std::function<int(Context&)> run;

  std::map<const CLI::Option*, Note> notes;
  std::set<std::string> offline;  // names of top-level commands that no context has a say in
};

// `option` takes one of `choices`, shown as a|b|c, or as `placeholder` when that is not empty.
CLI::Option* OneOf(CommandLine& line, CLI::Option* option, std::vector<std::string> choices,
                   const std::string& placeholder = "") {
  option->check(CLI::IsMember(choices).description(""));
  option->type_name(placeholder.empty() ? fmt::format("{}", fmt::join(choices, "|")) : placeholder);
  line.notes[option].choices = std::move(choices);
  return option;
}

CLI::Option* Meaning(CommandLine& line, CLI::Option* option, const std::string& meaning) {
  line.notes[option].meaning = meaning;
  return option;
}

void AddGlobal(CLI::App& app, CommandLine& line) {
  const std::map<std::string, std::string> placeholders = {{"endpoints", "HOST:PORT,…"},
                                                           {"timeout", "TIME"},
                                                           {"output", "FORMAT"},
                                                           {"keyspace", "KEYSPACE"}};
  for (const SettingInfo& setting : SettingTable()) {
    const std::string names = (setting.name == "output" ? "-o,--" : "--") + setting.name;
    CLI::Option* option = app.add_option(names, line.unread, setting.help)
                              ->type_name(placeholders.at(setting.name))
                              ->default_str(setting.standard);
    if (setting.name == "output") OneOf(line, option, FormatNames(), "FORMAT");
  }
  app.add_option("--context", line.unread, "the context to take settings from")
      ->type_name("CONTEXT");
  app.add_option("--config", line.unread, "the file of contexts")
      ->type_name("FILE")
      ->default_str("~/.config/kvctl/config.toml");
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

// One that neither asks the cluster nor reads the file of contexts for its settings.
CLI::App* OfflineCommand(CLI::App& app, CommandLine& line, const std::string& name,
                         const std::string& description, std::function<int(Context&)> run) {
  line.offline.insert(name);
  return Command(app, line, name, description, std::move(run));
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
  CLI::App* status = Command(app, line, "status", "Nodes and keyspaces at a glance",
                             [&line](Context& context) { return RunStatus(context, line.status); });
  status
      ->add_option_function<std::vector<std::string>>(
          "--watch",
          [&line](const std::vector<std::string>& values) {
            line.status.watch = true;
            const bool has_interval = !values.empty() && !values.back().empty();
            if (has_interval) line.status.interval = values.back();
          },
          "shows it again and again, with rates, until interrupted; every 2s, or so often")
      ->type_name("TIME")
      ->expected(0, 1);
  status->add_option("--count", line.status.count, "with --watch: end after so many times")
      ->type_name("N");
  OfflineCommand(app, line, "version", "This program's version", RunVersion);
  CLI::App* node = Noun(app, "node", "The cluster's nodes");
  Command(*node, line, "list", "All nodes, and whether they serve", RunNodeList);
  DrainFlags& flags = line.drain;
  CLI::App* drain = Command(*node, line, "drain", "Moves all replicas of a node to other nodes",
                            [&flags](Context& context) { return RunNodeDrain(context, flags); });
  drain->add_option("NODE", flags.node)->required();
  drain->add_flag("--undo", flags.undo, "it may have replicas again");
  drain->add_flag("--wait", flags.wait, "until it has none left, however long");
  drain->add_flag("--dry-run", flags.dry_run, "only say what would be moved");
}

void AddContextCommands(CLI::App& app, CommandLine& line) {
  ContextFlags& flags = line.context;
  CLI::App* context = Noun(app, "context", "Named sets of settings, kept in a file");
  const auto add_name = [&](CLI::App* command, const std::string& help) {
    Meaning(line, command->add_option("NAME", flags.name, help)->required(), "CONTEXT");
  };
  for (const char* verb : {"list", "use", "set", "remove"}) {
    line.offline.insert(std::string("context ") + verb);
  }
  Command(*context, line, "list", "All contexts", RunContextList);
  CLI::App* use = Command(*context, line, "use", "Makes one the current one",
                          [&line](Context& each) { return RunContextUse(each, line.context); });
  add_name(use, "a context of the file");
  Command(*context, line, "show", "The settings that commands run with, and where each comes from",
          RunContextShow);
  CLI::App* set = Command(*context, line, "set", "Makes one, or changes its settings",
                          [&line](Context& each) { return RunContextSet(each, line.context); });
  add_name(set, "1 to 64 of a-z A-Z 0-9 - _ .");
  Meaning(line,
          set->add_option("SETTING=VALUE", flags.settings,
                          "endpoints=, timeout=, output= or keyspace=; no value takes it away")
              ->required()
              ->expected(1, 16),
          "SETTING");
  CLI::App* remove = Command(*context, line, "remove", "Removes one", [&line](Context& each) {
    return RunContextRemove(each, line.context);
  });
  add_name(remove, "a context of the file");
}

void AddKeyspaceCommands(CLI::App& app, CommandLine& line) {
  KeyspaceFlags& flags = line.keyspace;
  CLI::App* keyspace = Noun(app, "keyspace", "Named sets of keys, each with its own policy");
  CLI::App* create = Command(
      *keyspace, line, "create", "Creates one; done as well when it exists with an equal policy",
      [&line](Context& context) { return RunKeyspaceCreate(context, line.keyspace); });
  create->add_option("NAME", flags.name, "1..64 of a-z A-Z 0-9 - _ .")->required();
  OneOf(line,
        create->add_option("--replication", flags.replication, "raft (linearizable) or quorum"),
        {"raft", "quorum"});
  create->add_option("--replicas", flags.replicas, "copies of each partition: 1, 3, 5 or 7")
      ->default_str("3");
  create->add_option("--partitions", flags.partitions, "a power of two, 1..4096; fixed")
      ->default_str("16");
  OneOf(
      line,
      create->add_option("--routing", flags.routing, "what of a key decides its partition; fixed"),
      {"tag", "whole"});
  OneOf(line, create->add_option("--durability", flags.durability, "buffered: without fsync"),
        {"fsync", "buffered"});
  OneOf(line, create->add_option("--lease", flags.lease, "off: reads never trust clocks"),
        {"on", "off"});
  create->add_option("--value-bytes-max", flags.value_bytes_max, "largest value, up to 16 MiB")
      ->default_str("1048576");
  create->add_flag("--dry-run", flags.dry_run, "only say what would be created");
  CLI::App* describe =
      Command(*keyspace, line, "describe", "Its policy, and what the policy means",
              [&line](Context& context) { return RunKeyspaceDescribe(context, line.keyspace); });
  Meaning(line, describe->add_option("NAME", flags.name)->required(), "KEYSPACE");
  Command(*keyspace, line, "list", "All keyspaces", RunKeyspaceList);
  CLI::App* drop =
      Command(*keyspace, line, "drop", "Removes one and all its data",
              [&line](Context& context) { return RunKeyspaceDrop(context, line.keyspace); });
  Meaning(line, drop->add_option("NAME", flags.name)->required(), "KEYSPACE");
  drop->add_flag("--yes", flags.yes, "do not ask for the name to be typed");
  drop->add_flag("--dry-run", flags.dry_run, "only say what would be dropped");
}

void AddMoveCommands(CLI::App& partition, CommandLine& line) {
  MoveFlags& flags = line.move;
  CLI::App* move = Command(partition, line, "move", "Moves one replica to another node, online",
                           [&flags](Context& context) { return RunPartitionMove(context, flags); });
  CLI::App* transfer = Command(partition, line, "transfer-leader", "Has another replica lead",
                               [&flags](Context& c) { return RunTransferLeader(c, flags); });
  CLI::App* recover =
      Command(partition, line, "recover", "Goes on from one replica, when the majority is lost",
              [&flags](Context& context) { return RunPartitionRecover(context, flags); });
  for (CLI::App* command : {move, transfer, recover}) {
    command->add_option("KEYSPACE", flags.keyspace)->required();
    command->add_option("PARTITION", flags.partition)->required();
    if (command == transfer) continue;
    command->add_flag("--dry-run", flags.dry_run, "only say what would be done");
  }
  move->add_option("--from", flags.from, "the node whose replica goes")->type_name("NODE");
  move->add_option("--to", flags.to, "the node that gets one instead")->type_name("NODE");
  move->add_flag("--cancel", flags.cancel, "turn the partition's open move back");
  move->add_flag("--wait", flags.wait, "until it is through, however long");
  transfer->add_option("--to", flags.to, "the node to lead")->type_name("NODE")->required();
  recover->add_option("--from", flags.from, "whose replica; else the fullest")->type_name("NODE");
  recover->add_flag("--accept-loss", flags.accept_loss, "lose what only the others have");
}

void AddPartitionCommands(CLI::App& app, CommandLine& line) {
  PartitionFlags& flags = line.partition;
  CLI::App* partition = Noun(app, "partition", "The slices of a keyspace");
  CLI::App* list =
      Command(*partition, line, "list", "Partitions with leader and replicas, asked of every node",
              [&flags](Context& context) { return RunPartitionList(context, flags); });
  CLI::App* describe = Command(*partition, line, "describe", "One partition: votes and moves",
                               [&flags](Context& c) { return RunPartitionDescribe(c, flags); });
  CLI::App* locate = Command(app, line, "locate", "Which partition and nodes hold a key",
                             [&flags](Context& context) { return RunLocate(context, flags); });
  for (CLI::App* command : {list, describe, locate}) {
    command->add_option("KEYSPACE", flags.keyspace)->required();
  }
  list->add_flag("--checksum", flags.checksum, "read and sum up all data of each replica");
  list->add_option("--node", flags.node, "only those with a replica there")->type_name("NODE");
  describe->add_option("PARTITION", flags.partition)->required();
  locate->add_option("KEY", flags.key)->required();
  AddMoveCommands(*partition, line);
}

void AddRepeatFlags(CLI::App* command, DataFlags& flags) {
  command->add_option("--request-id", flags.request_id,
                      "repeats a write of unknown outcome, as printed then");
  command->add_flag("--receipt", flags.receipt, "say how it was served");
}

void AddWriteFlags(CLI::App* command, DataFlags& flags, bool is_put) {
  if (is_put) {
    command->add_flag("--if-absent", flags.if_absent, "only when the key does not exist");
  }
  command->add_option("--if-version", flags.if_version,
                      "only when the key has this version (32 hexadecimal digits)");
  AddRepeatFlags(command, flags);
}

void AddDataCommands(CLI::App& app, CommandLine& line) {
  DataFlags& flags = line.data;
  CLI::App* put = Command(app, line, "put", "Writes a value: text, @FILE, or - (standard input)",
                          [&flags](Context& context) { return RunPut(context, flags); });
  CLI::App* get = Command(app, line, "get", "Prints a key's value",
                          [&flags](Context& context) { return RunGet(context, flags); });
  CLI::App* del = Command(app, line, "del", "Removes a key",
                          [&flags](Context& context) { return RunDelete(context, flags); });
  CLI::App* incr = Command(app, line, "incr", "Adds to the number that a key holds; absent is 0",
                           [&flags](Context& context) { return RunIncrement(context, flags); });
  for (CLI::App* command : {put, get, del, incr}) {
    command->add_option("KEYSPACE", flags.keyspace)->required();
    command->add_option("KEY", flags.key)->required();
  }
  put->add_option("VALUE", flags.value, "text, @FILE, - for standard input")->required();
  AddWriteFlags(put, flags, /*is_put=*/true);
  get->add_flag("--receipt", flags.receipt, "say how it was served");
  AddWriteFlags(del, flags, /*is_put=*/false);
  incr->add_option("--by", flags.delta, "what to add, perhaps negative")->default_str("1");
  AddRepeatFlags(incr, flags);
}

void AddBatchCommand(CLI::App& app, CommandLine& line) {
  BatchFlags& flags = line.batch;
  CLI::App* batch = Command(
      app, line, "batch", "Many gets, puts, dels and increments in one request, from lines of JSON",
      [&line](Context& context) { return RunBatch(context, line.batch); });
  batch->add_option("KEYSPACE", flags.keyspace)->required();
  batch->add_option("FILE", flags.file, "or - for standard input")->required();
  batch->add_flag("--atomic", flags.atomic, "all or nothing; all keys have one hash tag");
  batch->add_option("--request-id", flags.request_id,
                    "repeats an atomic batch of unknown outcome, as printed then");
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
  command->add_option("--seconds", load.seconds, "how long")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--clients", load.clients, "writers, one write at a time each")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  command->add_option("--value-bytes", load.value_bytes, "size of each value")
      ->check(CLI::Range(0, 16 << 20))
      ->capture_default_str();
  command->add_option("--journal", load.journal, "file for one line of JSON a write");
}

void AddDemoCommand(CLI::App& app, CommandLine& line) {
  CLI::App* demo =
      OfflineCommand(app, line, "demo", "A throw-away cluster on this machine, until Ctrl-C",
                     [&line](Context& context) { return RunDemo(context, line.demo); });
  demo->add_option("--nodes", line.demo.nodes, "how many kvd processes")
      ->type_name("N")
      ->check(CLI::Range(1, 9))
      ->capture_default_str();
  demo->add_flag("--keep", line.demo.keep, "leave the folder with data and logs at the end");
  Meaning(line,
          demo->add_option("PROGRAM", line.demo.program,
                           "runs this, with KVCTL_ENDPOINTS set, instead of waiting; flags of its "
                           "own go behind --")
              ->expected(1, 256),
          "PROGRAM");
}

// --some-flag ← KVCTL_SOME_FLAG, for every flag of every command.
void AddEnvironment(CLI::App* app) {
  for (CLI::Option* option : app->get_options()) {
    const std::vector<std::string>& names = option->get_lnames();
    if (names.empty() || names[0].starts_with("help")) continue;
    std::string name = "KVCTL_" + names[0];
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
      return c == '-' ? '_' : static_cast<char>(std::toupper(c));
    });
    option->envname(name);
  }
  for (CLI::App* each : app->get_subcommands([](CLI::App*) { return true; })) AddEnvironment(each);
}

// Adds what the user sees of `app`'s own options to *info.
void DescribeOptions(const CLI::App& app, const CommandLine& line, CommandInfo* info) {
  for (const CLI::Option* option : app.get_options()) {
    const auto found = line.notes.find(option);
    const Note note = found == line.notes.end() ? Note() : found->second;
    if (option->get_positional()) {
      const std::string name = option->get_name(/*positional=*/true);
      info->arguments.push_back({.name = name,
                                 .meaning = note.meaning.empty() ? name : note.meaning,
                                 .help = option->get_description(),
                                 .required = option->get_required(),
                                 .repeated = option->get_items_expected_max() > 1,
                                 .choices = note.choices});
      continue;
    }
    const bool is_switch = option->get_items_expected_max() == 0;
    info->flags.push_back(
        {.name = "--" + option->get_lnames().at(0),
         .short_name = option->get_snames().empty() ? "" : "-" + option->get_snames()[0],
         .value = is_switch ? "" : option->get_type_name(),
         .value_optional = !is_switch && option->get_items_expected_min() == 0,
         .help = option->get_description(),
         .standard = option->get_default_str(),
         .environment = option->get_envname(),
         .choices = note.choices});
  }
}

// `path`: the command as typed, empty for the root.
CommandInfo Describe(CLI::App& app, const CommandLine& line, const std::string& path) {
  CommandInfo info;
  info.name = app.get_name();
  info.help = app.get_description();
  info.examples = ExamplesOf(path);
  DescribeOptions(app, line, &info);
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) {
    const std::string below = path.empty() ? command->get_name() : path + " " + command->get_name();
    info.commands.push_back(Describe(*command, line, below));
  }
  return info;
}

// Puts the examples below the help of each command.
void AddExamples(CLI::App& app, const std::string& path) {
  std::string footer;
  for (const Example& example : ExamplesOf(path)) {
    footer += fmt::format("{}  {}\n      {}\n", footer.empty() ? "Examples:\n" : "", example.line,
                          example.help);
  }
  app.footer(footer);
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) {
    AddExamples(*command, path.empty() ? command->get_name() : path + " " + command->get_name());
  }
}

// The parser, what it fills, and its table as plain values. Not to be moved: they point at each
// other.
class Parser {
 public:
  Parser() : app_("Talks to a Quorate cluster. Exit codes and output formats: kvctl man", "kvctl") {
    app_.require_subcommand(1);
    app_.set_help_all_flag("--help-all", "Help of all commands");
    app_.get_formatter()->column_width(34);
    AddGlobal(app_, line_);
    AddClusterCommands(app_, line_);
    AddContextCommands(app_, line_);
    AddKeyspaceCommands(app_, line_);
    AddPartitionCommands(app_, line_);
    AddDataCommands(app_, line_);
    AddBatchCommand(app_, line_);
    AddBulkCommands(app_, line_);
    AddDemoCommand(app_, line_);
    AddHelpCommands();
    ClearTypes(&app_);
    AddExamples(app_, "");
    info_ = Describe(app_, line_, "");
  }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  // From --some-flag ← KVCTL_SOME_FLAG, too.
  void ReadEnvironment() {
    AddEnvironment(&app_);
    info_ = Describe(app_, line_, "");
  }

  // Throws CLI::Error.
  void Parse(std::vector<std::string> words) {
    std::reverse(words.begin(), words.end());
    app_.parse(std::move(words));
  }

  [[nodiscard]] bool IsOffline(const TypedLine& typed) const {
    const std::string name = typed.command_name();
    return name.empty() || line_.offline.contains(name);
  }

  [[nodiscard]] const CommandInfo& info() const { return info_; }
  [[nodiscard]] const CommandLine& line() const { return line_; }
  CLI::App& app() { return app_; }

 private:
  void AddHelpCommands() {
    CLI::App* completion =
        OfflineCommand(app_, line_, "completion", "A script that completes kvctl's commands at TAB",
                       [this](Context& context) {
                         context.Write(CompletionScript(line_.shell));
                         return kExitDone;
                       });
    OneOf(line_, completion->add_option("SHELL", line_.shell, "bash, zsh or fish")->required(),
          {"bash", "zsh", "fish"}, "SHELL");
    CLI::App* help = OfflineCommand(app_, line_, "help", "Help of a command, with examples",
                                    [this](Context& context) { return RunHelp(context); });
    OfflineCommand(app_, line_, "man", "The manual page, in roff", [this](Context& context) {
      context.Write(ManPage(info_));
      return kExitDone;
    });
    help->add_option("COMMAND", line_.help_path, "none: of kvctl")->expected(0, 8);
  }

  int RunHelp(Context& context) {
    CLI::App* app = &app_;
    const CommandInfo* info = &info_;
    std::string parents;
    for (const std::string& name : line_.help_path) {
      const auto found = std::find_if(info->commands.begin(), info->commands.end(),
                                      [&](const CommandInfo& each) { return each.name == name; });
      if (found == info->commands.end()) {
        return context.FailUsage(
            "help", fmt::format("there is no command '{}'", fmt::join(line_.help_path, " ")));
      }
      info = &*found;
      parents += (parents.empty() ? "" : " ") + app->get_name();
      app = app->get_subcommand(name);
    }
    context.Write(context.json() ? CommandJson(*info).dump() + "\n" : app->help(parents));
    return kExitDone;
  }

  // The help of "KEYSPACE" need not say that it is a text.
  static void ClearTypes(CLI::App* app) {
    for (CLI::Option* option : app->get_options()) {
      if (option->get_positional()) {
        option->type_name("");
      }
    }
    for (CLI::App* command : app->get_subcommands([](CLI::App*) { return true; })) {
      ClearTypes(command);
    }
  }

  CLI::App app_;
  CommandLine line_;
  CommandInfo info_;
};

std::string FromEnvironment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? "" : value;
}

// Does the user want errors as JSON, as far as can be told when the settings are not good?
bool WantsJson(const TypedLine& typed, const absl::StatusOr<GlobalOptions>& options) {
  if (options.ok()) {
    return options->format == Format::kJson || options->format == Format::kJsonl;
  }
  const auto flag = typed.flags.find("--output");
  return (flag != typed.flags.end() ? flag->second : FromEnvironment("KVCTL_OUTPUT"))
      .starts_with("json");
}

}  // namespace

CommandInfo DescribeCommands() { return Parser().info(); }

absl::Status CheckCommandLine(const std::vector<std::string>& words) {
  Parser parser;
  try {
    parser.Parse(words);
  } catch (const CLI::Error& error) {
    return absl::InvalidArgumentError(error.what());
  }
  return absl::OkStatus();
}

int RunCommandLine(int argc, char** argv) {
  std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  Parser parser;
  parser.ReadEnvironment();
  if (!words.empty() && words[0] == "__complete") {
    return RunComplete(parser.info(), {words.begin() + 1, words.end()}, FromEnvironment);
  }
  const TypedLine typed = ReadWords(parser.info(), words);
  auto options = ResolveSettings(typed.flags, FromEnvironment, !parser.IsOffline(typed));
  const bool json = WantsJson(typed, options);
  const auto refuse = [&](const std::string& message) {
    ReportError(json, "", kExitUsage, "usage", "not-done", message, "");
    return kExitUsage;
  };
  try {
    parser.Parse(WithKeyspace(typed, words, options.ok() ? options->keyspace : ""));
  } catch (const CLI::Success& success) {  // --help
    return parser.app().exit(success);
  } catch (const CLI::ParseError& error) {
    // Without its settings a line may lack the context's keyspace; that is not the mistake to tell.
    return refuse(options.ok() ? error.what() : std::string(options.status().message()));
  }
  if (!options.ok()) {
    return refuse(std::string(options.status().message()));
  }
  options->encoding = parser.line().hex      ? Encoding::kHex
                      : parser.line().base64 ? Encoding::kBase64
                                             : Encoding::kText;
  Context context(*std::move(options));
  return parser.line().run(context);
}

}  // namespace quorate::kvctl
