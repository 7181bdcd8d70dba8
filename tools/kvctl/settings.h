// What can be set for all commands: by flag, by environment, by a context, or not at all. The first
// of these that says something counts.
#ifndef TOOLS_KVCTL_SETTINGS_H_
#define TOOLS_KVCTL_SETTINGS_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "tools/kvctl/encoding.h"

namespace quorate::kvctl {

enum class Format : uint8_t {
  kAuto,   // table on a terminal, else plain
  kTable,  // aligned columns
  kPlain,  // tabs between cells, with a head
  kJson,   // one value; streams: one object a line
  kJsonl,  // one object a line
  kCsv,    // RFC 4180, with a head
  kRaw,    // cells only
};

// All formats by name, auto first.
const std::vector<std::string>& FormatNames();

// A setting as it came to be.
struct SettingOrigin {
  std::string name;
  std::string value;
  std::string from;  // "flag", "environment", "context" or "default"
};

struct GlobalOptions {
  std::vector<std::string> endpoints = {"127.0.0.1:7400"};
  Format format = Format::kAuto;
  std::chrono::nanoseconds timeout = std::chrono::seconds(5);
  std::string keyspace;  // of commands that are typed without one; empty: none
  Encoding encoding = Encoding::kText;
  std::string context;      // its name; empty: none
  std::string config_file;  // its path, whether it exists or not; empty: no home folder either
  std::vector<SettingOrigin> origins;
};

// Setting name → value as text, as a context holds it.
using Settings = std::map<std::string, std::string>;

struct SettingInfo {
  std::string name;      // of the key in a context; the flag is "--" + name
  std::string standard;  // the default
  std::string help;
};

// endpoints, timeout, output, keyspace.
const std::vector<SettingInfo>& SettingTable();

// Sets what `name` says, all but the origin. INVALID_ARGUMENT saying what is wrong with the value,
// or that there is no such setting; *options is unchanged then.
absl::Status ApplySetting(std::string_view name, const std::string& value, GlobalOptions* options);

// "a,b" → {"a", "b"}; empty parts are left out.
std::vector<std::string> SplitList(std::string_view text);

}  // namespace quorate::kvctl

#endif  // TOOLS_KVCTL_SETTINGS_H_
