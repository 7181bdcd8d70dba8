// Page tokens: any bytes are a token of this scan, with one encoding only, or refused. A checksum
// that fits is tried as well, for no mutation finds one.
#include <xxhash.h>

#include <string>

#include "raft/check.h"
#include "server/service/scan_token.h"
#include "server/storage/key_format.h"
#include "tests/fuzz/fuzz_input.h"

namespace quorate {
namespace {

void TryToken(uint64_t bounds_hash, const std::string& token) {
  const auto key = DecodeScanToken(bounds_hash, token);
  QUORATE_CHECK(!key.ok() || EncodeScanToken(bounds_hash, *key) == token);
}

}  // namespace
}  // namespace quorate

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  quorate::fuzz::FuzzInput input(data, size);
  const uint64_t bounds_hash = input.TakeNumber(8);
  std::string token(input.rest());
  quorate::TryToken(bounds_hash, token);
  quorate::AppendBigEndian64(&token, XXH3_64bits(token.data(), token.size()));
  quorate::TryToken(bounds_hash, token);
  return 0;
}
