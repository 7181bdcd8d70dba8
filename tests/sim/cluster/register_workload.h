// The `register` workload: reads, writes, deletes and compare-and-sets on few hot keys, alone and
// in batches, each value written once, and a history of what every client saw.
#ifndef TESTS_SIM_CLUSTER_REGISTER_WORKLOAD_H_
#define TESTS_SIM_CLUSTER_REGISTER_WORKLOAD_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "server/runtime/random.h"
#include "tests/sim/checkers/history.h"
#include "tests/sim/checkers/hot_keys.h"
#include "tests/sim/cluster/sim_client.h"
#include "tests/sim/cluster/sim_cluster.h"

namespace quorate::sim {

struct RegisterWorkloadOptions {
  std::string keyspace = "registers";
  uint32_t clients = 6;
  // Keys in use at one time; replaced by new ones as they fill up, so that the checker stays fast.
  uint32_t hot_keys = 4;
  uint32_t operations_per_key = 200;
  // Of all calls, batches of independent operations.
  uint32_t batch_percent = 15;
  // Between two operations of one client.
  Duration think_max = std::chrono::milliseconds(60);
  Duration timeout_max = std::chrono::seconds(3);
};

struct WorkloadCounts {
  uint64_t ok = 0;
  uint64_t fail = 0;
  uint64_t info = 0;
  uint64_t batch_operations = 0;   // of these three
  uint64_t repeated_attempts = 0;  // sent beyond the first, by the client library
  uint64_t lease_reads = 0;
  uint64_t read_index_reads = 0;
  uint64_t remembered_answers = 0;  // a repeated write got its first answer
};

// Owns its clients: the client library's whole logic on virtual time, each a process of its own on
// the network. Even clients know one node only, odd ones all. Owned by the test; one thread.
class RegisterWorkload {
 public:
  RegisterWorkload(SimScheduler* scheduler, SimNetwork* network, SimCluster* cluster,
                   const RegisterWorkloadOptions& options);
  RegisterWorkload(const RegisterWorkload&) = delete;
  RegisterWorkload& operator=(const RegisterWorkload&) = delete;

  void Begin();
  // No new operations; those under way end by their deadlines.
  void Stop() { stopped_ = true; }
  [[nodiscard]] bool Idle() const { return under_way_ == 0; }
  // Reads every key once, linearizably; the results join the history. After Stop, when idle.
  void ReadAll();

  [[nodiscard]] const History& history() const { return history_; }
  [[nodiscard]] const WorkloadCounts& counts() const { return counts_; }
  // The admin's hand: any client.
  [[nodiscard]] SimClient& client(uint32_t index) { return *clients_.at(index)->client; }

 private:
  struct User {
    std::unique_ptr<SimClient> client;
    SeededRandom random{0};
    uint64_t process = 0;
    // What it last read of each key, for its compare-and-sets.
    struct Known {
      std::optional<std::string> value;
      client::Version version;
    };
    std::map<std::string, Known> known;
  };

  void Next(User* user);
  void Think(User* user);
  void Read(User* user, const std::string& key);
  void Write(User* user, const std::string& key);
  void Delete(User* user, const std::string& key);
  void CompareAndSet(User* user, const std::string& key);
  void Batch(User* user);
  // Notes the start; the end is noted by the handlers.
  size_t Invoke(User* user, const std::string& key, HistoryOp op,
                std::optional<std::string> expected, std::optional<std::string> value);
  void EndWrite(User* user, size_t operation, const std::string& key,
                std::optional<std::string> value, const client::WriteResult& result);
  void EndRead(User* user, size_t operation, const std::string& key,
               const client::GetResult& result);
  [[nodiscard]] Duration Timeout(SeededRandom* random) const;

  SimScheduler* const scheduler_;
  const RegisterWorkloadOptions options_;
  std::vector<std::unique_ptr<User>> clients_;
  HotKeys keys_;
  uint64_t next_value_ = 0;
  uint64_t next_process_ = 0;
  uint64_t under_way_ = 0;
  bool stopped_ = false;
  History history_;
  WorkloadCounts counts_;
};

}  // namespace quorate::sim

#endif  // TESTS_SIM_CLUSTER_REGISTER_WORKLOAD_H_
