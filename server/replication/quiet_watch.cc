#include "server/replication/quiet_watch.h"

#include <utility>

namespace quorate {

bool QuietWatch::OnHeartbeat(uint64_t node, uint64_t boot, const QuietDigest& led,
                             MonotonicTime now) {
  Peer& peer = peers_[node];
  peer.last_heard = now;
  if (peer.boot != boot) {
    // Its replicas have forgotten what they led, and who leads them.
    if (peer.boot != 0) host_->WakeQuietWith(node);
    peer.boot = boot;
    peer.differed = false;
    return false;
  }
  const bool differs = led != host_->FollowedQuietly(node);
  const bool ask = differs && peer.differed;
  peer.differed = differs && !ask;
  return ask;
}

void QuietWatch::Tick(MonotonicTime now) {
  for (const uint64_t node : host_->QuietLeaders()) {
    const auto [peer, first] = peers_.try_emplace(node, Peer{.last_heard = now});
    if (now - peer->second.last_heard > silence_max_) host_->SuspectLeadersOn(node);
  }
}

}  // namespace quorate
