// May a replica speak, after its node was started? Not while it may have forgotten what it
// promised.
#ifndef SERVER_REPLICATION_RAFT_GROUPS_START_CHECK_H_
#define SERVER_REPLICATION_RAFT_GROUPS_START_CHECK_H_

#include <algorithm>
#include <cstdint>
#include <set>

#include "raft/config.h"
#include "server/replication/replica_host.h"
#include "server/runtime/mutex.h"
#include "server/storage/node_records.h"

namespace quorate {

class LogStore;

enum class Standing : uint8_t {
  kHeld,        // neither votes nor acknowledges: too few peers have said what they remember
  kSpeaks,      // as any replica
  kRolledBack,  // what it promised is lost: never again
};

struct StartFacts {
  // Of this folder: there is nothing that it could have forgotten.
  bool first_start = false;
  // Nodes that have said what they remember of this one.
  std::set<uint64_t> answered{};
  // The disk went back in time: replicas before this one lost what they promised. Zero: none did.
  ReplicaId first_sound{};
};

// A group's only voter is not held: there is nobody to ask. Nor is a group's only member kept from
// speaking by a loss, since all that is left of the group is there. Of all others a majority of
// each set of voters must have answered, the replica's own node counted; `configuration` is the
// last that its log knows, and where it knows none, or one of replicas that are members no more,
// the spec's members count. That does not prove that nothing is lost: of three, the one that
// remembers may be away. It is what can be had without making a node's restart wait for all others,
// and whoever remembers more is believed whenever it answers.
[[nodiscard]] Standing JudgeStart(const StartFacts& facts, const ReplicaSpec& spec,
                                  const raft::Configuration& configuration);

// What is known since this node's start. Any thread.
class StartCheck {
 public:
  // Of the node whose log this is, before anything is appended to it. Reads the disk. Not `held`:
  // everything speaks, whatever peers say.
  static StartCheck Of(LogStore* log, bool held);
  // `batch`: the last durable one of the log when the node started. `first_sound`: of a loss that
  // is known from an earlier start.
  StartCheck(bool first_start, uint64_t batch, ReplicaId first_sound)
      : held_batch_(batch), batch_(batch) {
    facts_.first_start = first_start;
    facts_.first_sound = first_sound;
  }

  // The disk went back in time, as far as is known.
  [[nodiscard]] bool rolled_back() const {
    const MutexLock lock(&mutex_);
    return !facts_.first_sound.IsZero();
  }
  [[nodiscard]] Standing Judge(const ReplicaSpec& spec,
                               const raft::Configuration& configuration) const {
    const MutexLock lock(&mutex_);
    return JudgeStart(facts_, spec, configuration);
  }
  // True: the peer remembers more than the disk held, which was not known yet.
  bool Take(const PeerMemory& memory) {
    const MutexLock lock(&mutex_);
    facts_.answered.insert(memory.node);
    if (memory.batch <= held_batch_) {
      return false;
    }
    // Peers need not have heard the same last: the most of each counts.
    const bool news = memory.batch > batch_ || memory.first_unused > facts_.first_sound;
    batch_ = std::max(batch_, memory.batch);
    facts_.first_sound = std::max(facts_.first_sound, memory.first_unused);
    return news;
  }
  // What Take found, to be kept for later starts.
  [[nodiscard]] RolledBackDisk Found() const {
    const MutexLock lock(&mutex_);
    return {.batch = batch_, .first_sound = facts_.first_sound};
  }

 private:
  mutable Mutex mutex_;
  const uint64_t held_batch_;
  uint64_t batch_ ABSL_GUARDED_BY(mutex_);  // the highest remembered
  StartFacts facts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quorate

#endif  // SERVER_REPLICATION_RAFT_GROUPS_START_CHECK_H_
