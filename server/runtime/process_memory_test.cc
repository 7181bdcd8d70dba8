#include "server/runtime/process_memory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <vector>

namespace quorate {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

void Write(const std::string& path, const std::string& text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path) << text;
}

TEST(ProcessMemoryTest, ResidentBytesFollowWhatIsTouched) {
  const size_t before = ResidentBytes();
  ASSERT_GT(before, kMiB);
  std::vector<char> touched(64 * kMiB, 'x');
  EXPECT_GE(ResidentBytes(), before + 48 * kMiB) << touched[kMiB];
}

TEST(ProcessMemoryTest, ThereIsAtLeastSomeMemory) { EXPECT_GT(AvailableMemoryBytes(), 64 * kMiB); }

TEST(ProcessMemoryTest, LowestControlGroupLimitCounts) {
  const std::string root = testing::TempDir() + "/process_memory_test";
  std::filesystem::remove_all(root);
  Write(root + "/pod/memory.max", "1000000\n");
  Write(root + "/pod/box/memory.max", "max\n");
  EXPECT_EQ(ControlGroupLimit(root, "0::/pod/box\n"), 1'000'000U);
  EXPECT_EQ(ControlGroupLimit(root, "0::/\n"), 0U);
  EXPECT_EQ(ControlGroupLimit(root, ""), 0U);
  EXPECT_EQ(ControlGroupLimit(root, "no colon\n"), 0U);
  // As a container sees it: its own group is the root, the path is the host's.
  Write(root + "/memory.max", "500000\n");
  EXPECT_EQ(ControlGroupLimit(root, "0::/of/the/host\n"), 500'000U);
  // Version 1.
  Write(root + "/memory/a/memory.limit_in_bytes", "7000\n");
  EXPECT_EQ(ControlGroupLimit(root, "4:cpu:/a\n7:memory:/a\n"), 7000U);
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace quorate
