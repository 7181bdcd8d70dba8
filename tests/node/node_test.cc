// Whole nodes in the simulator: founding, joining, redirects, restarts under new addresses.
#include "server/node.h"

#include <rocksdb/options.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fmt/format.h"
#include "gtest/gtest.h"
#include "proto/error_detail.h"
#include "server/cluster/cluster_state.h"
#include "server/cluster/cluster_view.h"
#include "tests/sim/sim_env.h"
#include "tests/sim/sim_runtime.h"

namespace quorate {
namespace {

using sim::CrashKind;
using sim::SimNetwork;
using sim::SimRuntime;
using sim::SimRuntimeOptions;
using sim::SimScheduler;
using std::chrono::milliseconds;
using std::chrono::seconds;

class NodeTest : public ::testing::Test {
 protected:
  struct Machine {
    std::unique_ptr<SimRuntime> runtime;
    NodeOptions options;
    // Instead of the machine's own, once it has moved to another address.
    std::unique_ptr<SimNetwork::Port> port{};
    std::unique_ptr<Node> node{};
  };

  static std::string PeerAddress(size_t i) { return fmt::format("peer-{}", i); }

  void Boot(size_t count, bool join = true) {
    for (size_t i = 0; i < count; ++i) {
      AddMachine(PeerAddress(i), i);
      for (size_t j = 0; join && j < count; ++j) {
        machines_[i].options.join.push_back(PeerAddress(j));
      }
    }
    for (Machine& machine : machines_) StartNode(machine);
  }
  void AddMachine(const std::string& address, size_t i) {
    SimRuntimeOptions options;
    options.node = static_cast<uint32_t>(machines_.size() + 1);
    options.address = address;
    Machine& machine = machines_.emplace_back();
    machine.runtime = std::make_unique<SimRuntime>(&scheduler_, &network_, options);
    machine.options.data_dir = machine.runtime->data_directory();
    machine.options.peer_address = address;
    machine.options.client_address = fmt::format("client-{}", i);
    machine.options.cache_bytes = 1 << 20;
    machine.options.version = "test";
  }
  void StartNode(Machine& machine) {
    rocksdb::Env* env = machine.runtime->runtime().env;
    machine.options.adjust_storage = [env](rocksdb::Options& options) {
      sim::ApplySimOptions(&options, env);
    };
    Runtime runtime = machine.runtime->runtime();
    if (machine.port != nullptr) runtime.network = machine.port.get();
    machine.node = std::make_unique<Node>(runtime, machine.options);
    const absl::Status started = machine.node->Start();
    ASSERT_TRUE(started.ok()) << started;
  }
  void Crash(size_t i, CrashKind kind = CrashKind::kPowerLossWorst) {
    machines_[i].runtime->Crash(kind);
    machines_[i].node.reset();
  }
  void Restart(size_t i) {
    machines_[i].runtime->Restart();
    StartNode(machines_[i]);
  }

  // The same disk under another peer and client address.
  void RestartElsewhere(size_t i) {
    Machine& machine = machines_[i];
    machine.runtime->Restart();
    machine.options.peer_address += "-moved";
    machine.options.client_address += "-moved";
    network_.Start(machine.options.peer_address, static_cast<uint32_t>(i + 1));
    machine.port = std::make_unique<SimNetwork::Port>(&network_, machine.options.peer_address);
    StartNode(machine);
  }

