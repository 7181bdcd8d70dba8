// Record keys: any bytes are a key of ours, with one encoding only and inside its replica's range,
// or none. Versions: sixteen bytes and nothing else.
#include <string>

#include "raft/check.h"
#include "server/storage/key_format.h"
#include "server/storage/version.h"

namespace quorate {
namespace {

void TryKey(std::string_view bytes) {
  const auto key = ParseRecordKey(bytes);
  if (!key) return;
  QUORATE_CHECK(RecordKey(key->replica, key->kind, key->suffix) == bytes);
  QUORATE_CHECK(ReplicaBegin(key->replica) < bytes && bytes < ReplicaEnd(key->replica));
  QUORATE_CHECK(bytes < RecordKindEnd(key->replica, key->kind));
  QUORATE_CHECK(key->replica.value() == LoadBigEndian64(bytes));
}

void TryVersion(std::string_view bytes) {
  const auto version = Version::FromBytes(bytes);
  QUORATE_CHECK(version.has_value() == (bytes.size() == Version::kSize));
  if (!version) return;
  QUORATE_CHECK(version->ToBytes() == bytes);
  QUORATE_CHECK(Version::Make(version->era(), version->stamp(), version->tie()) == *version);
}

}  // namespace
}  // namespace quorate

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  quorate::TryKey(bytes);
  quorate::TryVersion(bytes);
  return 0;
}
