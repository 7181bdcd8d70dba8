// Watches over the leaders of quiet groups.
#ifndef SERVER_REPLICATION_QUIET_WATCH_H_
#define SERVER_REPLICATION_QUIET_WATCH_H_

#include <cstdint>
#include <map>

#include "server/replication/replica_host.h"
#include "server/runtime/runtime.h"

namespace quorate {

// Followers of a quiet group hear nothing of their leader, so its node speaks for it: with each
// heartbeat it says which groups it leads quietly with members here, in short (QuietDigest). They
// are woken when that node
//   - has not been heard for `silence_max`;
//   - has begun a new life;
//   - does not lead them in their term. When its digest differs from what is followed here twice in
//     a row, it is asked about each group (QuietQuestion), and those that it denies (QuietAnswer)
//     are woken. Once is not enough: groups go quiet and wake on the two nodes one after the other.
// All of it is asked again and again as long as it is so: no single message must arrive.
//
// Owned by what hears heartbeats; its loop only.
class QuietWatch {
 public:
  QuietWatch(ReplicaHost* host, Duration silence_max) : host_(host), silence_max_(silence_max) {}

  // `node`, in its life `boot`, said that it leads `led` quietly. True: it is to be asked about
  // ReplicaHost::ListFollowedQuietly.
  bool OnHeartbeat(uint64_t node, uint64_t boot, const QuietDigest& led, MonotonicTime now);
  // About as often as heartbeats are sent.
  void Tick(MonotonicTime now);

 private:
  struct Peer {
    MonotonicTime last_heard;
    uint64_t boot = 0;
    bool differed = false;  // in its last heartbeat
  };

  ReplicaHost* const host_;
  const Duration silence_max_;
  std::map<uint64_t, Peer> peers_;
};

}  // namespace quorate

#endif  // SERVER_REPLICATION_QUIET_WATCH_H_
