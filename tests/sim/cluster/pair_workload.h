// The `pair` workload: two keys with one hash tag, always written together and read together by
// atomic batches. Whatever happens, both hold the same.
#ifndef TESTS_SIM_CLUSTER_PAIR_WORKLOAD_H_
#define TESTS_SIM_CLUSTER_PAIR_WORKLOAD_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/runtime/random.h"
#include "tests/sim/checkers/history.h"
#include "tests/sim/cluster/sim_client.h"
#include "tests/sim/cluster/sim_cluster.h"

namespace quorate::sim {

struct PairWorkloadOptions {
  std::string keyspace = "registers";
  uint32_t clients = 2;
  uint32_t hot_pairs = 2;
  uint32_t operations_per_pair = 150;
  Duration think_max = std::chrono::milliseconds(120);
  Duration timeout_max = std::chrono::seconds(3);
};

// Two checks: every answer shows both keys alike, value and version; and the history, in which a
// pair is one register, is linearizable. Owned by the test; one thread.
class PairWorkload {
 public:
  PairWorkload(SimScheduler* scheduler, SimNetwork* network, SimCluster* cluster,
               const PairWorkloadOptions& options);
  PairWorkload(const PairWorkload&) = delete;
  PairWorkload& operator=(const PairWorkload&) = delete;

  void Begin();
  // No new operations; those under way end by their deadlines.
  void Stop() { stopped_ = true; }
  [[nodiscard]] bool Idle() const { return under_way_ == 0; }
  // Reads every pair once; the results join the history. After Stop, when idle.
  void ReadAll();

  [[nodiscard]] const History& history() const { return history_; }
  // Pairs whose keys were seen to differ.
  [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }
  [[nodiscard]] uint64_t ok() const { return ok_; }
  [[nodiscard]] uint64_t failed_reads() const { return failed_reads_; }

 private:
  struct User {
    std::unique_ptr<SimClient> client;
    SeededRandom random{0};
  };
  // One state of a pair.
  struct Seen {
    std::optional<std::string> value;
    client::Version version;
  };

  void Think(User* user);
  void Next(User* user);
  std::string PickPair(SeededRandom* random);
  void Read(User* user, const std::string& pair, Duration timeout, bool then_think);
  // Over whatever is there; also reads what that is.
  void Swap(User* user, const std::string& pair);
  // Only over what the user reads first.
  void CompareAndSet(User* user, const std::string& pair);
  void Send(User* user, const client::BatchOperations& operations, Duration timeout,
            client::Handler<client::BatchResult> handler);
  void EndWrite(size_t operation, const client::BatchResult& result);
  // Of the gets at `first` and `first + 1`; nothing when they were not served.
  std::optional<Seen> Look(const std::string& pair, const client::BatchResult& result,
                           size_t first);
  [[nodiscard]] std::chrono::nanoseconds Now() const {
    return scheduler_->Now().time_since_epoch();
  }

  SimScheduler* const scheduler_;
  const PairWorkloadOptions options_;
  std::vector<std::unique_ptr<User>> users_;
  std::vector<std::pair<std::string, uint32_t>> hot_;  // tag and operations so far
  std::vector<std::string> pairs_;
  uint64_t next_value_ = 0;
  uint64_t next_process_ = 0;
  uint64_t under_way_ = 0;
  uint64_t ok_ = 0;
  uint64_t failed_reads_ = 0;
  bool stopped_ = false;
  History history_;
  std::vector<std::string> violations_;
};

}  // namespace quorate::sim

#endif  // TESTS_SIM_CLUSTER_PAIR_WORKLOAD_H_
