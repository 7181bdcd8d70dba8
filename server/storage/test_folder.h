// A folder for one test, gone afterwards.
#ifndef SERVER_STORAGE_TEST_FOLDER_H_
#define SERVER_STORAGE_TEST_FOLDER_H_

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace quorate {

class TestFolder {
 public:
  TestFolder() {
    std::string pattern = testing::TempDir() + "/quorate-storage-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  [[nodiscard]] std::string Sub(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace quorate

#endif  // SERVER_STORAGE_TEST_FOLDER_H_
