// A program run by kvctl that does not outlive it, however kvctl ends.
#ifndef TOOLS_KVCTL_CHILD_PROCESS_H_
#define TOOLS_KVCTL_CHILD_PROCESS_H_

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace quorate::kvctl {

struct ChildOptions {
  std::vector<std::string> command;  // a path, or a name to look for in PATH; then arguments
  // Beside kvctl's own variables, of which those that begin with `dropped` are left out.
  std::map<std::string, std::string> environment;
  std::string dropped;
  // Where its output goes; its input is empty then, and signals of the terminal do not reach it.
  // Empty: it shares kvctl's streams and terminal.
  std::string log_file;
};

// Main thread only: the kernel ends the child with the thread that started it.
class ChildProcess {
 public:
  // INVALID_ARGUMENT when the program cannot be run.
  static absl::StatusOr<ChildProcess> Start(const ChildOptions& options);

  [[nodiscard]] pid_t pid() const { return pid_; }
  // Its exit code, 128 and the signal's number when a signal ended it; unset: it still runs.
  std::optional<int> ExitCode();
  void Signal(int number) const;

 private:
  explicit ChildProcess(pid_t pid) : pid_(pid) {}

  pid_t pid_;
  std::optional<int> exit_code_;  // set once it is waited for: its pid is free then
};

}  // namespace quorate::kvctl

#endif  // TOOLS_KVCTL_CHILD_PROCESS_H_
