// `kvctl __complete`: what the shells' scripts run at each TAB (completion.h says what it prints).
#ifndef TOOLS_KVCTL_COMPLETE_COMMAND_H_
#define TOOLS_KVCTL_COMPLETE_COMMAND_H_

#include <string>
#include <vector>

#include "tools/kvctl/command_info.h"
#include "tools/kvctl/resolve.h"

namespace quorate::kvctl {

// Asks the cluster for names where they are wanted, for 200 ms at most. Says nothing of failures:
// the user is typing. Returns the exit code.
int RunComplete(const CommandInfo& root, const std::vector<std::string>& words,
                const Environment& environment);

}  // namespace quorate::kvctl

#endif  // TOOLS_KVCTL_COMPLETE_COMMAND_H_
