#include "server/replication/raft_groups/start_check.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "server/storage/log_store.h"

namespace quorate {
namespace {

// Who is to be asked. A log that was left behind names voters that are members no more, of whom
// nobody knows where they are; then the members count.
std::vector<ReplicaId> Asked(const ReplicaSpec& spec, const std::vector<ReplicaId>& voters) {
  const bool known = std::all_of(voters.begin(), voters.end(),
                                 [&spec](ReplicaId voter) { return spec.Names(voter); });
  if (known && !voters.empty()) {
    return voters;
  }
  std::vector<ReplicaId> members;
  for (const auto& [member, node] : spec.members) {
    members.push_back(member);
  }
  return members;
}

bool HasAnswered(const StartFacts& facts, const ReplicaSpec& spec, ReplicaId voter) {
  return voter == spec.self ||
         std::any_of(spec.members.begin(), spec.members.end(), [&](const auto& member) {
           return member.first == voter && facts.answered.contains(member.second);
         });
}

bool MajorityAnswered(const StartFacts& facts, const ReplicaSpec& spec,
                      const std::vector<ReplicaId>& voters) {
  const std::vector<ReplicaId> asked = Asked(spec, voters);
  const auto answered = std::count_if(
      asked.begin(), asked.end(), [&](ReplicaId voter) { return HasAnswered(facts, spec, voter); });
  return static_cast<size_t>(answered) > asked.size() / 2;
}

}  // namespace

Standing JudgeStart(const StartFacts& facts, const ReplicaSpec& spec,
                    const raft::Configuration& configuration) {
  const bool alone = configuration.outgoing.empty() && spec.members.size() == 1 &&
                     Asked(spec, configuration.voters) == std::vector<ReplicaId>{spec.self};
  if (spec.self < facts.first_sound && !alone) {
    return Standing::kRolledBack;
  }
  const bool enough =
      facts.first_start ||
      (MajorityAnswered(facts, spec, configuration.voters) &&
       (configuration.outgoing.empty() || MajorityAnswered(facts, spec, configuration.outgoing)));
  return enough ? Standing::kSpeaks : Standing::kHeld;
}

StartCheck StartCheck::Of(LogStore* log, bool held) {
  if (!held) {
    return StartCheck(true, std::numeric_limits<uint64_t>::max(), ReplicaId());
  }
  const NodeRecords records(log);
  const auto identity = records.LoadIdentity();
  const bool first_start = !identity.ok() || !identity->has_value() || (*identity)->boot <= 1;
  // The node has read both already, and would not have come so far.
  const RolledBackDisk known = records.LoadRolledBack().value_or(RolledBackDisk());
  return StartCheck(first_start, log->DurableBatch(), known.first_sound);
}

}  // namespace quorate
