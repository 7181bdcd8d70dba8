// The few primitives that all our record formats are made of: big-endian integers, LEB128 lengths
// and a 32-bit checksum. Reading is total: running off the end is an answer, not a crash.
#ifndef SERVER_STORAGE_BYTE_CODEC_H_
#define SERVER_STORAGE_BYTE_CODEC_H_

#include <xxhash.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace quorate {

template <int kBytes>
void AppendBigEndian(std::string* out, uint64_t value) {
  for (int shift = 8 * (kBytes - 1); shift >= 0; shift -= 8) {
    out->push_back(static_cast<char>(value >> shift));
  }
}

// A LEB128 length, then the bytes.
inline void AppendLengthPrefixed(std::string* out, std::string_view bytes) {
  uint64_t rest = bytes.size();
  for (; rest >= 0x80; rest >>= 7) out->push_back(static_cast<char>(rest | 0x80));
  out->push_back(static_cast<char>(rest));
  out->append(bytes);
}

// XXH3, cut to 32 bits. `seed` binds the bytes to where they belong.
inline uint32_t Checksum32(std::string_view bytes, uint64_t seed) {
  return static_cast<uint32_t>(XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed));
}

inline void AppendChecksum(std::string* out, uint64_t seed) {
  AppendBigEndian<4>(out, Checksum32(*out, seed));
}

// Walks over bytes it does not own. After a failed read nothing more can be read.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  template <int kBytes>
  bool Read(uint64_t* value) {
    std::string_view bytes;
    if (!ReadBytes(kBytes, &bytes)) return false;
    *value = 0;
    for (const char byte : bytes) *value = *value << 8 | static_cast<unsigned char>(byte);
    return true;
  }

  bool ReadBytes(size_t size, std::string_view* bytes) {
    if (rest_.size() < size) return Fail();
    *bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
  }

  bool ReadLengthPrefixed(std::string_view* bytes) {
    uint64_t size = 0;
    for (int shift = 0; shift < 35; shift += 7) {
      uint64_t byte = 0;
      if (!Read<1>(&byte)) return false;
      // One length has one encoding: none ends in a byte that adds nothing.
      if (byte == 0 && shift > 0) return Fail();
      size |= (byte & 0x7f) << shift;
      if (byte < 0x80) return ReadBytes(size, bytes);
    }
    return Fail();
  }

  [[nodiscard]] std::string_view rest() const { return rest_; }

 private:
  bool Fail() {
    rest_ = {};
    return false;
  }

  std::string_view rest_;
};

// Cuts the last four bytes off `bytes` and compares them with the checksum of the others.
inline bool CheckAndStripChecksum(std::string_view* bytes, uint64_t seed) {
  if (bytes->size() < 4) return false;
  uint64_t stored = 0;
  ByteReader tail(bytes->substr(bytes->size() - 4));
  (void)tail.Read<4>(&stored);
  bytes->remove_suffix(4);
  return stored == Checksum32(*bytes, seed);
}

}  // namespace quorate

#endif  // SERVER_STORAGE_BYTE_CODEC_H_
