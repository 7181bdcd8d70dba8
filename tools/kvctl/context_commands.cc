// context list, use, show, set, remove.
#include <string>
#include <utility>

#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "tools/kvctl/commands.h"
#include "tools/kvctl/config_file.h"

namespace quorate::kvctl {
namespace {

using Json = nlohmann::ordered_json;

// The file's contexts; a file that is not there has none. False: reported, the code is in *code.
bool LoadConfig(Context& context, std::string_view command, Config* config, int* code) {
  const std::string& path = context.options().config_file;
  if (path.empty()) {
    *code =
        context.FailUsage(command, "neither --config nor HOME says where the file of contexts is");
    return false;
  }
  auto read = ReadConfig(path);
  if (!read.ok() && !absl::IsNotFound(read.status())) {
    *code = context.FailUsage(command, std::string(read.status().message()));
    return false;
  }
  *config = read.ok() ? *std::move(read) : Config();
  return true;
}

int FailNoContext(Context& context, std::string_view command, const std::string& name) {
  return context.FailAs(
      command, kExitNotFound, "context-not-found",
      fmt::format("there is no context '{}' in {}", name, context.options().config_file));
}

std::string ValueOf(const Settings& settings, const std::string& name) {
  const auto found = settings.find(name);
  return found == settings.end() ? "" : found->second;
}

Json ContextJson(const Config& config, const std::string& name, const Settings& settings) {
  Json json = {{"name", name}, {"current", name == config.current}};
  for (const SettingInfo& setting : SettingTable()) {
    const std::string value = ValueOf(settings, setting.name);
    if (setting.name == "endpoints") {
      json["endpoints"] = SplitList(value);
    } else {
      json[setting.name] = value.empty() ? Json() : Json(value);
    }
  }
  return json;
}

Table ContextTable() {
  std::vector<std::string> columns = {"current", "context"};
  for (const SettingInfo& setting : SettingTable()) {
    columns.push_back(setting.name);
  }
  return Table(columns);
}

void AddRow(const Config& config, const std::string& name, const Settings& settings, Table* table) {
  std::vector<std::string> row = {name == config.current ? "*" : "", name};
  for (const SettingInfo& setting : SettingTable()) {
    row.push_back(ValueOf(settings, setting.name));
  }
  table->Add(std::move(row));
}

// Writes the file; prints the context `name` as it is now.
int SaveConfig(Context& context, std::string_view command, const Config& config,
               const std::string& name) {
  const absl::Status status = WriteConfig(config, context.options().config_file);
  if (!status.ok()) {
    return context.FailAs(command, kExitRefused, "refused", std::string(status.message()));
  }
  const auto found = config.contexts.find(name);
  Table table = ContextTable();
  if (found == config.contexts.end()) {
    Table removed({"context", "removed"});
    removed.Add({name, "yes"});
    context.Print(removed, {{"name", name}, {"removed", true}});
    return kExitDone;
  }
  AddRow(config, name, found->second, &table);
  context.Print(table, ContextJson(config, name, found->second));
  return kExitDone;
}

}  // namespace

int RunContextList(Context& context) {
  Config config;
  int code = kExitDone;
  if (!LoadConfig(context, "context list", &config, &code)) {
    return code;
  }
  Table table = ContextTable();
  Json contexts = Json::array();
  for (const auto& [name, settings] : config.contexts) {
    AddRow(config, name, settings, &table);
    contexts.push_back(ContextJson(config, name, settings));
  }
  context.Print(table,
                {{"file", context.options().config_file},
                 {"current", config.current.empty() ? Json() : Json(config.current)},
                 {"contexts", std::move(contexts)}},
                "contexts");
  return kExitDone;
}

int RunContextUse(Context& context, const ContextFlags& flags) {
  Config config;
  int code = kExitDone;
  if (!LoadConfig(context, "context use", &config, &code)) {
    return code;
  }
  if (!config.contexts.contains(flags.name)) {
    return FailNoContext(context, "context use", flags.name);
  }
  config.current = flags.name;
  return SaveConfig(context, "context use", config, flags.name);
}

int RunContextShow(Context& context) {
  const GlobalOptions& options = context.options();
  Table table({"setting", "value", "from"});
  Json settings = Json::array();
  for (const SettingOrigin& origin : options.origins) {
    const std::string from = origin.from == "context" ? "context " + options.context : origin.from;
    table.Add({origin.name, origin.value, from});
    settings.push_back({{"setting", origin.name}, {"value", origin.value}, {"from", origin.from}});
  }
  context.Print(table,
                {{"context", options.context.empty() ? Json() : Json(options.context)},
                 {"file", options.config_file},
                 {"settings", std::move(settings)}},
                "settings");
  return kExitDone;
}

int RunContextSet(Context& context, const ContextFlags& flags) {
  Config config;
  int code = kExitDone;
  if (!LoadConfig(context, "context set", &config, &code)) {
    return code;
  }
  if (!IsContextName(flags.name)) {
    return context.FailUsage(
        "context set", fmt::format("'{}' is not a name: 1 to 64 of a-z A-Z 0-9 - _ .", flags.name));
  }
  Settings& settings = config.contexts[flags.name];
  for (const std::string& pair : flags.settings) {
    const size_t equals = pair.find('=');
    if (equals == std::string::npos) {
      return context.FailUsage("context set",
                               fmt::format("'{}' is not SETTING=VALUE, such as timeout=10s", pair));
    }
    const std::string name = pair.substr(0, equals);
    const std::string value = pair.substr(equals + 1);
    GlobalOptions scratch;
    if (value.empty() && settings.erase(name) > 0) {
      continue;
    }
    if (const auto status = ApplySetting(name, value, &scratch); !status.ok()) {
      return context.FailUsage("context set",
                               fmt::format("{}: {}", name, std::string(status.message())));
    }
    settings[name] = value;
  }
  return SaveConfig(context, "context set", config, flags.name);
}

int RunContextRemove(Context& context, const ContextFlags& flags) {
  Config config;
  int code = kExitDone;
  if (!LoadConfig(context, "context remove", &config, &code)) {
    return code;
  }
  if (config.contexts.erase(flags.name) == 0) {
    return FailNoContext(context, "context remove", flags.name);
  }
  if (config.current == flags.name) {
    config.current.clear();
  }
  return SaveConfig(context, "context remove", config, flags.name);
}

}  // namespace quorate::kvctl
