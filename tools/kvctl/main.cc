// kvctl: the command line of Quorate.
#include <cstdio>

#include "absl/synchronization/mutex.h"
#include "tools/kvctl/cli.h"
#include "tools/kvctl/exit_code.h"

int main(int argc, char** argv) {
  // gRPC uses absl::Mutex; Debian builds its deadlock detection in, which is slow and aborts.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  int code = quorate::kvctl::RunCommandLine(argc, argv);
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    std::fprintf(stderr, "kvctl: writing the results failed\n");
    code = code == quorate::kvctl::kExitDone ? quorate::kvctl::kExitRefused : code;
  }
  return code;
}
