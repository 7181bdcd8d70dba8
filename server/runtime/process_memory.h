// How much memory the process uses, and how much it may.
#ifndef SERVER_RUNTIME_PROCESS_MEMORY_H_
#define SERVER_RUNTIME_PROCESS_MEMORY_H_

#include <cstddef>
#include <string>

namespace quorate {

// Any thread may call any of these; each reads small files of /proc or /sys.

// What the process holds in memory now; 0: cannot be told.
[[nodiscard]] size_t ResidentBytes();

// The machine's memory or the limit of a control group around the process, whichever is lower;
// 0: cannot be told.
[[nodiscard]] size_t AvailableMemoryBytes();

// Gives memory that was freed back to the kernel. The allocator keeps it otherwise, and a process
// that once was large would look short of memory for ever. Takes milliseconds to a tenth of a
// second and makes allocations wait meanwhile.
void ReturnFreeMemory();

// The lowest limit of the control groups that `self_cgroup`, the text of /proc/self/cgroup, names,
// with the hierarchies of versions 1 and 2 mounted at `root` (/sys/fs/cgroup). 0: none.
[[nodiscard]] size_t ControlGroupLimit(const std::string& root, const std::string& self_cgroup);

}  // namespace quorate

#endif  // SERVER_RUNTIME_PROCESS_MEMORY_H_
