#include "server/cluster/meta_group.h"

#include "proto/error_detail.h"
#include "server/cluster/cluster_state.h"
#include "server/runtime/log.h"

namespace quorate {

absl::Status MetaGroup::ApplyCluster(const internal::v1::ClusterCommand& command,
                                     std::string* new_state) {
  if (damaged_) {
    return MakeError(kv::v1::REASON_CORRUPT, kv::v1::OUTCOME_NOT_DONE,
                     "the stored cluster state is damaged or of a newer version");
  }
  const uint64_t before = state_.epoch();
  absl::Status status = ApplyClusterCommand(&state_, command);
  state_.SerializeToString(new_state);
  if (state_.epoch() != before) {
    changed_(state_);
  }
  return status;
}

void MetaGroup::RestoreCluster(const std::string& state) {
  internal::v1::ClusterState restored;
  damaged_ = !restored.ParseFromString(state) || restored.format() > kClusterStateFormat;
  if (damaged_) {
    LogError("meta_group/damaged", {{"bytes", state.size()}, {"format", restored.format()}});
    return;
  }
  state_ = std::move(restored);
  if (state_.epoch() != 0) {
    changed_(state_);
  }
}

}  // namespace quorate
