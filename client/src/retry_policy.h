// What to do after an attempt failed. Pure: the same failure gives the same decision; the only
// randomness is the jitter, drawn from the generator handed in.
#ifndef CLIENT_SRC_RETRY_POLICY_H_
#define CLIENT_SRC_RETRY_POLICY_H_

#include <cstdint>

#include "absl/status/status.h"
#include "kv/v1/errors.pb.h"
#include "server/runtime/runtime.h"

namespace quorate::client {

// How one attempt ended, short of success.
struct AttemptEnd {
  absl::StatusCode code = absl::StatusCode::kUnknown;
  // REASON_UNSPECIFIED: the status carried no detail; it comes from the transport.
  kv::v1::Reason reason = kv::v1::REASON_UNSPECIFIED;
  // It may have been applied. Never set for reads.
  bool maybe_applied = false;
  bool write = false;
  // A repeat is applied at most once: reads, writes with a request id, idempotent admin calls.
  bool repeatable = true;
  // An earlier attempt under the same request id may have been applied.
  bool repeat = false;
  uint32_t retry_delay_ms = 0;
};

// Reads an attempt's status; `write` decides how the lack of a detail is taken.
AttemptEnd EndOf(const absl::Status& status, bool write, bool repeatable, bool repeat);

enum class Action : uint8_t {
  kGiveUp,          // the answer, as it stands
  kElsewhere,       // at once, at a node not yet tried in this round
  kLater,           // after backoff, the same node included
  kRenewRequestId,  // it never happened under this id: once more under a new one
};

struct Decision {
  Action action = Action::kGiveUp;
  // The answer comes from the replicated state under this very request id, so it holds even though
  // an earlier attempt's outcome is unknown.
  bool settles_earlier_attempts = false;
  // The node did not answer: prefer others for a while.
  bool suspect_node = false;
  // What is known about the group's leader led astray.
  bool forget_leader = false;
  // Read the cluster state again before the next attempt.
  bool refresh = false;
};

Decision Decide(const AttemptEnd& end);

// Pause before round `round` (from 1): 20 ms doubling up to 320 ms, of which the random half is
// jitter (AWS, "Exponential Backoff and Jitter", equal jitter).
Duration Backoff(int round, Random& random);

// The pause before round `round` when a node asked to wait for `advice`: never less, and spread
// over half as much again, so that those refused together do not come back together.
Duration PauseAsAdvised(Duration advice, int round, Random& random);

// How long one attempt may take: one second, doubled for each attempt of this call that ran into
// its time-out, so that a dead node does not eat the deadline and a slow one still gets its time.
Duration AttemptTimeout(int timeouts, Duration left);

}  // namespace quorate::client

#endif  // CLIENT_SRC_RETRY_POLICY_H_
