// The words that Raft is spoken in: strong ids, time, and log entries.
//
// Two ids of different kinds never convert into each other, so swapping a term and an index does
// not compile. All types here are plain values: copyable, comparable, free of ownership rules
// (an entry's payload is shared and immutable).
#ifndef RAFT_TYPES_H_
#define RAFT_TYPES_H_

#include <chrono>
#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace quorate {

// A 64-bit id that only equals ids of its own kind. `Tag` is never defined.
template <class Tag>
class StrongId {
 public:
  constexpr StrongId() = default;
  constexpr explicit StrongId(uint64_t value) : value_(value) {}

  [[nodiscard]] constexpr uint64_t value() const { return value_; }
  [[nodiscard]] constexpr bool IsZero() const { return value_ == 0; }
  [[nodiscard]] constexpr StrongId Next() const { return StrongId(value_ + 1); }
  // Must not be called on zero.
  [[nodiscard]] constexpr StrongId Previous() const { return StrongId(value_ - 1); }

  friend constexpr auto operator<=>(StrongId, StrongId) = default;

  template <class H>
  friend H AbslHashValue(H hash, StrongId id) {
    return H::combine(std::move(hash), id.value_);
  }

 private:
  uint64_t value_ = 0;
};

// Names the Raft group of one partition, cluster-wide and for ever. Group 0 is the meta group.
using GroupId = StrongId<struct GroupIdTag>;
// One life of one replica (an incarnation). A wiped replica comes back under a new id, so that
// messages to and from its earlier life are recognised and dropped. 0 means "none".
using ReplicaId = StrongId<struct ReplicaIdTag>;

namespace raft {

// An election's number. 0 is before the first election.
using Term = StrongId<struct TermTag>;
// A position in the log. The first entry has index 1; 0 is "before the log".
using LogIndex = StrongId<struct LogIndexTag>;

// Time since boot, suspend included (CLOCK_BOOTTIME in production, virtual time in tests). It is
// handed in by the caller; nothing in raft/ reads a clock.
struct BootClock {};
using Duration = std::chrono::nanoseconds;
using MonotonicTime = std::chrono::time_point<BootClock, Duration>;

enum class EntryKind : uint8_t {
  kCommand = 0,  // opaque to Raft, applied by the state machine
  kNoop = 1,     // a new leader's first entry; carries no payload
  kConfig = 2,   // an encoded Configuration (raft/config.h)
};

struct Entry {
  Term term;
  LogIndex index;
  EntryKind kind = EntryKind::kCommand;
  // Encoded once by the proposer; the same bytes go to the log and to every follower. Never null
  // for kCommand and kConfig.
  std::shared_ptr<const std::string> payload;

  [[nodiscard]] size_t ByteSize() const { return 32 + (payload ? payload->size() : 0); }
};

// What a replica must never forget, besides its log (Raft paper, Figure 2).
struct HardState {
  Term term;
  ReplicaId voted_for;  // zero: no vote in this term
  LogIndex commit;      // may lag behind the truth after a crash
  // Counted up by the driver, durably and before the node is made, when this replica may have lost
  // entries that it had acknowledged: one that writes them without fsync (Ready::must_sync), after
  // its machine lost power. Zero wherever all is fsynced.
  uint64_t life = 0;
  // The last life known to hold again all that may have been acknowledged in those before it. Below
  // `life` the replica is returning (raft_core_lives.cc).
  uint64_t cured = 0;

  friend bool operator==(const HardState&, const HardState&) = default;
};

enum class Role : uint8_t { kFollower, kPreCandidate, kCandidate, kLeader };

}  // namespace raft
}  // namespace quorate

#endif  // RAFT_TYPES_H_
