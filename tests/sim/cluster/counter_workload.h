// The `counter` workload: increments of few counters, alone and in batches, repeated by their
// request ids until their outcome is known, and reads. Whatever happens, the sums are exact.
#ifndef TESTS_SIM_CLUSTER_COUNTER_WORKLOAD_H_
#define TESTS_SIM_CLUSTER_COUNTER_WORKLOAD_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/runtime/random.h"
#include "tests/sim/checkers/counter.h"
#include "tests/sim/cluster/sim_client.h"
#include "tests/sim/cluster/sim_cluster.h"

namespace quorate::sim {

struct CounterWorkloadOptions {
  std::string keyspace = "registers";
  uint32_t clients = 2;
  uint32_t counters = 2;
  Duration think_max = std::chrono::milliseconds(120);
  // Short, so that many calls end as unknown and are repeated by the user as well.
  Duration timeout_max = std::chrono::milliseconds(1500);
};

// Owned by the test; one thread.
class CounterWorkload {
 public:
  CounterWorkload(SimScheduler* scheduler, SimNetwork* network, SimCluster* cluster,
                  const CounterWorkloadOptions& options);
  CounterWorkload(const CounterWorkload&) = delete;
  CounterWorkload& operator=(const CounterWorkload&) = delete;

  void Begin();
  // No new operations; those under way end by their deadlines, and what is unknown then waits for
  // RepeatUnknown.
  void Stop() { stopped_ = true; }
  [[nodiscard]] bool Idle() const { return under_way_ == 0; }
  // Repeats what is unknown once more, with patience. After Stop, when idle.
  void RepeatUnknown();
  // Reads every counter once. After RepeatUnknown, when idle.
  void ReadAll();

  // What is wrong, a line each. At the end.
  [[nodiscard]] std::vector<std::string> Violations() const;
  [[nodiscard]] uint64_t ok() const { return ok_; }
  // Increments that a user had to repeat by their request id, and how many of those had been
  // applied the first time; of these, in batches.
  [[nodiscard]] uint64_t repeats() const { return repeats_; }
  [[nodiscard]] uint64_t remembered() const { return remembered_; }
  [[nodiscard]] uint64_t remembered_of_batches() const { return remembered_of_batches_; }
  // Reads that were not served, and increments that stayed unknown to the end.
  [[nodiscard]] uint64_t failed_reads() const { return failed_reads_; }
  [[nodiscard]] size_t unknown() const { return unknown_.size(); }

 private:
  struct User {
    std::unique_ptr<SimClient> client;
    SeededRandom random{0};
  };
  enum class How : uint8_t { kAlone, kBatch, kAtomicBatch };
  // An increment that is not over.
  struct Increment {
    size_t counter = 0;
    How how = How::kAlone;
    CounterOperation operation;
    std::optional<client::RequestId> request_id{};
  };

  void Think(User* user);
  void Next(User* user);
  void Send(User* user, Increment increment, Duration timeout);
  void SendInBatch(User* user, Increment increment, Duration timeout);
  void OnEnd(User* user, Increment increment, const client::IncrementResult& result);
  void Read(User* user, size_t counter, Duration timeout, bool then_think);
  [[nodiscard]] std::chrono::nanoseconds Now() const {
    return scheduler_->Now().time_since_epoch();
  }

  SimScheduler* const scheduler_;
  const CounterWorkloadOptions options_;
  std::vector<std::unique_ptr<User>> users_;
  std::vector<std::vector<CounterOperation>> operations_;  // by counter
  std::vector<Increment> unknown_;
  std::vector<std::string> wrong_answers_;
  uint64_t under_way_ = 0;
  uint64_t ok_ = 0;
  uint64_t repeats_ = 0;
  uint64_t remembered_ = 0;
  uint64_t remembered_of_batches_ = 0;
  uint64_t failed_reads_ = 0;
  bool stopped_ = false;
};

}  // namespace quorate::sim

#endif  // TESTS_SIM_CLUSTER_COUNTER_WORKLOAD_H_
