// Which nodes were heard from lately.
#ifndef SERVER_CLUSTER_LIVENESS_H_
#define SERVER_CLUSTER_LIVENESS_H_

#include <cstdint>
#include <map>
#include <optional>

#include "server/runtime/mutex.h"
#include "server/runtime/runtime.h"

namespace quorate {

// Fed by heartbeats. A hint for people and for the planner, never a ground for safety: a dead node
// may only be slow. Any thread.
class Liveness {
 public:
  struct Peer {
    MonotonicTime last_heard;
    // What its last heartbeat said.
    uint64_t epoch = 0;
    bool ready = false;
  };

  explicit Liveness(Duration dead_after) : dead_after_(dead_after) {}

  void Heard(uint64_t node_id, const Peer& peer) {
    const MutexLock lock(&mutex_);
    peers_[node_id] = peer;
  }
  // Nothing: never heard since this node's start.
  [[nodiscard]] std::optional<Peer> Of(uint64_t node_id) const {
    const MutexLock lock(&mutex_);
    const auto found = peers_.find(node_id);
    return found == peers_.end() ? std::nullopt : std::optional(found->second);
  }
  [[nodiscard]] bool IsAlive(uint64_t node_id, MonotonicTime now) const {
    const std::optional<Peer> peer = Of(node_id);
    return peer.has_value() && now - peer->last_heard <= dead_after_;
  }
  // Or not heard since this node's start, which may be too short a time for it.
  [[nodiscard]] bool MayBeAlive(uint64_t node_id, MonotonicTime now) const {
    const std::optional<Peer> peer = Of(node_id);
    return !peer.has_value() || now - peer->last_heard <= dead_after_;
  }

 private:
  const Duration dead_after_;
  mutable Mutex mutex_;
  std::map<uint64_t, Peer> peers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quorate

#endif  // SERVER_CLUSTER_LIVENESS_H_
