#include "server/cluster/envelope_seal.h"

#include <xxhash.h>

#include "server/storage/byte_codec.h"

namespace quorate {

void SealEnvelope(std::string* bytes) {
  AppendBigEndian<kEnvelopeSealBytes>(bytes, XXH3_64bits(bytes->data(), bytes->size()));
}

std::optional<std::string_view> OpenSealedEnvelope(std::string_view bytes) {
  if (bytes.size() < kEnvelopeSealBytes) return std::nullopt;
  const std::string_view envelope = bytes.substr(0, bytes.size() - kEnvelopeSealBytes);
  ByteReader seal(bytes.substr(envelope.size()));
  uint64_t stored = 0;
  (void)seal.Read<kEnvelopeSealBytes>(&stored);
  if (stored != XXH3_64bits(envelope.data(), envelope.size())) return std::nullopt;
  return envelope;
}

}  // namespace quorate
