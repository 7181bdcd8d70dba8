// Configurations as log entries: their bytes, their rules, and which of them is in force.
#ifndef RAFT_CONFIGURATION_H_
#define RAFT_CONFIGURATION_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "raft/config.h"
#include "raft/types.h"

namespace quorate::raft {

// Payload of an EntryKind::kConfig entry:
//
//   | format = 1 (1 byte) | epoch (8 bytes) | voters | outgoing | learners |
//
// Each list: count (1 byte), then ids (8 bytes each). All numbers are little endian.
//
// The configuration must be valid.
std::string EncodeConfiguration(const Configuration& configuration);
// kDataLoss, with the reason, for anything that EncodeConfiguration does not make.
absl::StatusOr<Configuration> DecodeConfiguration(std::string_view bytes);

// kInvalidArgument unless: at least one voter; at most kMembersMax in a list; lists sorted, free of
// duplicates and of zero; no learner among the voters. A learner may be in `outgoing`: it votes
// until the joint configuration is left (a demotion).
inline constexpr size_t kMembersMax = 64;
absl::Status CheckConfiguration(const Configuration& configuration);

// The entry that begins the change from `now` to `target` (neither of them joint): a joint
// configuration where the voters differ, `target` itself where only learners do (Raft thesis,
// section 4.3).
Configuration FirstStep(const Configuration& now, const Configuration& target);
// What follows a joint configuration.
Configuration LeaveJoint(Configuration joint);

// The configurations that a replica's log holds. The last one is in force from the moment it is in
// the log, committed or not (Raft thesis, section 4.1), so a cut of the log may bring an earlier
// one back. Owned by RaftCore; same thread.
class ConfigurationHistory {
 public:
  // `base` holds at `index`, where the log begins.
  ConfigurationHistory(LogIndex index, Configuration base) {
    history_.emplace_back(index, std::move(base));
  }

  [[nodiscard]] const Configuration& latest() const { return history_.back().second; }
  // Of its entry, or where the log begins.
  [[nodiscard]] LogIndex latest_index() const { return history_.back().first; }
  // In force before the latest one; the latest itself when nothing older is kept.
  [[nodiscard]] const Configuration& previous() const {
    return history_.size() < 2 ? latest() : history_[history_.size() - 2].second;
  }
  // Above latest_index().
  void Add(LogIndex index, Configuration configuration);
  // The log was cut to end with `previous`. True if another configuration is in force now.
  bool CutAfter(LogIndex previous);
  // Nothing up to `commit` will ever be cut: forgets what only a cut could bring back.
  void CommittedTo(LogIndex commit);
  // The log begins anew behind `index`.
  void Reset(LogIndex index, Configuration base);

 private:
  std::vector<std::pair<LogIndex, Configuration>> history_;  // never empty
};

}  // namespace quorate::raft

#endif  // RAFT_CONFIGURATION_H_
