#include "server/service/service_context.h"

#include <algorithm>

#include "proto/error_detail.h"

namespace quorate {

absl::StatusOr<std::shared_ptr<const ClusterView>> ServiceContext::View() const {
  if (stopping.load(std::memory_order_relaxed)) {
    return MakeError(kv::v1::REASON_SHUTTING_DOWN, kv::v1::OUTCOME_NOT_DONE,
                     "the node is stopping");
  }
  auto newest = view->Get();
  if (newest == nullptr) {
    return MakeError(kv::v1::REASON_NOT_INITIALISED, kv::v1::OUTCOME_NOT_DONE,
                     "the node belongs to no cluster yet, or is just joining one: run `kvctl init` "
                     "once, at one node");
  }
  return newest;
}

uint64_t ServiceContext::ClusterTimeMicros() const {
  const uint64_t given = host->ClusterTimeMicros();
  // A node without replicas has seen no stamp; stamps follow the wall clock.
  return given != 0 ? given : static_cast<uint64_t>(std::max<WallMicros>(1, clock->WallNow()));
}

}  // namespace quorate
