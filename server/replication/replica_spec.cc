#include <algorithm>

#include "server/replication/replica_host.h"

namespace quorate {

std::vector<ReplicaId> ReplicaSpec::FirstVoters() const {
  std::vector<ReplicaId> voters;
  for (const auto& [replica, node] : members) {
    if (founding && !std::binary_search(joined.begin(), joined.end(), replica)) {
      voters.push_back(replica);
    }
  }
  std::sort(voters.begin(), voters.end());
  return voters;
}

bool ReplicaSpec::Names(ReplicaId replica) const {
  return std::any_of(members.begin(), members.end(),
                     [replica](const auto& member) { return member.first == replica; });
}

}  // namespace quorate
