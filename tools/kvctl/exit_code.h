// kvctl's exit codes: an API for scripts, documented in docs/cli.md.
#ifndef TOOLS_KVCTL_EXIT_CODE_H_
#define TOOLS_KVCTL_EXIT_CODE_H_

#include <string>
#include <vector>

#include "quorate/result.h"

namespace quorate::kvctl {

enum ExitCode : int {
  kExitDone = 0,
  kExitRefused = 1,         // refused, or failed
  kExitUsage = 2,           // the command line is wrong
  kExitUnreachable = 3,     // no node answered, or the deadline passed; nothing was applied
  kExitNotFound = 4,        // no such key, keyspace or context
  kExitConditionFalse = 5,  // --if-absent or --if-version did not hold
  kExitUnknown = 6,         // may have been applied; the request id makes a repeat safe
  kExitNotAuthorised = 7,
  kExitCannotServe = 8,  // nodes answered, but the keyspace cannot keep its promise now
  kExitInterrupted = 130,
};

struct ExitCodeInfo {
  int code = 0;
  std::string help;
};
// All of them, for people.
const std::vector<ExitCodeInfo>& ExitCodeTable();

// The code that tells how a call ended.
ExitCode ExitCodeOf(client::Outcome outcome, client::Reason reason);
inline ExitCode ExitCodeOf(const client::Result& result) {
  return ExitCodeOf(result.outcome, result.reason);
}

}  // namespace quorate::kvctl

#endif  // TOOLS_KVCTL_EXIT_CODE_H_
