// What the kernel tells in /proc and /sys/fs/cgroup.
#ifndef SERVER_RUNTIME_PROC_FILE_H_
#define SERVER_RUNTIME_PROC_FILE_H_

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace quorate {

// The whole file; empty when there is none. Any thread.
inline std::string ReadProcFile(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace quorate

#endif  // SERVER_RUNTIME_PROC_FILE_H_
