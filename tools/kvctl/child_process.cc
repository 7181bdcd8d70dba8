#include "tools/kvctl/child_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string_view>
#include <system_error>

#include "fmt/format.h"

namespace quorate::kvctl {
namespace {

// Pointers into `texts`, ended by a null as exec wants them.
std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) {
    pointers.push_back(text.data());
  }
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> EnvironmentOf(const ChildOptions& options) {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    const std::string name(text.substr(0, text.find('=')));
    const bool dropped = !options.dropped.empty() && name.starts_with(options.dropped);
    if (!dropped && !options.environment.contains(name)) {
      variables.emplace_back(text);
    }
  }
  for (const auto& [name, value] : options.environment) {
    variables.push_back(fmt::format("{}={}", name, value));
  }
  return variables;
}

// After fork, where only what is safe in a signal handler may be called: other threads' locks stay
// as they were.
[[noreturn]] void BecomeProgram(pid_t parent, int log, int errors, char** command,
                                char** variables) {
  if (log >= 0) {
    setpgid(0, 0);
    const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    dup2(nothing, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  prctl(PR_SET_PDEATHSIG, log >= 0 ? SIGKILL : SIGTERM);
  // The parent may have ended before that call.
  if (getppid() == parent) {
    execvpe(command[0], command, variables);
  }
  const int error = errno;
  [[maybe_unused]] const ssize_t told = write(errors, &error, sizeof(error));
  _exit(127);
}

}  // namespace

absl::StatusOr<ChildProcess> ChildProcess::Start(const ChildOptions& options) {
  std::vector<std::string> command = options.command;
  std::vector<std::string> variables = EnvironmentOf(options);
  const std::vector<char*> command_pointers = Pointers(command);
  const std::vector<char*> variable_pointers = Pointers(variables);
  int log = -1;
  if (!options.log_file.empty()) {
    log = open(options.log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0) {
      return absl::InvalidArgumentError(fmt::format("{} cannot be written", options.log_file));
    }
  }
  // Closed by a successful exec; otherwise it brings the reason.
  int errors[2];
  if (pipe2(errors, O_CLOEXEC) != 0) {
    return absl::InternalError("no pipe can be made");
  }
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    BecomeProgram(parent, log, errors[1], const_cast<char**>(command_pointers.data()),
                  const_cast<char**>(variable_pointers.data()));
  }
  close(errors[1]);
  if (log >= 0) {
    close(log);
  }
  int error = pid < 0 ? errno : 0;
  const bool failed = pid < 0 || read(errors[0], &error, sizeof(error)) > 0;
  close(errors[0]);
  if (!failed) {
    return ChildProcess(pid);
  }
  if (pid > 0) {
    waitpid(pid, nullptr, 0);
  }
  return absl::InvalidArgumentError(fmt::format("{} cannot be run: {}", options.command[0],
                                                std::generic_category().message(error)));
}

std::optional<int> ChildProcess::ExitCode() {
  int status = 0;
  if (!exit_code_ && waitpid(pid_, &status, WNOHANG) == pid_) {
    exit_code_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
  return exit_code_;
}

void ChildProcess::Signal(int number) const {
  if (!exit_code_) {
    kill(pid_, number);
  }
}

}  // namespace quorate::kvctl
