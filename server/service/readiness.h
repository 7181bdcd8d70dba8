// Whether the node serves, and if not why.
#ifndef SERVER_SERVICE_READINESS_H_
#define SERVER_SERVICE_READINESS_H_

#include <atomic>
#include <string>

#include "absl/status/status.h"
#include "server/runtime/mutex.h"
#include "server/service/service_context.h"

namespace quorate {

struct NodeReadiness {
  bool ready = false;
  std::string reason;  // for people; empty when ready
};

// Ready means: a member with a cluster state, a sound store, not stopping, and since its start each
// of its replicas has once known a leader. The last is a latch: an election later on, or a new
// keyspace, makes no node unready; requests for such a partition say NO_LEADER themselves. Any
// thread.
class Readiness {
 public:
  // `context` outlives it.
  explicit Readiness(const ServiceContext* context) : context_(context) {}

  // The store failed; for good, until the next start.
  void SetPoisoned(const absl::Status& why);
  [[nodiscard]] NodeReadiness Get() const;

 private:
  // Empty: every replica here has, or had, a leader.
  [[nodiscard]] std::string WaitingFor(const ClusterView& view) const;

  const ServiceContext* const context_;
  mutable std::atomic<bool> led_once_{false};
  mutable Mutex mutex_;
  absl::Status poison_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quorate

#endif  // SERVER_SERVICE_READINESS_H_
