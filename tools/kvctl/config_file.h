// The file of contexts: named sets of settings, one of which is in use.
//
//   current = "prod"
//
//   [context.prod]
//   endpoints = ["10.0.0.1:7400", "10.0.0.2:7400"]
//   timeout = "10s"
//   output = "json"
//   keyspace = "orders"
#ifndef TOOLS_KVCTL_CONFIG_FILE_H_
#define TOOLS_KVCTL_CONFIG_FILE_H_

#include <map>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "tools/kvctl/settings.h"

namespace quorate::kvctl {

struct Config {
  std::string current;                       // empty: none
  std::map<std::string, Settings> contexts;  // by name
};

// 1 to 64 of a-z A-Z 0-9 - _ .
bool IsContextName(std::string_view name);

// Checks every key and value. Errors name `source`, the line and the key.
absl::StatusOr<Config> ParseConfig(std::string_view text, const std::string& source);
// What ParseConfig takes back.
std::string FormatConfig(const Config& config);

// NOT_FOUND when there is no file; INVALID_ARGUMENT when it cannot be read or is malformed.
absl::StatusOr<Config> ReadConfig(const std::string& path);
// Replaces the file at once (never half of it), only its owner may read it; makes its folder.
absl::Status WriteConfig(const Config& config, const std::string& path);

}  // namespace quorate::kvctl

#endif  // TOOLS_KVCTL_CONFIG_FILE_H_
