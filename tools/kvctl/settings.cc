#include "tools/kvctl/settings.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "tools/kvctl/duration.h"

namespace quorate::kvctl {
namespace {

absl::Status SetEndpoints(const std::string& value, GlobalOptions* options) {
  std::vector<std::string> endpoints = SplitList(value);
  for (const std::string& endpoint : endpoints) {
    const size_t colon = endpoint.rfind(':');
    uint32_t port = 0;
    const char* end = endpoint.data() + endpoint.size();
    const char* begin = colon == std::string::npos ? end : endpoint.data() + colon + 1;
    const auto parsed = std::from_chars(begin, end, port);
    if (colon == 0 || parsed.ec != std::errc() || parsed.ptr != end || port < 1 || port > 65535) {
      return absl::InvalidArgumentError(
          fmt::format("'{}' is not HOST:PORT with a port from 1 to 65535", endpoint));
    }
  }
  if (endpoints.empty()) {
    return absl::InvalidArgumentError("it names no HOST:PORT");
  }
  options->endpoints = std::move(endpoints);
  return absl::OkStatus();
}

absl::Status SetTimeout(const std::string& value, GlobalOptions* options) {
  const auto timeout = ParseDuration(value);
  if (!timeout) {
    return absl::InvalidArgumentError(
        fmt::format("'{}' is not a time such as 5s, 250ms or 1m", value));
  }
  options->timeout = *timeout;
  return absl::OkStatus();
}

absl::Status SetOutput(const std::string& value, GlobalOptions* options) {
  const auto& names = FormatNames();
  const auto found = std::find(names.begin(), names.end(), value);
  if (found == names.end()) {
    return absl::InvalidArgumentError(
        fmt::format("'{}' is not one of {}", value, fmt::join(names, ", ")));
  }
  options->format = static_cast<Format>(found - names.begin());
  return absl::OkStatus();
}

absl::Status SetKeyspace(const std::string& value, GlobalOptions* options) {
  const bool clean = std::all_of(value.begin(), value.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
  });
  if (value.empty() || value.size() > 64 || !clean) {
    return absl::InvalidArgumentError(
        fmt::format("'{}' is not the name of a keyspace: 1 to 64 of a-z A-Z 0-9 - _ .", value));
  }
  options->keyspace = value;
  return absl::OkStatus();
}

}  // namespace

const std::vector<std::string>& FormatNames() {
  static const auto* const kNames =
      new std::vector<std::string>{"auto", "table", "plain", "json", "jsonl", "csv", "raw"};
  return *kNames;
}

const std::vector<SettingInfo>& SettingTable() {
  static const auto* const kTable = new std::vector<SettingInfo>{
      {"endpoints", "127.0.0.1:7400",
       "HOST:PORT of one or more nodes, separated by commas; one that answers is enough"},
      {"timeout", "5s", "how long each request may take, retries included"},
      {"output", "auto", "table (on a terminal), plain (piped), json, jsonl, csv, raw"},
      {"keyspace", "", "the keyspace of commands that are typed without KEYSPACE"}};
  return *kTable;
}

absl::Status ApplySetting(std::string_view name, const std::string& value, GlobalOptions* options) {
  if (name == "endpoints") {
    return SetEndpoints(value, options);
  }
  if (name == "timeout") {
    return SetTimeout(value, options);
  }
  if (name == "output") {
    return SetOutput(value, options);
  }
  if (name == "keyspace") {
    return SetKeyspace(value, options);
  }
  std::vector<std::string> names;
  for (const SettingInfo& setting : SettingTable()) {
    names.push_back(setting.name);
  }
  return absl::InvalidArgumentError(
      fmt::format("there is no setting '{}'; there are {}", name, fmt::join(names, ", ")));
}

std::vector<std::string> SplitList(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    if (comma > 0) {
      parts.emplace_back(text.substr(0, comma));
    }
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return parts;
}

}  // namespace quorate::kvctl
