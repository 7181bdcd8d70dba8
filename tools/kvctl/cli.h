// The command line: parses it and runs the command it names.
#ifndef TOOLS_KVCTL_CLI_H_
#define TOOLS_KVCTL_CLI_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tools/kvctl/command_info.h"

namespace quorate::kvctl {

// All commands, without what the environment says.
CommandInfo DescribeCommands();

// Parses without running; the environment and contexts have no say. INVALID_ARGUMENT: it would end
// with exit code 2.
absl::Status CheckCommandLine(const std::vector<std::string>& words);

// Returns the exit code. Every flag can also be set in the environment: --some-flag by
// KVCTL_SOME_FLAG, and the settings of settings.h in a context; the command line wins over the
// environment, and that over the context.
int RunCommandLine(int argc, char** argv);

}  // namespace quorate::kvctl

#endif  // TOOLS_KVCTL_CLI_H_
