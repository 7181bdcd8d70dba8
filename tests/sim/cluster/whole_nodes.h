// What tests of whole nodes share: a cluster on simulated machines, a client, and calls of the
// client that are waited for.
#ifndef TESTS_SIM_CLUSTER_WHOLE_NODES_H_
#define TESTS_SIM_CLUSTER_WHOLE_NODES_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/src/client_core.h"
#include "server/replication/replica_host.h"
#include "tests/sim/cluster/sim_client.h"
#include "tests/sim/cluster/sim_cluster.h"
#include "tests/sim/sim_network.h"
#include "tests/sim/sim_scheduler.h"

namespace quorate::sim {

// A second base of fixtures, beside gtest's. Machines are numbered 1..N; the ids that nodes get by
// joining may be in another order.
class WholeNodes {
 protected:
  WholeNodes(uint64_t seed, uint32_t nodes)
      : scheduler_(seed),
        network_(&scheduler_),
        cluster_(&scheduler_, &network_, nodes),
        client_(&scheduler_, &network_, &cluster_, "client", cluster_.Addresses(), seed) {}

  // Starts all nodes and makes the first keyspace: once, before all else. Three replicas.
  void Found(const std::string& keyspace, uint32_t partitions,
             client::Durability durability = client::Durability::kFsync) {
    const absl::Status founded =
        FoundCluster(&scheduler_, &cluster_, &client_, keyspace, PolicyOf(partitions, durability));
    EXPECT_TRUE(founded.ok()) << founded;
  }
  // A further one.
  void CreateKeyspace(const std::string& keyspace, uint32_t partitions) {
    const auto created = Await<client::CreateKeyspaceResult>([&](auto done) {
      client_.core().CreateKeyspace(keyspace, PolicyOf(partitions, client::Durability::kFsync), {},
                                    done);
    });
    EXPECT_TRUE(created.ok()) << created.status;
  }

  // What `call(done)` ends with.
  template <class Result, class Call>
  Result Await(const Call& call) {
    auto result = std::make_shared<std::optional<Result>>();
    call([result](const Result& ended) { *result = ended; });
    EXPECT_TRUE(
        scheduler_.RunUntilTrue([&] { return result->has_value(); }, std::chrono::seconds(30)));
    return result->value_or(Result());
  }
  client::WriteResult Write(const std::string& keyspace, const std::string& key,
                            const std::string& value, Duration timeout = kTimeout) {
    client::WriteOptions options;
    options.timeout = timeout;
    return Await<client::WriteResult>(
        [&](auto done) { client_.core().Put(keyspace, key, value, options, done); });
  }
  client::GetResult Read(const std::string& keyspace, const std::string& key,
                         Duration timeout = kTimeout) {
    client::ReadOptions options;
    options.timeout = timeout;
    return Await<client::GetResult>(
        [&](auto done) { client_.core().Get(keyspace, key, options, done); });
  }
  static std::string KeyOf(int i) { return "k" + std::to_string(i); }
  static std::string ValueOf(const std::string& value, int i) { return value + std::to_string(i); }
  // KeyOf(0) to KeyOf(count - 1), each acknowledged, and each with a value of its own.
  void WriteKeys(const std::string& keyspace, int count, const std::string& value) {
    for (int i = 0; i < count; ++i) {
      const auto written = Write(keyspace, KeyOf(i), ValueOf(value, i));
      ASSERT_TRUE(written.ok()) << i << ": " << written.status;
    }
  }
  void ExpectKeys(const std::string& keyspace, int count, const std::string& value) {
    for (int i = 0; i < count; ++i) {
      const auto read = Read(keyspace, KeyOf(i));
      ASSERT_TRUE(read.ok()) << i << ": " << read.status;
      EXPECT_EQ(read.value, ValueOf(value, i)) << i;
    }
  }
  // With checksums.
  std::vector<client::ReplicaStatus> ReplicasOn(uint32_t machine, const std::string& keyspace) {
    const auto answer = Await<client::ListReplicasResult>([&](auto done) {
      client_.core().ListReplicas(SimCluster::AddressOf(machine), keyspace, true, {}, done);
    });
    EXPECT_TRUE(answer.ok()) << machine << ": " << answer.status;
    return answer.replicas;
  }

  // How many groups the machine's node leads, as it knows itself.
  int LedBy(uint32_t machine) {
    const uint64_t id = cluster_.node(machine)->identity().node_id;
    int led = 0;
    for (const auto& [group, leader] : cluster_.node(machine)->replica_host()->Leaders()) {
      led += leader == id ? 1 : 0;
    }
    return led;
  }

  // All that run but one; 0: all.
  void CrashAll(CrashKind kind, uint32_t but = 0) {
    for (uint32_t machine = 1; machine <= cluster_.size(); ++machine) {
      if (machine != but) cluster_.Crash(machine, kind);
    }
  }
  void StartAll() {
    for (uint32_t machine = 1; machine <= cluster_.size(); ++machine) {
      const absl::Status started = cluster_.Start(machine);
      ASSERT_TRUE(started.ok()) << machine << ": " << started;
    }
  }

  // Long enough for an election and more.
  static constexpr Duration kTimeout = std::chrono::seconds(20);
  SimScheduler scheduler_;
  SimNetwork network_;
  SimCluster cluster_;
  SimClient client_;

 private:
  static client::Policy PolicyOf(uint32_t partitions, client::Durability durability) {
    client::Policy policy;
    policy.replicas = 3;
    policy.partitions = partitions;
    policy.durability = durability;
    return policy;
  }
};

}  // namespace quorate::sim

#endif  // TESTS_SIM_CLUSTER_WHOLE_NODES_H_
