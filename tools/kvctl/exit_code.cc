#include "tools/kvctl/exit_code.h"

namespace quorate::kvctl {

ExitCode ExitCodeOf(client::Outcome outcome, client::Reason reason) {
  if (outcome == client::Outcome::kDone) {
    return kExitDone;
  }
  if (outcome == client::Outcome::kUnknown) {
    return kExitUnknown;
  }
  switch (reason) {
    case client::Reason::kKeyNotFound:
    case client::Reason::kKeyspaceNotFound:
      return kExitNotFound;
    case client::Reason::kConditionFalse:
      return kExitConditionFalse;
    case client::Reason::kUnreachable:
    case client::Reason::kDeadline:
      return kExitUnreachable;
    case client::Reason::kNotAuthorised:
      return kExitNotAuthorised;
    case client::Reason::kCannotServe:
      return kExitCannotServe;
    default:
      return kExitRefused;
  }
}

}  // namespace quorate::kvctl
