#include "tools/kvctl/byte_argument.h"

#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <system_error>

#include "fmt/format.h"

namespace quorate::kvctl {
namespace {

absl::StatusOr<std::string> ReadStandardInput() {
  static bool taken = false;
  if (taken) {
    return absl::InvalidArgumentError("only one of them can be - (standard input)");
  }
  taken = true;
  return std::string(std::istreambuf_iterator<char>(std::cin), {});
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::error_code error;
  // Reading a folder as a stream would throw.
  if (!std::filesystem::is_directory(path, error)) {
    std::ifstream file(path, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(file), {}};
    if (file.is_open() && !file.bad()) {
      return bytes;
    }
  }
  return absl::InvalidArgumentError(
      fmt::format("the file '{}' cannot be read; a text that begins with @ is written @@", path));
}

}  // namespace

absl::StatusOr<std::string> ReadByteArgument(const std::string& text, Encoding encoding) {
  if (text == "-") {
    return ReadStandardInput();
  }
  if (text.starts_with("@@")) {
    return Decode(text.substr(1), encoding);
  }
  return text.starts_with('@') ? ReadFile(text.substr(1)) : Decode(text, encoding);
}

}  // namespace quorate::kvctl
