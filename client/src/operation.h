// One call of a user on its way: chooses a node, sends, judges the answer, tries again inside the
// deadline, and ends with one of the three outcomes.
#ifndef CLIENT_SRC_OPERATION_H_
#define CLIENT_SRC_OPERATION_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "client/src/parking.h"
#include "client/src/refresher.h"
#include "client/src/request_ids.h"
#include "client/src/retry_policy.h"
#include "client/src/router.h"
#include "client/src/transport.h"
#include "quorate/result.h"
#include "server/runtime/mutex.h"
#include "server/runtime/random.h"
#include "server/runtime/runtime.h"

namespace quorate::client {

// What all operations of one client share. Lives as long as the last of them.
struct CoreParts {
  Transport* transport = nullptr;
  const Clock* clock = nullptr;
  Executor* executor = nullptr;
  std::shared_ptr<Router> router;
  std::shared_ptr<RequestIds> ids;
  std::shared_ptr<Refresher> refresher;
  Parking parking;
  std::atomic<bool> closed{false};

  Duration JitteredBackoff(int round) ABSL_LOCKS_EXCLUDED(random_mutex) {
    MutexLock lock(&random_mutex);
    return Backoff(round, random);
  }
  Duration AdvisedPause(Duration advice, int round) ABSL_LOCKS_EXCLUDED(random_mutex) {
    MutexLock lock(&random_mutex);
    return PauseAsAdvised(advice, round, random);
  }

  // Whether one more operation that holds `bytes` fits; Leave must follow then.
  [[nodiscard]] bool Enter(size_t bytes) {
    const size_t before = inflight.fetch_add(1, std::memory_order_relaxed);
    const size_t bytes_before = inflight_bytes.fetch_add(bytes, std::memory_order_relaxed);
    if (before < inflight_max &&
        (bytes_before == 0 || bytes_before + bytes <= inflight_bytes_max)) {
      return true;
    }
    Leave(bytes);
    return false;
  }
  void Leave(size_t bytes) {
    inflight.fetch_sub(1, std::memory_order_relaxed);
    inflight_bytes.fetch_sub(bytes, std::memory_order_relaxed);
  }
  size_t inflight_max = SIZE_MAX;
  size_t inflight_bytes_max = SIZE_MAX;
  std::atomic<size_t> inflight{0};
  std::atomic<size_t> inflight_bytes{0};

  // Spreads requests that any node serves.
  uint64_t Turn() ABSL_LOCKS_EXCLUDED(random_mutex) {
    MutexLock lock(&random_mutex);
    return random.Next();
  }

  explicit CoreParts(uint64_t seed) : random(seed) {}
  Mutex random_mutex;
  SeededRandom random ABSL_GUARDED_BY(random_mutex);
};

// Who can serve an operation.
enum class Scope : uint8_t {
  kPartition,  // the leader of the partition of `routing`
  kKeyspace,   // any node, once the keyspace is known
  kMeta,       // the meta group's leader
  kAnyNode,    // any node, whether or not anything is known of the cluster
};

struct OperationSpec {
  Scope scope = Scope::kAnyNode;
  std::string keyspace;
  std::string routing;  // key or routing key
  MonotonicTime deadline;
  bool write = false;
  bool repeatable = true;
  // Writes of keys: gets a request id when first sent.
  bool named = false;
  // How many sequences a request id takes, from its own on: one for each write of a batch.
  uint64_t names = 1;
  // Keys and values, for the client's own bound.
  size_t bytes = 0;
  // Given by the caller.
  std::optional<RequestId> request_id;
  // The user repeats an earlier write: its outcome so far is unknown.
  bool repeats = false;
};

// What the driver puts into the request's header before each send.
struct Stamp {
  uint64_t placement_epoch = 0;
  uint64_t policy_epoch = 0;
  uint32_t timeout_ms = 0;
  std::optional<RequestId> request_id;
};

// How an operation ended.
struct Ended {
  absl::Status status;
  Outcome outcome = Outcome::kDone;
  Reason reason = Reason::kNone;
  int attempts = 0;
  std::optional<RequestId> request_id;
  std::optional<Version> current_version;
};

// At any time exactly one thing carries an operation on: the attempt under way or the ticket it is
// parked with; so its state needs no lock. Owned by whichever of them it is. Runs on the thread
// that calls Start, the transport's and the executor's.
//
// Rounds: every replica of the group is tried at most once a round, following leader hints, without
// pauses between; then the operation backs off and refreshes the cluster state.
//
// Outcomes: once any attempt of a write may have been applied, a later refusal of the repeat says
// nothing about it, except an answer out of the replicated state under the same request id.
class Operation : public std::enable_shared_from_this<Operation> {
 public:
  Operation(std::shared_ptr<CoreParts> parts, OperationSpec spec);
  virtual ~Operation();
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  // Once. Refused as overloaded when the client has too much in flight.
  void Start();

 protected:
  // Sends one attempt and arranges for OnAttemptEnd with the same target.
  virtual void Send(const Target& target, const Stamp& stamp, MonotonicTime deadline) = 0;
  // The end; called exactly once.
  virtual void Finish(Ended ended) = 0;

  void OnAttemptEnd(const Target& target, const absl::Status& status);
  // In place of OnAttemptEnd: a part was served, and the rest is to be sent at once.
  void OnPartlyServed(const Target& target);
  [[nodiscard]] CoreParts& parts() { return *parts_; }

 private:
  void Step();
  [[nodiscard]] Router::Lookup FindRoute();
  void SendTo(const Target& target, MonotonicTime now);
  void OnFailure(const Target& target, const absl::Status& status);
  void LearnFrom(const Target& target, const absl::Status& status, const Decision& decision);

  // Waits for the cluster state, at most until the deadline, and goes on.
  void AwaitRefresh();
  void OnKeyspaceUnknown();
  // Every node was tried: waits, and begins again.
  void NextRound();
  void Pause(Duration delay);
  void Park(Parking::Continuation continuation, MonotonicTime wake_at, uint64_t* ticket);

  void EndDone();
  void EndRefused(const absl::Status& status, bool settles_earlier_attempts);
  void EndAtDeadline();
  void EndCancelled();
  void End(absl::Status status, Reason reason, Outcome outcome);

  const std::shared_ptr<CoreParts> parts_;
  OperationSpec spec_;
  const uint64_t turn_;
  bool entered_ = false;

  Route route_;
  Tried tried_;
  int round_ = 0;
  int attempts_ = 0;
  int timeouts_ = 0;
  int keyspace_lookups_ = 0;
  int renewals_ = 0;
  // This round's only answers were NOT_INITIALISED.
  bool uninitialised_only_ = true;
  // Some attempt of this write, or the user's earlier call that it repeats, may have been applied.
  bool maybe_applied_ = false;
  // The most telling failure so far, for the deadline's answer.
  Reason told_reason_ = Reason::kUnreachable;
  absl::Status told_status_;
};

// The public reason of a server's or transport's error.
Reason PublicReason(const absl::Status& status);

}  // namespace quorate::client

#endif  // CLIENT_SRC_OPERATION_H_
