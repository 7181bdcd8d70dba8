// The values of the log store's records. docs/formats.md draws the bytes.
//
// All decoders are total: any bytes give a record, kDataLoss or kUnimplemented (newer format). Each
// checksum is seeded with the record's place, so a record that turns up elsewhere is noticed.
#ifndef SERVER_STORAGE_LOG_RECORD_H_
#define SERVER_STORAGE_LOG_RECORD_H_

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "raft/config.h"
#include "raft/types.h"

namespace quorate {

// What a group's log starts with.
struct LogHead {
  // Whose log it is.
  ReplicaId replica;
  // The last entry that is compacted away; (0, 0): none.
  raft::LogIndex compacted_index;
  raft::Term compacted_term;
  // The membership there; no voters: a joining replica that has heard of none. Nothing: written by
  // a version that did not store it, when nothing was ever compacted.
  std::optional<raft::Configuration> configuration;

  friend bool operator==(const LogHead&, const LogHead&) = default;
};

// The head has a configuration, which is valid or has no voters.
[[nodiscard]] std::string EncodeLogHead(GroupId group, const LogHead& head);
[[nodiscard]] absl::StatusOr<LogHead> DecodeLogHead(GroupId group, std::string_view bytes);

[[nodiscard]] std::string EncodeHardState(GroupId group, const raft::HardState& state);
[[nodiscard]] absl::StatusOr<raft::HardState> DecodeHardState(GroupId group,
                                                              std::string_view bytes);

// A record of the node's own, with the checksum that binds it to its name; nothing: damaged.
[[nodiscard]] std::string SealNodeRecord(std::string_view name, std::string_view bytes);
[[nodiscard]] std::optional<std::string_view> OpenNodeRecord(std::string_view name,
                                                             std::string_view sealed);

// What stands before and behind an entry's payload, so that the payload is not copied.
struct EntryFrame {
  std::array<char, 10> head;
  std::array<char, 4> checksum;
};
[[nodiscard]] EntryFrame FrameEntry(GroupId group, const raft::Entry& entry);
[[nodiscard]] absl::StatusOr<raft::Entry> DecodeEntry(GroupId group, raft::LogIndex index,
                                                      std::string_view bytes);
// Stored bytes of an entry, key included.
[[nodiscard]] size_t StoredEntrySize(const raft::Entry& entry);

}  // namespace quorate

#endif  // SERVER_STORAGE_LOG_RECORD_H_
