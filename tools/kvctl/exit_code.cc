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

const std::vector<ExitCodeInfo>& ExitCodeTable() {
  static const auto* const kTable = new std::vector<ExitCodeInfo>{
      {kExitDone, "done"},
      {kExitRefused, "refused, or failed"},
      {kExitUsage, "the command line, or the file of contexts, is wrong; nothing was sent"},
      {kExitUnreachable, "no node answered, or the deadline passed; nothing was applied"},
      {kExitNotFound, "no such key, keyspace or context"},
      {kExitConditionFalse, "--if-absent or --if-version did not hold; nothing was applied"},
      {kExitUnknown,
       "outcome unknown: it may have been applied, or may be applied later; the request id that is "
       "printed makes a repeat safe"},
      {kExitNotAuthorised, "not authorised"},
      {kExitCannotServe,
       "nodes answered, but the keyspace cannot keep its promise now; nothing was applied"},
      {kExitInterrupted, "interrupted by SIGINT"}};
  return *kTable;
}

}  // namespace quorate::kvctl
