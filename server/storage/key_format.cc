#include "server/storage/key_format.h"

#include "raft/check.h"
#include "server/storage/byte_codec.h"

namespace quorate {
namespace {

template <class Id, class Kind>
std::string Prefix(Id id, Kind kind, size_t reserve) {
  std::string key;
  key.reserve(kRecordPrefixSize + reserve);
  AppendBigEndian64(&key, id.value());
  key.push_back(static_cast<char>(kind));
  return key;
}

template <class Id>
std::string IdBegin(Id id) {
  std::string key;
  AppendBigEndian64(&key, id.value());
  return key;
}

}  // namespace

void AppendBigEndian64(std::string* out, uint64_t value) { AppendBigEndian<8>(out, value); }

uint64_t LoadBigEndian64(std::string_view bytes) {
  uint64_t value = 0;
  ByteReader reader(bytes);
  QUORATE_CHECK(reader.Read<8>(&value));
  return value;
}

std::string RecordKey(ReplicaId replica, RecordKind kind, std::string_view suffix) {
  std::string key = Prefix(replica, kind, suffix.size());
  key.append(suffix);
  return key;
}

std::string DedupKey(ReplicaId replica, uint64_t log_index) {
  std::string key = Prefix(replica, RecordKind::kDedup, 8);
  AppendBigEndian64(&key, log_index);
  return key;
}

std::string RecordKindEnd(ReplicaId replica, RecordKind kind) {
  return Prefix(replica, static_cast<int>(kind) + 1, 0);
}

std::string ReplicaBegin(ReplicaId replica) { return IdBegin(replica); }

std::string ReplicaEnd(ReplicaId replica) {
  // The last id has no successor; its kinds are all below 0xff.
  if (replica.value() == UINT64_MAX) return std::string(kRecordPrefixSize + 1, '\xff');
  return IdBegin(replica.Next());
}

std::optional<ParsedRecordKey> ParseRecordKey(std::string_view key) {
  if (key.size() < kRecordPrefixSize) return std::nullopt;
  const auto kind = static_cast<unsigned char>(key[8]);
  if (kind < static_cast<int>(RecordKind::kMeta) || kind > static_cast<int>(RecordKind::kHistory)) {
    return std::nullopt;
  }
  return ParsedRecordKey{.replica = ReplicaId(LoadBigEndian64(key)),
                         .kind = static_cast<RecordKind>(kind),
                         .suffix = key.substr(kRecordPrefixSize)};
}

std::string LogRecordKey(GroupId group, LogRecordKind kind) { return Prefix(group, kind, 8); }

std::string LogEntryKey(GroupId group, raft::LogIndex index) {
  std::string key = Prefix(group, LogRecordKind::kEntry, 8);
  AppendBigEndian64(&key, index.value());
  return key;
}

std::string LogGroupBegin(GroupId group) { return IdBegin(group); }

std::string LogGroupEnd(GroupId group) {
  QUORATE_CHECK(group != kNodeRecords);
  return IdBegin(group.Next());
}

std::string NodeRecordKey(std::string_view name) {
  std::string key = Prefix(kNodeRecords, 0, name.size());
  key.append(name);
  return key;
}

}  // namespace quorate
