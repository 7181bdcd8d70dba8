// A progress display on standard error.
#ifndef TOOLS_KVCTL_PROGRESS_H_
#define TOOLS_KVCTL_PROGRESS_H_

#include <chrono>
#include <cstdint>
#include <string>

namespace quorate::kvctl {

struct ProgressState {
  uint64_t records = 0;
  uint64_t bytes = 0;        // of the input
  uint64_t bytes_total = 0;  // 0: not known
  double seconds = 0;        // since the beginning
};

// "[=====>    ] 52 %  31234 records  12345/s  ETA 0:05", in at most 79 characters; without a total
// there is no bar, share and ETA.
std::string ProgressLine(const ProgressState& state);

// A bar that redraws itself on a terminal, else a line every five seconds. Not for several threads.
class Progress {
 public:
  Progress();
  // Redraws at most ten times a second.
  void Update(const ProgressState& state);
  // Takes the bar away, so that a summary or an error starts on a clean line.
  void Clear();

 private:
  const bool terminal_;
  bool drawn_ = false;
  double last_seconds_ = 0;
};

}  // namespace quorate::kvctl

#endif  // TOOLS_KVCTL_PROGRESS_H_
