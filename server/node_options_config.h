// Reads kvd's configuration file. Apart from the option table because of what TOML costs to
// compile.
#ifndef SERVER_NODE_OPTIONS_CONFIG_H_
#define SERVER_NODE_OPTIONS_CONFIG_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace quorate {

// One key of the file; numbers and truth values as text.
struct ConfigKey {
  std::string name;
  std::vector<std::string> values;  // several from a list
  int line = 0;
};

// The keys of a TOML file without sections. Errors name `source` and the line.
absl::StatusOr<std::vector<ConfigKey>> ReadConfigKeys(const std::string& config,
                                                      const std::string& source);

}  // namespace quorate

#endif  // SERVER_NODE_OPTIONS_CONFIG_H_
