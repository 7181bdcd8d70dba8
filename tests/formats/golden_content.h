// What the golden folders hold: written by write_golden_store, expected by golden_store_test.
#ifndef TESTS_FORMATS_GOLDEN_CONTENT_H_
#define TESTS_FORMATS_GOLDEN_CONTENT_H_

#include <memory>
#include <string>
#include <vector>

#include "server/storage/log_append.h"
#include "server/storage/node_records.h"
#include "server/storage/version.h"

namespace quorate::golden {

inline constexpr GroupId kGroup{3};
inline constexpr ReplicaId kReplica{7};
inline constexpr Version kVersion = Version::Make(2, 0x0001020304050607u, 9);
inline constexpr raft::HardState kHardState{
    .term = raft::Term(2), .voted_for = ReplicaId(8), .commit = raft::LogIndex(2)};
inline const std::string kClusterState("cluster\0state", 13);

inline NodeIdentity Identity() {
  return {.cluster_id = std::string(16, '\x11'),
          .node_id = 5,
          .disk_id = std::string(16, '\x22'),
          .boot = 4,
          .nonce = 0x0123456789abcdefu,
          .clean_stop = true};
}

// What the log ends up with: a command, an overwritten place, a no-op.
inline std::vector<raft::Entry> Entries() {
  const auto text = [](const char* bytes) { return std::make_shared<const std::string>(bytes); };
  return {{.term = raft::Term(1),
           .index = raft::LogIndex(1),
           .kind = raft::EntryKind::kCommand,
           .payload = text("first")},
          {.term = raft::Term(2),
           .index = raft::LogIndex(2),
           .kind = raft::EntryKind::kConfig,
           .payload = text("second")},
          {.term = raft::Term(2),
           .index = raft::LogIndex(3),
           .kind = raft::EntryKind::kNoop,
           .payload = nullptr}};
}

}  // namespace quorate::golden

#endif  // TESTS_FORMATS_GOLDEN_CONTENT_H_
