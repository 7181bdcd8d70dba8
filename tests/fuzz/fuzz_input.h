// Cuts the bytes that libFuzzer hands over into the arguments of what is fuzzed.
#ifndef TESTS_FUZZ_FUZZ_INPUT_H_
#define TESTS_FUZZ_FUZZ_INPUT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace quorate::fuzz {

// Views live as long as the bytes. Taking from an empty input gives zeros and empty views, so that
// every input has a meaning.
class FuzzInput {
 public:
  FuzzInput(const uint8_t* data, size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  [[nodiscard]] bool empty() const { return rest_.empty(); }
  [[nodiscard]] std::string_view rest() const { return rest_; }

  // Big-endian.
  uint64_t TakeNumber(size_t bytes) {
    uint64_t number = 0;
    for (const char byte : TakeBytes(bytes)) {
      number = number << 8 | static_cast<unsigned char>(byte);
    }
    return number;
  }
  uint8_t TakeByte() { return static_cast<uint8_t>(TakeNumber(1)); }
  // At most `bytes` of them.
  std::string_view TakeBytes(size_t bytes) {
    const std::string_view taken = rest_.substr(0, std::min(bytes, rest_.size()));
    rest_.remove_prefix(taken.size());
    return taken;
  }
  // Two bytes of length, then as many bytes as there are.
  std::string_view TakePiece() { return TakeBytes(TakeNumber(2)); }

 private:
  std::string_view rest_;
};

}  // namespace quorate::fuzz

#endif  // TESTS_FUZZ_FUZZ_INPUT_H_
