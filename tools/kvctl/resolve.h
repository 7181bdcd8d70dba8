// From flags, environment and contexts to the options that a command runs with.
#ifndef TOOLS_KVCTL_RESOLVE_H_
#define TOOLS_KVCTL_RESOLVE_H_

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/kvctl/command_info.h"
#include "tools/kvctl/settings.h"

namespace quorate::kvctl {

// The environment: a variable's value, empty when it is not set.
using Environment = std::function<std::string(const std::string& name)>;

// --config, or KVCTL_CONFIG, or kvctl/config.toml in $XDG_CONFIG_HOME, or in ~/.config. Empty:
// nothing says where.
std::string ConfigPath(const std::map<std::string, std::string>& flags,
                       const Environment& environment);

// Each setting from its flag, else its variable, else the context that --context, KVCTL_CONTEXT or
// the file's `current` names, else the default; with where it came from. INVALID_ARGUMENT for a
// malformed file, one named but absent, an unknown context, or a bad value. Without `use_context`
// the file is not looked at.
absl::StatusOr<GlobalOptions> ResolveSettings(const std::map<std::string, std::string>& flags,
                                              const Environment& environment, bool use_context);

// `words` with `keyspace` put in where the command takes a KEYSPACE first and exactly one argument
// too few was typed; unchanged otherwise.
std::vector<std::string> WithKeyspace(const TypedLine& line, std::vector<std::string> words,
                                      const std::string& keyspace);

}  // namespace quorate::kvctl

#endif  // TOOLS_KVCTL_RESOLVE_H_
