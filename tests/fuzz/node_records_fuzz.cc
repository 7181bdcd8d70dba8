// The node's identity: any bytes decode or are refused, and what decodes has one encoding only.
#include <string_view>

#include "raft/check.h"
#include "server/storage/node_records.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto identity = quorate::DecodeIdentity(bytes);
  QUORATE_CHECK(!identity.ok() || quorate::EncodeIdentity(*identity) == bytes);
  return 0;
}
