// Names that users copy from one call into the next: versions, request ids, durations.
#include <string>

#include "quorate/result.h"
#include "raft/check.h"
#include "tools/kvctl/duration.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using quorate::client::RequestId;
  using quorate::client::Version;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto version = Version::FromHex(text)) {
    QUORATE_CHECK(Version::FromHex(version->ToHex()) == version);
    QUORATE_CHECK(version->ToHex().size() == text.size());
  }
  if (const auto id = RequestId::Parse(text)) {
    QUORATE_CHECK(RequestId::Parse(id->ToString()) == id);
  }
  if (const auto duration = quorate::kvctl::ParseDuration(text)) {
    QUORATE_CHECK(duration->count() >= 0 && *duration <= std::chrono::hours(24));
  }
  return 0;
}
