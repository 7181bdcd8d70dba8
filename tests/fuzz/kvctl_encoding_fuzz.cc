// What kvctl reads and writes keys and values as: any text is read or refused; what is written is
// read back, byte for byte.
#include <string>

#include "raft/check.h"
#include "tools/kvctl/encoding.h"
#include "tools/kvctl/record.h"

namespace quorate::kvctl {
namespace {

void TryText(std::string_view text) {
  if (const auto bytes = FromHex(text); bytes.ok()) {
    QUORATE_CHECK(ToHex(*bytes).size() == text.size());
  }
  if (const auto bytes = FromBase64(text); bytes.ok()) QUORATE_CHECK(ToBase64(*bytes) == text);
  const auto record = ParseRecord(text);
  if (!record.ok()) return;
  const auto again = ParseRecord(RecordLine(*record));
  QUORATE_CHECK(again.ok() && again->key == record->key && again->value == record->value);
}

void TryBytes(std::string_view bytes) {
  QUORATE_CHECK(*FromHex(ToHex(bytes)) == bytes);
  QUORATE_CHECK(*FromBase64(ToBase64(bytes)) == bytes);
  QUORATE_CHECK(IsUtf8(Printable(bytes)));
  const size_t half = bytes.size() / 2;
  const Record record{.key = std::string(bytes.substr(0, half)),
                      .value = std::string(bytes.substr(half))};
  const auto again = ParseRecord(RecordLine(record));
  QUORATE_CHECK(again.ok() && again->key == record.key && again->value == record.value);
}

}  // namespace
}  // namespace quorate::kvctl

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  quorate::kvctl::TryText(bytes);
  quorate::kvctl::TryBytes(bytes);
  return 0;
}
