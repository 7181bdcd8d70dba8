// How often and how long membership does things.
#ifndef SERVER_CLUSTER_MEMBERSHIP_OPTIONS_H_
#define SERVER_CLUSTER_MEMBERSHIP_OPTIONS_H_

#include <chrono>

#include "server/runtime/runtime.h"

namespace quorate {

struct MembershipTiming {
  // Between two heartbeats to every known node, and between two attempts to join.
  Duration heartbeat_interval = std::chrono::milliseconds(500);
  // A node not heard for this long counts as dead. Several heartbeats, so that one lost packet or a
  // short pause makes nobody dead.
  Duration dead_after = std::chrono::seconds(3);
  // After which silence of a node the followers of what it leads quietly elect others. Two missed
  // heartbeats; about an election time-out, so that quiet groups are led again as soon as busy
  // ones.
  Duration quiet_silence_max = std::chrono::milliseconds(1100);
  // What only waits for a node not heard for this long, a move to it say, is given up.
  Duration gone_after = std::chrono::minutes(1);
  // Between two probes of an address that has not answered, during init.
  Duration probe_interval = std::chrono::milliseconds(200);
  // Between two attempts of a founder to get its first entry through its own meta group.
  Duration founding_interval = std::chrono::milliseconds(50);
};

}  // namespace quorate

#endif  // SERVER_CLUSTER_MEMBERSHIP_OPTIONS_H_
