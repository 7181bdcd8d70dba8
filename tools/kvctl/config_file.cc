#include "tools/kvctl/config_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>

#include "fmt/format.h"

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace quorate::kvctl {
namespace {

absl::Status Malformed(const std::string& source, const toml::node& node, const std::string& key,
                       const std::string& what) {
  return absl::InvalidArgumentError(
      fmt::format("{}:{}: {}: {}", source, node.source().begin.line, key, what));
}

// Text, or a list of texts joined by commas; unset: neither.
std::optional<std::string> TextOf(const toml::node& node) {
  if (const auto* text = node.as_string()) {
    return text->get();
  }
  const auto* list = node.as_array();
  if (list == nullptr) {
    return std::nullopt;
  }
  std::string joined;
  for (const toml::node& element : *list) {
    const auto* text = element.as_string();
    if (text == nullptr) {
      return std::nullopt;
    }
    joined += (joined.empty() ? "" : ",") + text->get();
  }
  return joined;
}

absl::StatusOr<Settings> SettingsFrom(const toml::table& table, const std::string& prefix,
                                      const std::string& source) {
  Settings settings;
  for (const auto& [name, node] : table) {
    const std::string setting(name.str());
    const std::string key = fmt::format("{}.{}", prefix, setting);
    const auto text = TextOf(node);
    if (!text || (node.is_array() && setting != "endpoints")) {
      return Malformed(source, node, key,
                       setting == "endpoints" ? "write text in quotes, or a list of it"
                                              : "write text in quotes");
    }
    GlobalOptions scratch;
    if (const absl::Status status = ApplySetting(setting, *text, &scratch); !status.ok()) {
      return Malformed(source, node, key, std::string(status.message()));
    }
    settings[setting] = *text;
  }
  return settings;
}

absl::Status ReadContexts(const toml::node& node, const std::string& source, Config* config) {
  const auto* contexts = node.as_table();
  if (contexts == nullptr) {
    return Malformed(source, node, "context", "write a section for each context: [context.NAME]");
  }
  for (const auto& [name, value] : *contexts) {
    const std::string key = fmt::format("context.{}", std::string(name.str()));
    const auto* table = value.as_table();
    if (table == nullptr) {
      return Malformed(source, value, key, "write a section for each context: [context.NAME]");
    }
    if (!IsContextName(name.str())) {
      return Malformed(source, value, key, "a context's name is 1 to 64 of a-z A-Z 0-9 - _ .");
    }
    auto settings = SettingsFrom(*table, key, source);
    if (!settings.ok()) {
      return settings.status();
    }
    config->contexts[std::string(name.str())] = *std::move(settings);
  }
  return absl::OkStatus();
}

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (const char byte : text) {
    if (byte == '"' || byte == '\\') {
      out += '\\';
    }
    out += byte;
  }
  return out + "\"";
}

absl::Status FailedToWrite(const std::string& path, const std::string& why) {
  return absl::InternalError(fmt::format("{} cannot be written: {}", path, why));
}

}  // namespace

bool IsContextName(std::string_view name) {
  return !name.empty() && name.size() <= 64 &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
         });
}

absl::StatusOr<Config> ParseConfig(std::string_view text, const std::string& source) {
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    return absl::InvalidArgumentError(fmt::format("{}:{}: not TOML: {}", source,
                                                  parsed.error().source().begin.line,
                                                  std::string(parsed.error().description())));
  }
  Config config;
  const toml::node* current = nullptr;
  for (const auto& [name, node] : parsed.table()) {
    const std::string key(name.str());
    if (key == "current" && node.is_string()) {
      current = &node;
      config.current = node.as_string()->get();
    } else if (key == "current") {
      return Malformed(source, node, key, "write the name of a context in quotes");
    } else if (key == "context") {
      if (absl::Status status = ReadContexts(node, source, &config); !status.ok()) {
        return status;
      }
    } else {
      return Malformed(source, node, key, "unknown; there are 'current' and [context.NAME]");
    }
  }
  if (!config.current.empty() && !config.contexts.contains(config.current)) {
    return Malformed(source, *current, "current",
                     fmt::format("there is no [context.{}]", config.current));
  }
  return config;
}

std::string FormatConfig(const Config& config) {
  std::string text = "# Contexts of kvctl; `kvctl context set` writes this file.\n";
  if (!config.current.empty()) {
    text += fmt::format("current = {}\n", Quoted(config.current));
  }
  for (const auto& [name, settings] : config.contexts) {
    // Quoted, for a name may hold a dot.
    text += fmt::format("\n[context.{}]\n", Quoted(name));
    for (const auto& [setting, value] : settings) {
      if (setting != "endpoints") {
        text += fmt::format("{} = {}\n", setting, Quoted(value));
        continue;
      }
      std::string list;
      for (const std::string& endpoint : SplitList(value)) {
        list += (list.empty() ? "" : ", ") + Quoted(endpoint);
      }
      text += fmt::format("{} = [{}]\n", setting, list);
    }
  }
  return text;
}

absl::StatusOr<Config> ReadConfig(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    return absl::NotFoundError(fmt::format("there is no {}", path));
  }
  // Reading a folder as a stream would throw.
  std::ifstream file;
  if (!std::filesystem::is_directory(path, error)) {
    file.open(path, std::ios::binary);
  }
  std::string text;
  if (file.is_open()) {
    text.assign(std::istreambuf_iterator<char>(file), {});
  }
  if (!file.is_open() || file.bad()) {
    return absl::InvalidArgumentError(
        fmt::format("{} cannot be read; check the name and its permissions", path));
  }
  return ParseConfig(text, path);
}

absl::Status WriteConfig(const Config& config, const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code error;
  if (!folder.empty()) {
    std::filesystem::create_directories(folder, error);
    if (error) {
      return FailedToWrite(path, error.message());
    }
  }
  std::string fresh = path + ".XXXXXX";  // made with mode 0600
  const int file = mkstemp(fresh.data());
  if (file < 0) {
    return FailedToWrite(path, std::generic_category().message(errno));
  }
  const std::string text = FormatConfig(config);
  const bool written = write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       fsync(file) == 0;
  const bool closed = close(file) == 0;
  if (!written || !closed || std::rename(fresh.c_str(), path.c_str()) != 0) {
    const std::string why = std::generic_category().message(errno);
    std::remove(fresh.c_str());
    return FailedToWrite(path, why);
  }
  return absl::OkStatus();
}

}  // namespace quorate::kvctl
