// The log's records: any bytes decode or are refused, and what decodes has one encoding only. A
// checksum that fits is tried as well, for no mutation finds one.
#include <string>

#include "raft/check.h"
#include "server/storage/byte_codec.h"
#include "server/storage/log_record.h"
#include "tests/fuzz/fuzz_input.h"

namespace quorate {
namespace {

void TryNumbers(GroupId group, const std::string& bytes) {
  const auto head = DecodeLogHead(group, bytes);
  // Heads of the format before, without a membership, are read but not written any more.
  const bool present = head.ok() && head->configuration.has_value();
  QUORATE_CHECK(!present || EncodeLogHead(group, *head) == bytes);
  const auto state = DecodeHardState(group, bytes);
  QUORATE_CHECK(!state.ok() || EncodeHardState(group, *state) == bytes);
}

void TryEntry(GroupId group, raft::LogIndex index, const std::string& bytes) {
  const auto entry = DecodeEntry(group, index, bytes);
  if (!entry.ok()) return;
  const EntryFrame frame = FrameEntry(group, *entry);
  std::string again(frame.head.begin(), frame.head.end());
  if (entry->payload) again += *entry->payload;
  again.append(frame.checksum.begin(), frame.checksum.end());
  QUORATE_CHECK(again == bytes);
}

// The checksum's seed, as docs/formats.md has it: group, index, and the ten bytes of the head.
uint64_t EntrySeedOf(GroupId group, raft::LogIndex index, const std::string& head) {
  std::string place;
  AppendBigEndian<8>(&place, group.value());
  AppendBigEndian<8>(&place, index.value());
  place += head;
  return XXH3_64bits(place.data(), place.size());
}

}  // namespace
}  // namespace quorate

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace quorate;  // NOLINT(google-build-using-namespace)
  fuzz::FuzzInput input(data, size);
  const GroupId group(input.TakeNumber(2));
  const raft::LogIndex index(input.TakeNumber(2));
  const std::string raw(input.rest());
  TryNumbers(group, raw);
  TryEntry(group, index, raw);
  std::string numbers = raw;
  AppendChecksum(&numbers, group.value());
  TryNumbers(group, numbers);
  const std::string head(input.TakeBytes(10));
  std::string payload(input.rest());
  AppendChecksum(&payload, EntrySeedOf(group, index, head));
  TryEntry(group, index, head + payload);
  return 0;
}
