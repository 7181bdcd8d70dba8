// The seams through which everything between gRPC and the disk reaches the world: time, event
// loops, randomness, the peer network and files. Production implements them on threads and the
// kernel; the simulator on virtual time from one seed. Nothing above this folder may use anything
// else.
#ifndef SERVER_RUNTIME_RUNTIME_H_
#define SERVER_RUNTIME_RUNTIME_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "raft/types.h"
#include "server/runtime/metrics.h"

namespace rocksdb {
class Env;
}  // namespace rocksdb

namespace quorate {

using raft::Duration;
using raft::MonotonicTime;
// Microseconds since the Unix epoch, as told by the wall clock: may jump in either direction, and
// is used for stamps that people read and for proposing versions, never for safety or time-outs.
using WallMicros = int64_t;

using Task = absl::AnyInvocable<void()>;

// Any thread may call any clock.
class Clock {
 public:
  virtual ~Clock() = default;
  // Since boot, suspend included; never goes back on one node.
  [[nodiscard]] virtual MonotonicTime Now() const = 0;
  [[nodiscard]] virtual WallMicros WallNow() const = 0;
};

// Names a pending timer of one Executor; 0 is never given out.
using TimerId = uint64_t;

// One event loop: runs its tasks one at a time, in the order they were posted. What lives on a loop
// is touched by that loop only and needs no lock. Tasks must not block, except on loops made for
// blocking work (the log writer's, apply, background).
class Executor {
 public:
  virtual ~Executor() = default;
  // Any thread. Tasks posted before Stop run; later ones are dropped. Returns false when dropped.
  virtual bool Post(Task task) = 0;
  // Any thread. Runs the task on the loop, not before `when`.
  virtual TimerId PostAt(MonotonicTime when, Task task) = 0;
  // Loop only. True if the task will not run.
  virtual bool Cancel(TimerId timer) = 0;
  // Tasks posted and not yet begun, timers excluded: for admission and metrics.
  [[nodiscard]] virtual size_t QueueLength() const = 0;
  // True when called from a task of this loop.
  [[nodiscard]] virtual bool IsCurrent() const = 0;
};

// Uniform random numbers. Not for several threads at once: each user takes its own by Fork.
class Random {
 public:
  virtual ~Random() = default;
  virtual uint64_t Next() = 0;
};

// One-way datagrams between nodes, addressed by "host:port" of a node's peer port. Each may be
// lost, delayed, duplicated or reordered; in practice the production network keeps order per
// connection. Requests and answers are matched by the layers above.
class PeerNetwork {
 public:
  // `from` is the sender's own account of its address, `bytes` one encoded envelope.
  using Receiver = absl::AnyInvocable<void(std::string bytes)>;

  virtual ~PeerNetwork() = default;
  // Any thread. Never blocks; drops when the peer's queue bound is reached or it cannot be reached.
  virtual void Send(const std::string& address, std::string bytes) = 0;
  // Set once, before the first Send. Called on any thread, one call at a time per sending peer.
  // After SetReceiver(nullptr) returns, no call is under way and none will come.
  virtual void SetReceiver(Receiver receiver) = 0;
};

// All seams of one node. Pointers are not owned here and outlive the node. Loops may be shared by
// several roles: a small machine runs one worker.
struct Runtime {
  Clock* clock = nullptr;
  // At least one. A Raft group lives on workers[group id mod size].
  std::vector<Executor*> workers;
  // Blocking loops: the log writer's fsyncs; applying to the data store; scans, checksums.
  Executor* log_writer = nullptr;
  Executor* apply = nullptr;
  Executor* background = nullptr;
  PeerNetwork* network = nullptr;
  // RocksDB's view of files, threads and time.
  rocksdb::Env* env = nullptr;
  // Names the time since the machine's last start: while it is the same, all that a process has
  // written is there, synced or not. Empty: cannot be told.
  std::string boot_id;
  // Seeds all generators of the node: the kernel's randomness in production.
  uint64_t seed = 0;
  // Where every layer tells its figures. Never null; what holds a child of it holds this.
  std::shared_ptr<MetricsRegistry> metrics = std::make_shared<MetricsRegistry>();
};

}  // namespace quorate

#endif  // SERVER_RUNTIME_RUNTIME_H_