  // Calls and runs the simulation until the answer comes.
  template <class Response>
  absl::StatusOr<Response> Call(
      const std::function<void(const CallContext&, Reply<Response>)>& call,
      Duration timeout = seconds(5)) {
    auto answer = std::make_shared<std::optional<absl::StatusOr<Response>>>();
    CallContext context;
    context.deadline = machines_[0].runtime->clock().Now() + timeout;
    call(context, [answer](absl::StatusOr<Response> got) { *answer = std::move(got); });
    const bool came =
        scheduler_.RunUntilTrue([&] { return answer->has_value(); }, timeout + milliseconds(10));
    EXPECT_TRUE(came) << "no answer by the deadline";
    return came ? **answer : absl::StatusOr<Response>(absl::UnknownError("no answer"));
  }
  absl::StatusOr<kv::v1::InitResponse> Init(size_t i, bool force = false,
                                            Duration timeout = seconds(5)) {
    return Call<kv::v1::InitResponse>(
        [&](const CallContext& context, Reply<kv::v1::InitResponse> reply) {
          kv::v1::InitRequest request;
          request.set_force(force);
          machines_[i].node->admin_service()->Init(context, request, std::move(reply));
        },
        timeout);
  }
  absl::StatusOr<kv::v1::CreateKeyspaceResponse> CreateKeyspace(size_t i, const std::string& name,
                                                                uint32_t replicas = 3) {
    return Call<kv::v1::CreateKeyspaceResponse>(
        [&](const CallContext& context, Reply<kv::v1::CreateKeyspaceResponse> reply) {
          kv::v1::CreateKeyspaceRequest request;
          request.set_name(name);
          request.mutable_policy()->set_replicas(replicas);
          request.mutable_policy()->set_partitions(4);
          machines_[i].node->admin_service()->CreateKeyspace(context, request, std::move(reply));
        });
  }
  absl::StatusOr<kv::v1::PutResponse> PutAt(size_t i, const std::string& key,
                                            const std::string& value) {
    return Call<kv::v1::PutResponse>(
        [&](const CallContext& context, Reply<kv::v1::PutResponse> reply) {
          kv::v1::PutRequest request;
          request.mutable_header()->set_keyspace("orders");
          request.set_key(key);
          request.set_value(value);
          machines_[i].node->key_value_service()->Put(context, request, std::move(reply));
        });
  }
  absl::StatusOr<kv::v1::GetResponse> GetAt(size_t i, const std::string& key) {
    return Call<kv::v1::GetResponse>(
        [&](const CallContext& context, Reply<kv::v1::GetResponse> reply) {
          kv::v1::GetRequest request;
          request.mutable_header()->set_keyspace("orders");
          request.set_key(key);
          machines_[i].node->key_value_service()->Get(context, request, std::move(reply));
        });
  }
  // As a simple client: asks a node, follows what it says, asks again.
  template <class Ask>
  auto Follow(size_t first, const Ask& ask) -> decltype(ask(first)) {
    size_t at = first;
    auto answer = ask(at);
    for (int i = 0; i < 100 && !answer.ok(); ++i) {
      const auto detail = DetailOf(answer.status());
      if (!detail || answer.status().code() != absl::StatusCode::kUnavailable) break;
      for (size_t j = 0; j < machines_.size(); ++j) {
        if (detail->leader().address() == machines_[j].options.client_address) at = j;
      }
      scheduler_.RunFor(milliseconds(50));
      if (machines_[at].node == nullptr) at = first;
      answer = ask(at);
    }
    return answer;
  }
  bool RunUntilReady(Duration limit = seconds(20)) {
    return scheduler_.RunUntilTrue(
        [this] {
          for (const Machine& machine : machines_) {
            if (machine.node != nullptr && !machine.node->readiness().ready()) return false;
          }
          return true;
        },
        limit);
  }
  // Three nodes with a keyspace and a key.
  void BootCluster() {
    Boot(3);
    ASSERT_TRUE(Init(0).ok());
    ASSERT_TRUE(RunUntilReady());
    const auto created = Follow(1, [&](size_t i) { return CreateKeyspace(i, "orders"); });
    ASSERT_TRUE(created.ok()) << created.status();
    const auto put = Follow(1, [&](size_t i) { return PutAt(i, "key", "value"); });
    ASSERT_TRUE(put.ok()) << put.status();
  }
  void ExpectKey(size_t first) {
    const auto got = Follow(first, [&](size_t i) { return GetAt(i, "key"); });
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_EQ(got->value(), "value");
  }
  std::vector<uint64_t> NodeIds() {
    std::vector<uint64_t> ids;
    for (const Machine& machine : machines_) ids.push_back(machine.node->identity().node_id);
    return ids;
  }

