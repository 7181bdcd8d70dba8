// The command line: parses it and runs the command it names.
#ifndef TOOLS_KVCTL_CLI_H_
#define TOOLS_KVCTL_CLI_H_

namespace quorate::kvctl {

// Returns the exit code. Every flag can also be set in the environment: --some-flag by
// KVCTL_SOME_FLAG; the command line wins.
int RunCommandLine(int argc, char** argv);

}  // namespace quorate::kvctl

#endif  // TOOLS_KVCTL_CLI_H_
