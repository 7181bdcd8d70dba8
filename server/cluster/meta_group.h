// The cluster state as the meta group's replica here has applied it.
#ifndef SERVER_CLUSTER_META_GROUP_H_
#define SERVER_CLUSTER_META_GROUP_H_

#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "internal/v1/cluster_state.pb.h"
#include "server/replication/replica_host.h"

namespace quorate {

// Owned by the node, given to its ReplicaHost. Called on the apply loop only.
class MetaGroup final : public ClusterApplier {
 public:
  // `changed` gets every new state, on the apply loop, and must not block.
  explicit MetaGroup(absl::AnyInvocable<void(const internal::v1::ClusterState&)> changed)
      : changed_(std::move(changed)) {}

  absl::Status ApplyCluster(const internal::v1::ClusterCommand& command,
                            std::string* new_state) override;
  void RestoreCluster(const std::string& state) override;

 private:
  absl::AnyInvocable<void(const internal::v1::ClusterState&)> changed_;
  internal::v1::ClusterState state_;
  // The stored state could not be read: nothing can be applied to it.
  bool damaged_ = false;
};

}  // namespace quorate

#endif  // SERVER_CLUSTER_META_GROUP_H_
