// kvctl's manual page, made from the table of commands.
#ifndef TOOLS_KVCTL_MAN_PAGE_H_
#define TOOLS_KVCTL_MAN_PAGE_H_

#include <string>

#include "tools/kvctl/command_info.h"

namespace quorate::kvctl {

// In roff.
std::string ManPage(const CommandInfo& root);

// "kvctl put [OPTION…] KEYSPACE KEY VALUE"; `name` as typed.
std::string Synopsis(const CommandInfo& command, const std::string& name);

}  // namespace quorate::kvctl

#endif  // TOOLS_KVCTL_MAN_PAGE_H_
