#include "tools/kvctl/resolve.h"

#include <algorithm>
#include <cctype>

#include "fmt/format.h"
#include "tools/kvctl/config_file.h"

namespace quorate::kvctl {
namespace {

// "timeout" → "KVCTL_TIMEOUT".
std::string VariableOf(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
    return c == '-' ? '_' : static_cast<char>(std::toupper(c));
  });
  return "KVCTL_" + name;
}

struct Said {
  std::string value;
  std::string from;   // as in SettingOrigin; empty: nobody said anything
  std::string where;  // for errors: "--timeout", "KVCTL_TIMEOUT"
};

Said FromFlagOrEnvironment(const std::string& name, const std::map<std::string, std::string>& flags,
                           const Environment& environment) {
  if (const auto flag = flags.find("--" + name); flag != flags.end()) {
    return {flag->second, "flag", "--" + name};
  }
  const std::string variable = VariableOf(name);
  if (std::string value = environment(variable); !value.empty()) {
    return {std::move(value), "environment", variable};
  }
  return {};
}

absl::Status Refuse(const std::string& what) { return absl::InvalidArgumentError(what); }

// The context in use, empty settings without one.
absl::StatusOr<Settings> FindContext(const std::map<std::string, std::string>& flags,
                                     const Environment& environment, GlobalOptions* options) {
  const Said wanted = FromFlagOrEnvironment("context", flags, environment);
  const bool file_named = !FromFlagOrEnvironment("config", flags, environment).from.empty();
  auto config = options->config_file.empty() ? absl::NotFoundError("no file of contexts is known")
                                             : ReadConfig(options->config_file);
  if (absl::IsNotFound(config.status()) && !file_named) {
    if (wanted.value.empty()) {
      return Settings();
    }
    return Refuse(fmt::format("{}: there is no context '{}': {}; `kvctl context set` makes one",
                              wanted.where, wanted.value, std::string(config.status().message())));
  }
  if (!config.ok()) {
    return Refuse(std::string(config.status().message()));
  }
  options->context = wanted.from.empty() ? config->current : wanted.value;
  if (options->context.empty()) {
    return Settings();
  }
  const auto found = config->contexts.find(options->context);
  if (found == config->contexts.end()) {
    std::string names;
    for (const auto& [name, settings] : config->contexts) {
      names += (names.empty() ? "" : ", ") + name;
    }
    return Refuse(fmt::format("{}: there is no context '{}' in {}; there {}", wanted.where,
                              wanted.value, options->config_file,
                              names.empty() ? "are none" : "are: " + names));
  }
  return found->second;
}

}  // namespace

std::string ConfigPath(const std::map<std::string, std::string>& flags,
                       const Environment& environment) {
  if (const Said said = FromFlagOrEnvironment("config", flags, environment); !said.from.empty()) {
    return said.value;
  }
  // The standard has relative paths ignored.
  if (const std::string xdg = environment("XDG_CONFIG_HOME"); xdg.starts_with('/')) {
    return xdg + "/kvctl/config.toml";
  }
  const std::string home = environment("HOME");
  return home.empty() ? "" : home + "/.config/kvctl/config.toml";
}

absl::StatusOr<GlobalOptions> ResolveSettings(const std::map<std::string, std::string>& flags,
                                              const Environment& environment, bool use_context) {
  GlobalOptions options;
  options.config_file = ConfigPath(flags, environment);
  auto context = use_context ? FindContext(flags, environment, &options) : Settings();
  if (!context.ok()) {
    return context.status();
  }
  for (const SettingInfo& setting : SettingTable()) {
    Said said = FromFlagOrEnvironment(setting.name, flags, environment);
    if (const auto value = context->find(setting.name);
        said.from.empty() && value != context->end()) {
      said = {value->second, "context", "context " + options.context};
    }
    if (said.from.empty()) {
      options.origins.push_back({setting.name, setting.standard, "default"});
      continue;
    }
    if (const auto status = ApplySetting(setting.name, said.value, &options); !status.ok()) {
      return Refuse(fmt::format("{}: {}", said.where, std::string(status.message())));
    }
    options.origins.push_back({setting.name, said.value, said.from});
  }
  return options;
}

std::vector<std::string> WithKeyspace(const TypedLine& line, std::vector<std::string> words,
                                      const std::string& keyspace) {
  const auto& arguments = line.command().arguments;
  const bool takes_keyspace = !arguments.empty() && arguments[0].name == "KEYSPACE";
  if (keyspace.empty() || !takes_keyspace || arguments.back().repeated ||
      line.arguments.size() + 1 != arguments.size()) {
    return words;
  }
  const size_t place = line.argument_places.empty() ? words.size() : line.argument_places[0];
  words.insert(words.begin() + static_cast<std::ptrdiff_t>(place), keyspace);
  return words;
}

}  // namespace quorate::kvctl
