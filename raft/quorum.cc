#include "raft/quorum.h"

namespace quorate::raft {
namespace {

bool Contains(const std::vector<ReplicaId>& list, ReplicaId replica) {
  return std::find(list.begin(), list.end(), replica) != list.end();
}

}  // namespace

bool IsVoter(const Configuration& configuration, ReplicaId replica) {
  return Contains(configuration.voters, replica) || Contains(configuration.outgoing, replica);
}

bool IsMember(const Configuration& configuration, ReplicaId replica) {
  return IsVoter(configuration, replica) || Contains(configuration.learners, replica);
}

std::vector<ReplicaId> Members(const Configuration& configuration) {
  std::vector<ReplicaId> members = configuration.voters;
  members.insert(members.end(), configuration.outgoing.begin(), configuration.outgoing.end());
  members.insert(members.end(), configuration.learners.begin(), configuration.learners.end());
  std::sort(members.begin(), members.end());
  members.erase(std::unique(members.begin(), members.end()), members.end());
  return members;
}

bool IsSoleVoter(const Configuration& configuration, ReplicaId replica) {
  const auto only = [&](const std::vector<ReplicaId>& list) {
    return list.size() == 1 && list.front() == replica;
  };
  return only(configuration.voters) &&
         (configuration.outgoing.empty() || only(configuration.outgoing));
}

}  // namespace quorate::raft
