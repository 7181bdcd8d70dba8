// What all services of one node work on.
#ifndef SERVER_SERVICE_SERVICE_CONTEXT_H_
#define SERVER_SERVICE_SERVICE_CONTEXT_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "internal/v1/peer.pb.h"
#include "server/cluster/cluster_view.h"
#include "server/replication/replica_host.h"
#include "server/runtime/runtime.h"

namespace quorate {

// Owned by the node; outlives the services. What it points to may be used from any thread.
struct ServiceContext {
  Clock* clock = nullptr;
  // For timers.
  Executor* control = nullptr;
  ReplicaHost* host = nullptr;
  const PublishedView* view = nullptr;
  // Reads a page on another node; PageExchange::Ask.
  std::function<void(uint64_t node_id, internal::v1::ReadPageRequest request, MonotonicTime until,
                     Callback<internal::v1::ReadPageResponse> done)>
      ask_page;
  // Whether the node is heard from: whom to ask first. Null: all are. Any thread.
  std::function<bool(uint64_t node_id)> seems_alive;
  // From Stop on.
  std::atomic<bool> stopping{false};

  // The newest view. SHUTTING_DOWN; NOT_INITIALISED before the node knows a cluster state.
  [[nodiscard]] absl::StatusOr<std::shared_ptr<const ClusterView>> View() const;
  // For request ids: never 0, which would make an id look infinitely old.
  [[nodiscard]] uint64_t ClusterTimeMicros() const;
};

}  // namespace quorate

#endif  // SERVER_SERVICE_SERVICE_CONTEXT_H_
