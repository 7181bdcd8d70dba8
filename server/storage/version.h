// A value's version: 16 bytes that users see as opaque and order as bytes.
//
//   era (3) | stamp (8) | tie (5), each big-endian
//
// The era comes from a cluster-wide counter and is raised whenever a partition's history may not
// continue. The stamp is a hybrid logical clock (Kulkarni et al., OPODIS 2014): 48 bits of
// milliseconds since the epoch and a 16-bit counter. The tie is zero in raft keyspaces and unique
// per writer in quorum keyspaces.
//
// Pure values and functions; any thread.
#ifndef SERVER_STORAGE_VERSION_H_
#define SERVER_STORAGE_VERSION_H_

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace quorate {

// All zero means "none"; it is below every version that is ever given.
class Version {
 public:
  static constexpr size_t kSize = 16;
  static constexpr uint32_t kEraMax = (1u << 24) - 1;
  static constexpr uint64_t kTieMax = (uint64_t{1} << 40) - 1;

  constexpr Version() = default;
  // Higher bits of era and tie than fit are cut off; callers keep within the maxima.
  static constexpr Version Make(uint32_t era, uint64_t stamp, uint64_t tie = 0) {
    Version version;
    Store(version.bytes_.data(), era, 3);
    Store(version.bytes_.data() + 3, stamp, 8);
    Store(version.bytes_.data() + 11, tie, 5);
    return version;
  }
  // Nothing unless `bytes` has exactly 16 bytes.
  static std::optional<Version> FromBytes(std::string_view bytes) {
    if (bytes.size() != kSize) return std::nullopt;
    Version version;
    std::copy(bytes.begin(), bytes.end(), version.bytes_.begin());
    return version;
  }

  [[nodiscard]] std::string ToBytes() const { return std::string(view()); }
  // Lives as long as this object.
  [[nodiscard]] std::string_view view() const {
    return {reinterpret_cast<const char*>(bytes_.data()), kSize};
  }
  [[nodiscard]] constexpr uint32_t era() const {
    return static_cast<uint32_t>(Load(bytes_.data(), 3));
  }
  [[nodiscard]] constexpr uint64_t stamp() const { return Load(bytes_.data() + 3, 8); }
  [[nodiscard]] constexpr uint64_t tie() const { return Load(bytes_.data() + 11, 5); }
  [[nodiscard]] constexpr bool IsNone() const { return *this == Version(); }

  friend constexpr auto operator<=>(const Version&, const Version&) = default;

 private:
  static constexpr void Store(unsigned char* out, uint64_t value, int bytes) {
    for (int i = bytes - 1; i >= 0; --i, value >>= 8) out[i] = static_cast<unsigned char>(value);
  }
  static constexpr uint64_t Load(const unsigned char* in, int bytes) {
    uint64_t value = 0;
    for (int i = 0; i < bytes; ++i) value = value << 8 | in[i];
    return value;
  }

  std::array<unsigned char, kSize> bytes_{};
};

// The stamp of a wall clock's time in microseconds, counter zero. Times before the epoch and beyond
// the year 6429 are moved to these ends, so that a mad clock cannot make a later stamp overflow.
[[nodiscard]] constexpr uint64_t StampFromMicros(int64_t wall_micros) {
  const uint64_t millis = wall_micros < 0 ? 0 : static_cast<uint64_t>(wall_micros) / 1000;
  return std::min(millis, (uint64_t{1} << 47) - 1) << 16;
}

// Microseconds since the epoch that the stamp stands for; the counter is dropped.
[[nodiscard]] constexpr uint64_t StampToMicros(uint64_t stamp) { return (stamp >> 16) * 1000; }

// The stamp after `last` that is not below `proposed`: what applying a command gives. A counter
// that overflows runs into the milliseconds, which is harmless.
[[nodiscard]] constexpr uint64_t NextStamp(uint64_t last, uint64_t proposed) {
  return std::max(last + 1, proposed);
}

}  // namespace quorate

#endif  // SERVER_STORAGE_VERSION_H_
