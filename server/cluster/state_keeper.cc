#include "server/cluster/state_keeper.h"

#include <string>
#include <utility>

#include "server/runtime/log.h"

namespace quorate {

void StateKeeper::Offer(internal::v1::ClusterState state) {
  if (state.epoch() <= newest_) {
    return;
  }
  newest_ = state.epoch();
  next_ = std::move(state);
  if (!writing_) {
    Write();
  }
}

void StateKeeper::Write() {
  writing_ = true;
  auto view = std::make_shared<const ClusterView>(*std::move(next_), self_);
  next_.reset();
  disk_->Post([this, view = std::move(view)]() mutable {
    const absl::Status saved = records_->SaveClusterCache(view->state().SerializeAsString());
    control_->Post([this, view = std::move(view), saved]() mutable {
      writing_ = false;
      if (saved.ok()) {
        adopted_(std::move(view));
      } else {
        LogError("state_keeper/not_stored",
                 {{"epoch", view->epoch()}, {"error", saved.ToString()}});
      }
      if (next_ && !writing_) {
        Write();
      }
    });
  });
}

}  // namespace quorate
