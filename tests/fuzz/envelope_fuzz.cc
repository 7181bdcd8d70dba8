// Stored values: any bytes decode or are refused, and what decodes has one encoding only. A
// checksum that fits is tried as well, for no mutation finds one.
#include <string>

#include "raft/check.h"
#include "server/storage/byte_codec.h"
#include "server/storage/envelope.h"

namespace quorate {
namespace {

void TryEnvelope(const std::string& bytes) {
  const auto envelope = DecodeEnvelope(bytes);
  QUORATE_CHECK(!envelope.ok() || EncodeEnvelope(*envelope) == bytes);
}

}  // namespace
}  // namespace quorate

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  quorate::TryEnvelope(bytes);
  quorate::AppendChecksum(&bytes, 0);
  quorate::TryEnvelope(bytes);
  return 0;
}
