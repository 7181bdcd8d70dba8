// Which cluster times the request ids had that a partition has forgotten.
#ifndef SERVER_REPLICATION_RAFT_GROUPS_FORGOTTEN_TIMES_H_
#define SERVER_REPLICATION_RAFT_GROUPS_FORGOTTEN_TIMES_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "internal/v1/command.pb.h"

namespace quorate {

// A few spans that hold every time ever added. An id whose time is in none of them was never
// forgotten. One span from zero, a plain horizon, would do for that, but one id told by a node
// whose clock is a year ahead, or by a client that counts in other units, would then put every
// later id behind the horizon. So times far from each other are in spans of their own, and only
// when there are too many do the two lowest become one: those are history.
//
// Pure; part of the replicated state: depends on what was added and in which order, on no clock.
class ForgottenTimes {
 public:
  // Times nearer to a span than this join it, and all between them counts as forgotten.
  static constexpr uint64_t kJoinsWithinUs =
      std::chrono::microseconds(std::chrono::minutes(10)).count();
  static constexpr size_t kSpansMax = 8;

  ForgottenTimes() = default;
  // As stored. Earlier builds kept one span from zero; it ends at `eviction_horizon_us`.
  explicit ForgottenTimes(const internal::v1::ReplicaMeta& meta);
  void Store(internal::v1::ReplicaMeta* meta) const;

  void Add(uint64_t time_us);
  [[nodiscard]] bool Contains(uint64_t time_us) const;

 private:
  struct Span {
    uint64_t first_us;
    uint64_t last_us;
  };

  std::vector<Span> spans_;  // ascending, farther apart than kJoinsWithinUs
};

}  // namespace quorate

#endif  // SERVER_REPLICATION_RAFT_GROUPS_FORGOTTEN_TIMES_H_
