// Whether the node serves, and if not why.
#ifndef SERVER_SERVICE_READINESS_H_
#define SERVER_SERVICE_READINESS_H_

#include <optional>

#include "absl/status/status.h"
#include "server/runtime/mutex.h"
#include "server/service/node_readiness.h"
#include "server/service/service_context.h"

namespace quorate {

// Ready means: a member with a cluster state, a sound store, not stopping, since its start each of
// its replicas has once known a leader, and it has not lost contact to its cluster. That each had a
// leader is a latch: an election later on, or a new keyspace, makes no node unready; requests for
// such a partition say NO_LEADER themselves. Contact is lost when most of its replicas have known
// no leader for kContactLostAfter. Any thread.
class Readiness {
 public:
  // Ten elections' time: whoever is still without leaders then has no majority in reach.
  static constexpr Duration kContactLostAfter = std::chrono::seconds(10);
  // How often the replicas are looked at; there may be thousands.
  static constexpr Duration kLookInterval = std::chrono::seconds(1);

  // `context` outlives it.
  explicit Readiness(const ServiceContext* context) : context_(context) {}

  // The store failed; for good, until the next start.
  void SetPoisoned(const absl::Status& why);
  [[nodiscard]] bool poisoned() const;
  [[nodiscard]] NodeReadiness Get() const;
  // Only what a restart of the process mends: for supervisors that restart what is unhealthy.
  [[nodiscard]] NodeReadiness Health() const;

 private:
  using Cause = NodeReadiness::Cause;

  [[nodiscard]] std::optional<Cause> Poison() const;
  // Nothing: every replica here has, or had, a leader.
  [[nodiscard]] std::optional<Cause> WaitingFor(const ClusterView& view) const;
  [[nodiscard]] std::optional<Cause> LostContact() const;

  const ServiceContext* const context_;
  mutable Mutex mutex_;
  mutable bool led_once_ ABSL_GUARDED_BY(mutex_) = false;
  mutable std::optional<MonotonicTime> next_look_ ABSL_GUARDED_BY(mutex_);
  // Since when most replicas here know no leader.
  mutable std::optional<MonotonicTime> leaderless_since_ ABSL_GUARDED_BY(mutex_);
  absl::Status poison_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quorate

#endif  // SERVER_SERVICE_READINESS_H_
