// Keeps the router's cluster state fresh.
#ifndef CLIENT_SRC_REFRESHER_H_
#define CLIENT_SRC_REFRESHER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "client/src/request_ids.h"
#include "client/src/router.h"
#include "client/src/transport.h"
#include "server/runtime/mutex.h"
#include "server/runtime/runtime.h"

namespace quorate::client {

// Asks nodes in turn for the cluster state until one answers. Single flight: whoever asks while a
// refresh is under way gets its result. Each refresh begins at another node, so that repeated ones
// get past a node that is behind the others.
//
// One per client, shared with the answers it waits for; any thread.
class Refresher : public std::enable_shared_from_this<Refresher> {
 public:
  using Waiter = absl::AnyInvocable<void(absl::Status)>;

  // All outlive the last answer of the transport.
  Refresher(Transport* transport, const Clock* clock, std::shared_ptr<Router> router,
            std::shared_ptr<RequestIds> ids, uint64_t first_turn)
      : transport_(transport),
        clock_(clock),
        router_(std::move(router)),
        ids_(std::move(ids)),
        turn_(first_turn) {}

  // OK: a node answered, and the router has what it said. NOT_INITIALISED: every node answered
  // that. Any other error: no node answered with a state. `waiter` may run before this returns.
  void Refresh(Waiter waiter);
  // Refuses later refreshes, and ends waiting for the one under way (kCancelled).
  void Close();

 private:
  struct Progress;

  void AskNext(std::shared_ptr<Progress> progress);
  void OnAnswer(std::shared_ptr<Progress> progress, const Target& target,
                absl::StatusOr<kv::v1::GetClusterStateResponse> answer);
  void Complete(const absl::Status& status);

  Transport* const transport_;
  const Clock* const clock_;
  const std::shared_ptr<Router> router_;
  const std::shared_ptr<RequestIds> ids_;

  Mutex mutex_;
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t turn_ ABSL_GUARDED_BY(mutex_);
  std::vector<Waiter> waiters_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quorate::client

#endif  // CLIENT_SRC_REFRESHER_H_
