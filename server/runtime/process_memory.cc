#include "server/runtime/process_memory.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

#include "server/runtime/proc_file.h"

namespace quorate {
namespace {

// The number that a file begins with; 0: there is none ("max", no file).
size_t NumberIn(const std::string& path) {
  const std::string text = ReadProcFile(path);
  size_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// Lower of two limits of which 0 means none.
size_t Lower(size_t a, size_t b) {
  if (a == 0 || b == 0) {
    return std::max(a, b);
  }
  return std::min(a, b);
}

// Over a group and those it is in. Within a container the path may name a group that only the
// outside can see; then the root, which is the container's own group, still has its file.
size_t LowestUpwards(const std::string& root, std::string group, const std::string& file) {
  size_t lowest = 0;
  while (true) {
    lowest = Lower(lowest, NumberIn(root + group + "/" + file));
    const size_t slash = group.rfind('/');
    if (slash == std::string::npos) {
      return lowest;
    }
    group.resize(slash);
  }
}

}  // namespace

size_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  size_t virtual_pages = 0;
  size_t resident_pages = 0;
  statm >> virtual_pages >> resident_pages;
  return resident_pages * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

size_t ControlGroupLimit(const std::string& root, const std::string& self_cgroup) {
  // Lines are "number:controllers:path"; version 2's is "0::path".
  size_t lowest = 0;
  std::stringstream lines(self_cgroup);
  std::string line;
  while (std::getline(lines, line)) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) {
      continue;
    }
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string group = line.substr(second + 1);
    if (controllers == ",,") {
      lowest = Lower(lowest, LowestUpwards(root, group, "memory.max"));
    } else if (controllers.find(",memory,") != std::string::npos) {
      lowest = Lower(lowest, LowestUpwards(root + "/memory", group, "memory.limit_in_bytes"));
    }
  }
  return lowest;
}

size_t AvailableMemoryBytes() {
  const long pages = sysconf(_SC_PHYS_PAGES);
  const size_t machine =
      pages <= 0 ? 0 : static_cast<size_t>(pages) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return Lower(machine, ControlGroupLimit("/sys/fs/cgroup", ReadProcFile("/proc/self/cgroup")));
}

void ReturnFreeMemory() { malloc_trim(0); }

}  // namespace quorate
