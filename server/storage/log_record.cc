#include "server/storage/log_record.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "raft/check.h"
#include "raft/configuration.h"
#include "server/storage/byte_codec.h"

namespace quorate {
namespace {

constexpr uint64_t kLogRecordFormat = 1;
// With the configuration behind the numbers.
constexpr uint64_t kLogHeadFormat = 2;
// With life and cured behind the numbers; only where a life was ever counted.
constexpr uint64_t kHardStateFormat = 2;
constexpr size_t kEntryKeySize = 17;

uint64_t SeedOf(std::string_view name) { return XXH3_64bits(name.data(), name.size()); }

absl::Status Damaged(GroupId group, std::string_view what) {
  return absl::DataLossError(fmt::format("group {}: damaged {}", group.value(), what));
}

absl::Status CheckFormat(GroupId group, uint64_t format, uint64_t known, std::string_view what) {
  if (format == 0) return Damaged(group, what);
  if (format <= known) return absl::OkStatus();
  return absl::UnimplementedError(
      fmt::format("group {}: {} has format {}, this version knows up to {}; start a newer version "
                  "of Quorate",
                  group.value(), what, format, known));
}

// format (1) | three numbers (8 each) | what else the format has | checksum (4): both small
// records.
struct SmallRecord {
  uint64_t format = kLogRecordFormat;
  std::array<uint64_t, 3> numbers{};
  std::string_view rest{};
};

std::string EncodeSmall(GroupId group, const SmallRecord& record) {
  std::string out;
  AppendBigEndian<1>(&out, record.format);
  for (const uint64_t number : record.numbers) AppendBigEndian<8>(&out, number);
  out.append(record.rest);
  AppendChecksum(&out, group.value());
  return out;
}

// The result's `rest` lies in `bytes`.
absl::StatusOr<SmallRecord> DecodeSmall(GroupId group, std::string_view bytes, uint64_t known,
                                        std::string_view what) {
  if (!CheckAndStripChecksum(&bytes, group.value())) return Damaged(group, what);
  ByteReader reader(bytes);
  SmallRecord record;
  if (!reader.Read<1>(&record.format)) return Damaged(group, what);
  if (absl::Status status = CheckFormat(group, record.format, known, what); !status.ok()) {
    return status;
  }
  for (uint64_t& number : record.numbers) {
    if (!reader.Read<8>(&number)) return Damaged(group, what);
  }
  record.rest = reader.rest();
  if (record.format == kLogRecordFormat && !record.rest.empty()) return Damaged(group, what);
  return record;
}

// Binds an entry's payload to its place and to the bytes before it.
uint64_t EntrySeed(GroupId group, raft::LogIndex index, std::string_view head) {
  std::string place;
  AppendBigEndian<8>(&place, group.value());
  AppendBigEndian<8>(&place, index.value());
  place.append(head);
  return XXH3_64bits(place.data(), place.size());
}

template <size_t kSize>
std::string_view View(const std::array<char, kSize>& bytes) {
  return {bytes.data(), bytes.size()};
}

}  // namespace

std::string EncodeLogHead(GroupId group, const LogHead& head) {
  QUORATE_CHECK(head.configuration.has_value());
  const bool none = head.configuration->voters.empty();
  const std::string members = none ? "" : raft::EncodeConfiguration(*head.configuration);
  return EncodeSmall(group, {.format = kLogHeadFormat,
                             .numbers = {head.replica.value(), head.compacted_index.value(),
                                         head.compacted_term.value()},
                             .rest = members});
}

absl::StatusOr<LogHead> DecodeLogHead(GroupId group, std::string_view bytes) {
  const auto record = DecodeSmall(group, bytes, kLogHeadFormat, "log head");
  if (!record.ok()) return record.status();
  LogHead head{.replica = ReplicaId(record->numbers[0]),
               .compacted_index = raft::LogIndex(record->numbers[1]),
               .compacted_term = raft::Term(record->numbers[2]),
               .configuration = std::nullopt};
  if (record->format < kLogHeadFormat) return head;
  head.configuration.emplace();
  if (record->rest.empty()) return head;
  auto members = raft::DecodeConfiguration(record->rest);
  if (!members.ok()) return Damaged(group, "log head");
  head.configuration = *std::move(members);
  return head;
}

std::string EncodeHardState(GroupId group, const raft::HardState& state) {
  SmallRecord record{
      .numbers = {state.term.value(), state.voted_for.value(), state.commit.value()}};
  if (state.life == 0) return EncodeSmall(group, record);
  std::string lives;
  AppendBigEndian<8>(&lives, state.life);
  AppendBigEndian<8>(&lives, state.cured);
  record.format = kHardStateFormat;
  record.rest = lives;
  return EncodeSmall(group, record);
}

absl::StatusOr<raft::HardState> DecodeHardState(GroupId group, std::string_view bytes) {
  const auto record = DecodeSmall(group, bytes, kHardStateFormat, "hard state");
  if (!record.ok()) return record.status();
  raft::HardState state{.term = raft::Term(record->numbers[0]),
                        .voted_for = ReplicaId(record->numbers[1]),
                        .commit = raft::LogIndex(record->numbers[2])};
  if (record->format < kHardStateFormat) return state;
  ByteReader reader(record->rest);
  const bool whole = reader.Read<8>(&state.life) && reader.Read<8>(&state.cured);
  if (!whole || !reader.rest().empty() || state.life == 0 || state.cured > state.life) {
    return Damaged(group, "hard state");
  }
  return state;
}

std::string SealNodeRecord(std::string_view name, std::string_view bytes) {
  std::string sealed(bytes);
  AppendChecksum(&sealed, SeedOf(name));
  return sealed;
}

std::optional<std::string_view> OpenNodeRecord(std::string_view name, std::string_view sealed) {
  if (!CheckAndStripChecksum(&sealed, SeedOf(name))) return std::nullopt;
  return sealed;
}

EntryFrame FrameEntry(GroupId group, const raft::Entry& entry) {
  std::string head;
  AppendBigEndian<1>(&head, kLogRecordFormat);
  AppendBigEndian<1>(&head, static_cast<uint64_t>(entry.kind));
  AppendBigEndian<8>(&head, entry.term.value());
  EntryFrame frame{};
  QUORATE_CHECK(head.size() == frame.head.size());
  head.copy(frame.head.data(), frame.head.size());
  const std::string_view payload = entry.payload ? *entry.payload : std::string_view();
  const uint32_t checksum = Checksum32(payload, EntrySeed(group, entry.index, View(frame.head)));
  std::string tail;
  AppendBigEndian<4>(&tail, checksum);
  tail.copy(frame.checksum.data(), frame.checksum.size());
  return frame;
}

absl::StatusOr<raft::Entry> DecodeEntry(GroupId group, raft::LogIndex index,
                                        std::string_view bytes) {
  const std::string what = fmt::format("log entry {}", index.value());
  if (bytes.size() < std::tuple_size_v<decltype(EntryFrame::head)>) return Damaged(group, what);
  const std::string_view head = bytes.substr(0, std::tuple_size_v<decltype(EntryFrame::head)>);
  std::string_view payload = bytes.substr(head.size());
  if (!CheckAndStripChecksum(&payload, EntrySeed(group, index, head))) return Damaged(group, what);
  ByteReader reader(head);
  uint64_t format = 0;
  uint64_t kind = 0;
  uint64_t term = 0;
  QUORATE_CHECK(reader.Read<1>(&format) && reader.Read<1>(&kind) && reader.Read<8>(&term));
  if (absl::Status status = CheckFormat(group, format, kLogRecordFormat, what); !status.ok())
    return status;
  if (kind > static_cast<uint64_t>(raft::EntryKind::kConfig)) return Damaged(group, what);
  raft::Entry entry{.term = raft::Term(term),
                    .index = index,
                    .kind = static_cast<raft::EntryKind>(kind),
                    .payload = nullptr};
  if (entry.kind != raft::EntryKind::kNoop || !payload.empty()) {
    entry.payload = std::make_shared<const std::string>(payload);
  }
  return entry;
}

size_t StoredEntrySize(const raft::Entry& entry) {
  return kEntryKeySize + sizeof(EntryFrame) + (entry.payload ? entry.payload->size() : 0);
}

}  // namespace quorate
