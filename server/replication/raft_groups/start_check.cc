#include "server/replication/raft_groups/start_check.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "server/storage/log_store.h"

namespace quorate {
namespace {

bool HasAnswered(const StartFacts& facts, const ReplicaSpec& spec, ReplicaId voter) {
  return voter == spec.self ||
         std::any_of(spec.members.begin(), spec.members.end(), [&](const auto& member) {
           return member.first == voter && facts.answered.contains(member.second);
         });
}

bool MajorityAnswered(const StartFacts& facts, const ReplicaSpec& spec,
                      const std::vector<ReplicaId>& voters) {
  const auto answered = std::count_if(voters.begin(), voters.end(), [&](ReplicaId voter) {
    return HasAnswered(facts, spec, voter);
  });
  return voters.empty() || static_cast<size_t>(answered) > voters.size() / 2;
}

}  // namespace

Standing JudgeStart(const StartFacts& facts, const ReplicaSpec& spec,
                    const raft::Configuration& configuration) {
  std::vector<ReplicaId> voters = configuration.voters;
  if (voters.empty()) {
    for (const auto& [member, node] : spec.members) {
      voters.push_back(member);
    }
  }
  if (configuration.outgoing.empty() && voters == std::vector<ReplicaId>{spec.self}) {
    return Standing::kSpeaks;
  }
  if (spec.self < facts.first_sound) {
    return Standing::kRolledBack;
  }
  const bool enough = facts.first_start || (MajorityAnswered(facts, spec, voters) &&
                                            MajorityAnswered(facts, spec, configuration.outgoing));
  return enough ? Standing::kSpeaks : Standing::kHeld;
}

StartCheck StartCheck::Of(LogStore* log, bool held) {
  const NodeRecords records(log);
  const auto identity = records.LoadIdentity();
  const bool first_start = !identity.ok() || !identity->has_value() || (*identity)->boot <= 1;
  // The node has read both already, and would not have come so far.
  const RolledBackDisk known = records.LoadRolledBack().value_or(RolledBackDisk());
  if (!held) {
    return StartCheck(true, std::numeric_limits<uint64_t>::max(), ReplicaId());
  }
  return StartCheck(first_start, std::max(log->DurableBatch(), known.batch), known.first_sound);
}

}  // namespace quorate
