#include "server/service/scan_token.h"

#include <xxhash.h>

#include "proto/error_detail.h"
#include "server/service/validate.h"

namespace quorate {
namespace {

constexpr uint8_t kFormat = 1;
constexpr size_t kHeadBytes = 1 + 8 + 1;
constexpr size_t kChecksumBytes = 8;

void Append64(std::string* out, uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) {
    out->push_back(static_cast<char>(value >> shift));
  }
}

uint64_t Load64(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < 8; ++i) {
    value = value << 8 | static_cast<uint8_t>(bytes[i]);
  }
  return value;
}

absl::Status Bad(const std::string& why) {
  return InvalidField("page_token", why + "; begin the scan anew");
}

}  // namespace

uint64_t ScanBoundsHash(uint64_t keyspace_id, const kv::v1::ScanRequest& request) {
  std::string bounds;
  Append64(&bounds, keyspace_id);
  for (const std::string* part :
       {&request.prefix(), &request.begin(), &request.end(), &request.routing_key()}) {
    Append64(&bounds, part->size());
    bounds += *part;
  }
  return XXH3_64bits(bounds.data(), bounds.size());
}

std::string EncodeScanToken(uint64_t bounds_hash, std::string_view last_key) {
  std::string token(1, static_cast<char>(kFormat));
  Append64(&token, bounds_hash);
  token.push_back(0);  // no versions of hash ranges
  token += last_key;
  Append64(&token, XXH3_64bits(token.data(), token.size()));
  return token;
}

absl::StatusOr<std::string> DecodeScanToken(uint64_t bounds_hash, std::string_view token) {
  if (token.size() <= kHeadBytes + kChecksumBytes ||
      token.size() > kHeadBytes + kKeyBytesMax + kChecksumBytes) {
    return Bad("not a page token");
  }
  const std::string_view body = token.substr(0, token.size() - kChecksumBytes);
  if (XXH3_64bits(body.data(), body.size()) != Load64(token.substr(body.size()))) {
    return Bad("not a page token, or damaged");
  }
  if (static_cast<uint8_t>(body[0]) != kFormat || body[kHeadBytes - 1] != 0) {
    return Bad("made by another version");
  }
  if (Load64(body.substr(1)) != bounds_hash) {
    return Bad("it belongs to a scan of other bounds or of an earlier keyspace of this name");
  }
  return std::string(body.substr(kHeadBytes));
}

}  // namespace quorate
