// Where records lie in the two RocksDB instances. docs/formats.md draws the keys.
//
// Data store: everything of one replica lies under one prefix, its incarnation:
//
//   incarnation (8, big-endian) | kind (1) | suffix
//
// so that a replica is destroyed, checksummed and copied as one range. Incarnation 0 is never given
// to a replica and holds the store's own records.
//
// Log store:
//
//   group (8, big-endian) | kind (1) | index (8, big-endian; entries only)
//
// Group 2^64-1 is never given and holds the node's own records, by name.
#ifndef SERVER_STORAGE_KEY_FORMAT_H_
#define SERVER_STORAGE_KEY_FORMAT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "raft/types.h"

namespace quorate {

// Kinds of records of a replica. Values are on disk; never reuse one.
enum class RecordKind : uint8_t {
  kMeta = 1,     // suffix: a name; applied index, cluster state
  kData = 2,     // suffix: the user's key; in key order
  kChanges = 3,  // suffix: version; reserved for watch
  kDedup = 4,    // suffix: log index; the request memory
  kLease = 5,    // reserved
  kHistory = 6,  // suffix: key, descending version; reserved
};

// Kinds of records of a group in the log store. Values are on disk.
enum class LogRecordKind : uint8_t {
  kHardState = 1,
  kHead = 2,   // the owner's incarnation and what is compacted
  kEntry = 3,  // suffix: index
};

inline constexpr ReplicaId kStoreRecords{0};
inline constexpr GroupId kNodeRecords{UINT64_MAX};
inline constexpr size_t kRecordPrefixSize = 9;
// Suffixes of kind kMeta.
inline constexpr std::string_view kReplicaMetaName = "replica";
inline constexpr std::string_view kClusterStateName = "cluster";

void AppendBigEndian64(std::string* out, uint64_t value);
// `bytes` has at least 8.
[[nodiscard]] uint64_t LoadBigEndian64(std::string_view bytes);

[[nodiscard]] std::string RecordKey(ReplicaId replica, RecordKind kind, std::string_view suffix);
[[nodiscard]] std::string DedupKey(ReplicaId replica, uint64_t log_index);
// First key behind all records of that kind, or of the replica.
[[nodiscard]] std::string RecordKindEnd(ReplicaId replica, RecordKind kind);
[[nodiscard]] std::string ReplicaBegin(ReplicaId replica);
[[nodiscard]] std::string ReplicaEnd(ReplicaId replica);

struct ParsedRecordKey {
  ReplicaId replica;
  RecordKind kind;
  std::string_view suffix;  // into the parsed bytes
};
// Nothing for bytes that are no key of ours.
[[nodiscard]] std::optional<ParsedRecordKey> ParseRecordKey(std::string_view key);

[[nodiscard]] std::string LogRecordKey(GroupId group, LogRecordKind kind);
[[nodiscard]] std::string LogEntryKey(GroupId group, raft::LogIndex index);
[[nodiscard]] std::string LogGroupBegin(GroupId group);
// Must not be called on kNodeRecords.
[[nodiscard]] std::string LogGroupEnd(GroupId group);
[[nodiscard]] std::string NodeRecordKey(std::string_view name);

}  // namespace quorate

#endif  // SERVER_STORAGE_KEY_FORMAT_H_