  SimScheduler scheduler_{1};
  SimNetwork network_{&scheduler_};
  std::vector<Machine> machines_;
};

TEST_F(NodeTest, ThreeNodesFoundJoinCreateWriteAndReadAnywhere) {
  Boot(3);
  EXPECT_FALSE(machines_[0].node->readiness().ready());
  EXPECT_EQ(ReasonOf(GetAt(0, "key").status()), kv::v1::REASON_NOT_INITIALISED);
  const auto init = Init(0);
  ASSERT_TRUE(init.ok()) << init.status();
  EXPECT_TRUE(init->created());
  EXPECT_EQ(init->node_id(), 1u);
  ASSERT_TRUE(RunUntilReady());
  for (const size_t i : {0, 1, 2}) {
    const auto again = Init(i);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_FALSE(again->created());
    EXPECT_EQ(again->cluster_id(), init->cluster_id());
  }
  const auto elsewhere = CreateKeyspace(1, "orders");
  EXPECT_EQ(ReasonOf(elsewhere.status()), kv::v1::REASON_NOT_LEADER);
  EXPECT_EQ(DetailOf(elsewhere.status())->leader().address(), "client-0");
  const auto created = CreateKeyspace(0, "orders");
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_TRUE(created->created());
  EXPECT_FALSE(CreateKeyspace(0, "orders")->created());
  EXPECT_EQ(ReasonOf(CreateKeyspace(0, "orders", 1).status()), kv::v1::REASON_KEYSPACE_EXISTS);
  EXPECT_EQ(ReasonOf(CreateKeyspace(0, "big", 5).status()), kv::v1::REASON_INVALID_FIELD);
  for (int i = 0; i < 20; ++i) {
    const auto put = Follow(static_cast<size_t>(i) % 3, [&](size_t at) {
      return PutAt(at, fmt::format("key{:02}", i), fmt::format("value{}", i));
    });
    ASSERT_TRUE(put.ok()) << put.status();
  }
  for (const size_t at : {0, 1, 2}) {
    const auto page = Call<kv::v1::ScanResponse>(
        [&](const CallContext& context, Reply<kv::v1::ScanResponse> reply) {
          kv::v1::ScanRequest request;
          request.mutable_header()->set_keyspace("orders");
          machines_[at].node->key_value_service()->ScanPage(context, request, std::move(reply));
        });
    ASSERT_TRUE(page.ok()) << page.status();
    ASSERT_EQ(page->entries_size(), 20);
    EXPECT_EQ(page->entries(7).key(), "key07");
  }
}

TEST_F(NodeTest, MetaGroupGrowsToThreeAndOutlivesItsFounder) {
  Boot(3);
  ASSERT_TRUE(Init(0).ok());
  ASSERT_TRUE(RunUntilReady());
  const auto grown = [&] {
    return std::all_of(machines_.begin(), machines_.end(), [](const Machine& machine) {
      const internal::v1::ClusterState& state = machine.node->cluster_view()->state();
      return state.meta_replicas_size() == 3 && state.meta_coming_size() == 0;
    });
  };
  ASSERT_TRUE(scheduler_.RunUntilTrue(grown, seconds(30)));
  Crash(0);
  scheduler_.RunFor(seconds(5));
  const auto created = Follow(1, [&](size_t i) { return CreateKeyspace(i, "orders", 1); });
  EXPECT_TRUE(created.ok()) << created.status();
}

TEST_F(NodeTest, AllNodesComeBackAfterPowerLoss) {
  BootCluster();
  const std::vector<uint64_t> ids = NodeIds();
  for (const size_t i : {0, 1, 2}) Crash(i);
  for (const size_t i : {0, 1, 2}) Restart(i);
  ASSERT_TRUE(RunUntilReady());
  EXPECT_EQ(NodeIds(), ids);
  ExpectKey(2);
}

TEST_F(NodeTest, ReplicasMadeByANewStateSurviveAPowerLossAtOnce) {
  Boot(3);
  ASSERT_TRUE(Init(0).ok());
  ASSERT_TRUE(RunUntilReady());
  ASSERT_TRUE(CreateKeyspace(0, "orders").ok());
  ASSERT_TRUE(Follow(0, [&](size_t i) { return PutAt(i, "key", "value"); }).ok());
  for (const size_t i : {0, 1, 2}) Crash(i);
  for (const size_t i : {0, 1, 2}) Restart(i);
  ASSERT_TRUE(RunUntilReady());
  ExpectKey(0);
}

TEST_F(NodeTest, OneNodeMovesAndAnnouncesItsNewAddress) {
  BootCluster();
  Crash(2);
  machines_[2].options.join.clear();
  RestartElsewhere(2);
  const uint64_t id = machines_[2].node->identity().node_id;
  EXPECT_TRUE(scheduler_.RunUntilTrue(
      [&] {
        return machines_[0].node->cluster_view()->node(id)->node().address() == "client-2-moved" &&
               machines_[1].node->cluster_view()->node(id)->node().address() == "client-2-moved";
      },
      seconds(5)));
  ASSERT_TRUE(RunUntilReady());
  ExpectKey(2);
}

TEST_F(NodeTest, AllNodesMoveAtOnceAndFindEachOtherByJoin) {
  BootCluster();
  for (const size_t i : {0, 1, 2}) Crash(i);
  for (const size_t i : {0, 1, 2}) {
    machines_[i].options.join = {"peer-0-moved", "peer-1-moved", "peer-2-moved"};
    RestartElsewhere(i);
  }
  ASSERT_TRUE(RunUntilReady());
  scheduler_.RunFor(seconds(3));
  for (const Machine& machine : machines_) {
    for (const internal::v1::NodeRecord& record : machine.node->cluster_view()->state().nodes()) {
      EXPECT_TRUE(record.node().address().ends_with("-moved")) << record.ShortDebugString();
    }
  }
  ExpectKey(1);
}

TEST_F(NodeTest, FoundingGoesOnAfterACrashInTheMiddle) {
  for (uint64_t operations = 1; operations <= 16; ++operations) {
    SCOPED_TRACE(operations);
    AddMachine(fmt::format("alone-{}", operations), 0);
    Machine& machine = machines_.back();
    StartNode(machine);
    machine.runtime->ArmCrashAtDiskOperation(operations);
    bool answered = false;
    CallContext context;
    context.deadline = machine.runtime->clock().Now() + seconds(5);
    machine.node->admin_service()->Init(
        context, kv::v1::InitRequest(),
        [&](const absl::StatusOr<kv::v1::InitResponse>& got) { answered = got.ok(); });
    scheduler_.RunUntilTrue([&] { return answered || machine.runtime->crash_pending(); },
                            seconds(5));
    machine.runtime->Crash(CrashKind::kPowerLossWorst);
    machine.node.reset();
    machine.runtime->Restart();
    StartNode(machine);
    scheduler_.RunFor(seconds(3));
    const bool member = machine.node->identity().node_id != 0;
    EXPECT_TRUE(member || !answered) << "an acknowledged init is for ever";
    EXPECT_EQ(machine.node->readiness().ready(), member) << machine.node->readiness().Reason();
    machine.runtime->Crash(CrashKind::kProcess);
    machine.node.reset();
  }
}

TEST_F(NodeTest, InitWaitsForEveryAddressOfJoin) {
  Boot(3);
  network_.Isolate(PeerAddress(2));
  const auto refused = Init(0, false, seconds(2));
  EXPECT_EQ(ReasonOf(refused.status()), kv::v1::REASON_DEADLINE);
  EXPECT_EQ(OutcomeOf(refused.status()), kv::v1::OUTCOME_NOT_DONE);
  EXPECT_NE(std::string(refused.status().message()).find(PeerAddress(2)), std::string::npos);
  EXPECT_TRUE(Init(0, true).ok()) << "--force founds without them";
  network_.HealAll();
  EXPECT_TRUE(RunUntilReady());
}

TEST_F(NodeTest, InitIsRefusedWhereAClusterIsNear) {
  Boot(3);
  network_.Isolate(PeerAddress(2));
  ASSERT_TRUE(Init(0, true).ok());
  // Node 2 has not heard of it, and asks.
  network_.HealAll();
  const auto refused = Init(2);
  if (!refused.ok()) {
    EXPECT_EQ(ReasonOf(refused.status()), kv::v1::REASON_WRONG_CLUSTER) << refused.status();
  } else {
    EXPECT_FALSE(refused->created());
  }
  ASSERT_TRUE(RunUntilReady());
  EXPECT_EQ(machines_[2].node->identity().cluster_id, machines_[0].node->identity().cluster_id);
}

TEST_F(NodeTest, OfTwoInitsAtOnceTheLowerAddressWins) {
  for (const int lag_us : {0, 100, 300, 500, 700, 1000, 3000}) {
    SCOPED_TRACE(lag_us);
    SimScheduler scheduler(static_cast<uint64_t>(lag_us) + 7);
    SimNetwork network(&scheduler);
    std::vector<Machine> machines(3);
    for (size_t i = 0; i < 3; ++i) {
      SimRuntimeOptions options;
      options.node = static_cast<uint32_t>(i + 1);
      options.address = PeerAddress(i);
      machines[i].runtime = std::make_unique<SimRuntime>(&scheduler, &network, options);
      machines[i].options.data_dir = machines[i].runtime->data_directory();
      machines[i].options.peer_address = PeerAddress(i);
      machines[i].options.join = {PeerAddress(0), PeerAddress(1), PeerAddress(2)};
      StartNode(machines[i]);
    }
    int created = 0;
    int answers = 0;
    const auto init = [&](size_t i) {
      CallContext context;
      context.deadline = machines[i].runtime->clock().Now() + seconds(5);
      machines[i].node->admin_service()->Init(context, kv::v1::InitRequest(),
                                              [&](const absl::StatusOr<kv::v1::InitResponse>& got) {
                                                ++answers;
                                                created += got.ok() && got->created() ? 1 : 0;
                                              });
    };
    init(2);
    scheduler.RunFor(std::chrono::microseconds(lag_us));
    init(0);
    init(1);
    scheduler.RunFor(seconds(10));
    EXPECT_EQ(answers, 3);
    EXPECT_EQ(created, 1);
    for (const Machine& machine : machines) {
      EXPECT_EQ(machine.node->identity().cluster_id, machines[0].node->identity().cluster_id);
      EXPECT_TRUE(machine.node->readiness().ready()) << machine.node->readiness().Reason();
    }
    for (Machine& machine : machines) {
      machine.runtime->Crash(CrashKind::kProcess);
      machine.node.reset();
    }
  }
}

TEST_F(NodeTest, AnInitThatStillWaitsGivesWayToALowerAddress) {
  Boot(3);
  // Node 2 has node 0's "no cluster here" and still waits for node 1's when node 0 begins.
  sim::LinkRule slow;
  slow.delay_min = slow.delay_max = milliseconds(50);
  network_.SetRule(PeerAddress(1), PeerAddress(2), slow);
  int created = 0;
  int answers = 0;
  for (const size_t i : {2, 0}) {
    CallContext context;
    context.deadline = machines_[i].runtime->clock().Now() + seconds(5);
    machines_[i].node->admin_service()->Init(context, {},
                                             [&](const absl::StatusOr<kv::v1::InitResponse>& got) {
                                               ++answers;
                                               created += got.ok() && got->created() ? 1 : 0;
                                             });
    scheduler_.RunFor(milliseconds(10));
  }
  ASSERT_TRUE(RunUntilReady());
  EXPECT_EQ(answers, 2);
  EXPECT_EQ(created, 1) << "else there are two clusters";
  EXPECT_EQ(NodeIds()[0], 1u);
  EXPECT_EQ(machines_[2].node->identity().cluster_id, machines_[0].node->identity().cluster_id);
}

TEST_F(NodeTest, GetNodeStatusAlwaysAnswers) {
  Boot(3);
  const auto status = [&](size_t i) {
    return *Call<kv::v1::GetNodeStatusResponse>(
        [&](const CallContext& context, Reply<kv::v1::GetNodeStatusResponse> reply) {
          machines_[i].node->admin_service()->GetNodeStatus(context, {}, std::move(reply));
        });
  };
  EXPECT_EQ(status(0).node_id(), 0u);
  EXPECT_NE(status(0).not_ready_reason(), "");
  ASSERT_TRUE(Init(0).ok());
  ASSERT_TRUE(RunUntilReady());
  scheduler_.RunFor(seconds(2));
  EXPECT_EQ(status(1).peers_size(), 2);
  EXPECT_TRUE(status(1).peers(0).alive());
  EXPECT_EQ(status(1).meta_leader(), 1u);
  Crash(0);
  scheduler_.RunFor(seconds(5));
  EXPECT_FALSE(status(1).peers(0).alive());
  EXPECT_TRUE(status(1).ready()) << "serves from its own copy of the state";
}

}  // namespace
}  // namespace quorate
