// Batch over fake replicas: two nodes, of which this test is node 1. It leads partitions 0 and 2 of
// 4, node 2 the others; it holds no replica of partition 3.
#include <memory>
#include <string>
#include <vector>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/error_detail.h"
#include "server/service/key_value_service.h"
#include "tests/fakes/fake_replica_host.h"
#include "tests/fakes/manual_loop.h"

namespace quorate {
namespace {

constexpr uint32_t kFourPartitions = 4;

class BatchTest : public ::testing::Test {
 public:
  BatchTest& Get(const std::string& key) {
    request_.add_operations()->mutable_get()->set_key(key);
    return *this;
  }
  BatchTest& Increment(const std::string& key, int64_t delta) {
    request_.add_operations()->mutable_increment()->set_key(key);
    request_.mutable_operations()->rbegin()->mutable_increment()->set_delta(delta);
    return *this;
  }
  BatchTest& Put(const std::string& key, const std::string& value) {
    request_.add_operations()->mutable_put()->set_key(key);
    request_.mutable_operations()->rbegin()->mutable_put()->set_value(value);
    return *this;
  }

 protected:
  BatchTest() {
    internal::v1::ClusterState state;
    state.set_epoch(3);
    for (const uint64_t id : {1, 2}) {
      kv::v1::Node* node = state.add_nodes()->mutable_node();
      node->set_node_id(id);
      node->set_address(fmt::format("client-{}", id));
    }
    kv::v1::Keyspace* keyspace = state.add_keyspaces();
    keyspace->set_keyspace_id(5);
    keyspace->set_name("k");
    keyspace->mutable_policy()->set_partitions(kFourPartitions);
    keyspace->mutable_policy()->set_routing(kv::v1::ROUTING_TAG);
    keyspace->mutable_policy()->set_value_bytes_max(5 << 20);
    for (uint32_t i = 0; i < kFourPartitions; ++i) {
      kv::v1::PartitionPlacement* placement = keyspace->add_partitions();
      placement->set_partition(i);
      placement->set_group_id(10 + i);
      placement->add_replicas()->set_node_id(2);
      if (i != 3) placement->add_replicas()->set_node_id(1);
      host_.leaders[GroupId(10 + i)] = i % 2 == 0 ? 1 : 2;
    }
    view_.Set(std::make_shared<const ClusterView>(state, 1));
    context_.clock = &clock_;
    context_.control = &loop_;
    context_.host = &host_;
    context_.view = &view_;
    request_.mutable_header()->set_keyspace("k");
  }

  // A key of the partition; another for each `number`.
  static std::string Key(uint32_t partition, int number = 0) {
    for (int i = 0;; ++i) {
      std::string key = fmt::format("key{}", i);
      if (PartitionOfKey(key, RoutingRule::kTag, kFourPartitions) == partition && number-- == 0) {
        return key;
      }
    }
  }
  std::string& Stored(const std::string& key) {
    return host_.data[GroupId(10 + PartitionOfKey(key, RoutingRule::kTag, kFourPartitions))][key];
  }
  void Name(uint64_t sequence) {
    auto* const id = request_.mutable_header()->mutable_request_id();
    id->set_client_id(std::string(16, 'c'));
    id->set_sequence(sequence);
    id->set_cluster_time_us(77);
  }
  absl::StatusOr<kv::v1::BatchResponse> Run() {
    int answers = 0;
    absl::StatusOr<kv::v1::BatchResponse> got = absl::UnknownError("no answer");
    service_.Batch(CallContext(), request_, [&](absl::StatusOr<kv::v1::BatchResponse> answer) {
      ++answers;
      got = std::move(answer);
    });
    EXPECT_EQ(answers, 1);
    if (got.ok()) EXPECT_EQ(got->results_size(), request_.operations_size());
    return got;
  }

  fakes::ManualClock clock_;
  fakes::ManualLoop loop_{&clock_};
  fakes::FakeReplicaHost host_{1};
  PublishedView view_;
  ServiceContext context_;
  NodeKeyValueService service_{&context_};
  kv::v1::BatchRequest request_;
};

TEST_F(BatchTest, WritesOfAPartitionAreOneCommandUnderIdsOfTheirOwn) {
  Name(100);
  Put(Key(0, 0), "a").Put(Key(2), "b").Put(Key(0, 1), "c");
  request_.mutable_operations(2)->set_sequence(55);
  const auto response = Run();
  ASSERT_TRUE(response.ok()) << response.status();
  ASSERT_EQ(host_.written.size(), 2u);
  const internal::v1::Command& command = host_.written[0];
  EXPECT_EQ(command.request_id().client_id(), std::string(16, 'c'));
  EXPECT_EQ(command.request_id().cluster_time_us(), 77u);
  ASSERT_EQ(command.batch().steps_size(), 2);
  EXPECT_FALSE(command.batch().atomic());
  EXPECT_EQ(command.batch().steps(0).sequence(), 100u);
  EXPECT_EQ(command.batch().steps(1).sequence(), 55u);
  EXPECT_EQ(host_.written[1].batch().steps(0).sequence(), 101u);
  EXPECT_EQ(Stored(Key(0, 1)), "c");
  EXPECT_EQ(response->results(1).version(), std::string(16, 'v'));
  EXPECT_EQ(response->results(1).served_by(), kv::v1::SERVED_BY_COMMIT);
  EXPECT_FALSE(response->header().receipt().linearizable());
  EXPECT_EQ(response->header().cluster_time_us(), 1234u);
}

TEST_F(BatchTest, OneThatIsLedElsewhereDoesNotHoldUpTheOthers) {
  Put(Key(0), "here").Put(Key(1), "led by node 2").Get(Key(3)).Get(Key(2));
  const auto response = Run();
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->results(0).code(), 0);
  EXPECT_EQ(response->results(1).error().reason(), kv::v1::REASON_NOT_LEADER);
  EXPECT_EQ(response->results(1).error().leader().address(), "client-2");
  EXPECT_EQ(response->results(1).error().outcome(), kv::v1::OUTCOME_NOT_DONE);
  EXPECT_EQ(response->results(2).error().reason(), kv::v1::REASON_WRONG_NODE);
  EXPECT_EQ(response->results(3).error().reason(), kv::v1::REASON_KEY_NOT_FOUND);
  EXPECT_EQ(response->results(3).code(), static_cast<int>(absl::StatusCode::kNotFound));
}

TEST_F(BatchTest, AGetSeesTheWritesBeforeItAndNotThoseAfter) {
  const std::string key = Key(0);
  Stored(key) = "0";
  Get(key).Put(key, "1").Get(key).Put(key, "2").Get(key);
  const auto response = Run();
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->results(0).value(), "0");
  EXPECT_EQ(response->results(2).value(), "1");
  EXPECT_EQ(response->results(4).value(), "2");
  EXPECT_EQ(response->results(0).served_by(), kv::v1::SERVED_BY_LEADER_LEASE);
}

TEST_F(BatchTest, WithoutALeaseOneReadServesAllGetsOfAPartition) {
  host_.lease = false;
  Stored(Key(0, 0)) = "a";
  Stored(Key(2)) = "c";
  Get(Key(0, 0)).Get(Key(0, 1)).Get(Key(2)).Get(Key(0, 0));
  const auto response = Run();
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(host_.many_reads, 2u);
  EXPECT_EQ(response->results(0).value(), "a");
  EXPECT_EQ(response->results(2).value(), "c");
  EXPECT_EQ(response->results(3).value(), "a");
  EXPECT_EQ(response->results(3).served_by(), kv::v1::SERVED_BY_LEADER_READ_INDEX);
}

TEST_F(BatchTest, AfterARefusalWhatIsLeftOfThePartitionIsNotTried) {
  const std::string key = Key(0);
  host_.errors = {MakeError(kv::v1::REASON_LEADER_LOST, kv::v1::OUTCOME_UNKNOWN, "lost")};
  Put(key, "1").Get(key).Put(key, "2").Put(Key(2), "other partition");
  const auto response = Run();
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->results(0).error().outcome(), kv::v1::OUTCOME_UNKNOWN);
  for (const int later : {1, 2}) {
    EXPECT_EQ(response->results(later).error().reason(), kv::v1::REASON_LEADER_LOST);
    EXPECT_EQ(response->results(later).error().outcome(), kv::v1::OUTCOME_NOT_DONE);
  }
  EXPECT_EQ(response->results(3).code(), 0);
  EXPECT_EQ(host_.written.size(), 1u);
}

TEST_F(BatchTest, ValuesOfAnAnswerAreBoundedAndTheFirstAlwaysFits) {
  for (const bool lease : {true, false}) {
    host_.lease = lease;
    request_.clear_operations();
    Stored(Key(0, 0)) = std::string(kBatchBytesMax + 1, 'x');
    Stored(Key(0, 1)) = "small";
    Get(Key(0, 0)).Get(Key(0, 1)).Put(Key(0, 1), "must not overtake its get");
    const auto response = Run();
    ASSERT_TRUE(response.ok());
    EXPECT_EQ(response->results(0).value().size(), kBatchBytesMax + 1);
    EXPECT_EQ(response->results(1).error().reason(), kv::v1::REASON_ANSWER_TOO_LARGE);
    EXPECT_EQ(response->results(2).error().outcome(), kv::v1::OUTCOME_NOT_DONE);
    EXPECT_EQ(Stored(Key(0, 1)), "small");
  }
}

TEST_F(BatchTest, TheCallFailsWhereNothingCouldBeTried) {
  EXPECT_EQ(ReasonOf(Run().status()), kv::v1::REASON_INVALID_FIELD) << "empty";
  Get(Key(0));
  request_.mutable_header()->set_keyspace("unknown");
  EXPECT_EQ(ReasonOf(Run().status()), kv::v1::REASON_KEYSPACE_NOT_FOUND);
  request_.mutable_header()->set_keyspace("k");
  request_.set_atomic(true);
  Put(Key(2), "of another routing key");
  EXPECT_EQ(DetailOf(Run().status())->field(), "operations[1].put.key");
  EXPECT_TRUE(host_.written.empty());
}

TEST_F(BatchTest, AtomicIsOneCommandUnderTheHeadersId) {
  Name(100);
  const std::string key = Key(0);
  Stored(key) = "old";
  request_.set_atomic(true);
  Get(key).Put(key, "new");
  const auto response = Run();
  ASSERT_TRUE(response.ok()) << response.status();
  ASSERT_EQ(host_.written.size(), 1u);
  EXPECT_TRUE(host_.written[0].batch().atomic());
  EXPECT_EQ(host_.written[0].request_id().sequence(), 100u);
  EXPECT_EQ(response->results(0).value(), "old");
  EXPECT_TRUE(response->header().receipt().linearizable());
}

TEST_F(BatchTest, IncrementsAnswerTheirSumOrWhyNot) {
  Name(100);
  const std::string key = Key(0);
  Stored(key) = "5";
  Stored(Key(0, 1)) = "x";
  Increment(key, -7).Increment(Key(0, 1), 1).Get(key);
  auto response = Run();
  ASSERT_TRUE(response.ok()) << response.status();
  ASSERT_EQ(host_.written.size(), 1u);
  EXPECT_EQ(host_.written[0].batch().steps(1).sequence(), 101u);
  EXPECT_EQ(response->results(0).number(), -2);
  EXPECT_EQ(response->results(1).error().reason(), kv::v1::REASON_NOT_A_NUMBER);
  EXPECT_EQ(response->results(1).error().outcome(), kv::v1::OUTCOME_NOT_DONE);
  EXPECT_EQ(response->results(2).value(), "-2") << "after the increment";
}

TEST_F(BatchTest, AtomicIsRefusedAsAWhole) {
  request_.set_atomic(true);
  Put(Key(1), "v");
  const auto response = Run();
  EXPECT_EQ(ReasonOf(response.status()), kv::v1::REASON_NOT_LEADER);
  EXPECT_EQ(DetailOf(response.status())->leader().address(), "client-2");
  request_.clear_operations();
  Get(Key(1));
  EXPECT_EQ(ReasonOf(Run().status()), kv::v1::REASON_NOT_LEADER);
}

TEST_F(BatchTest, AtomicReadsAreOneRead) {
  request_.set_atomic(true);
  Stored("a{t}") = "1";
  Stored("b{t}") = "2";
  host_.leaders[GroupId(10 + PartitionOfKey("a{t}", RoutingRule::kTag, kFourPartitions))] = 1;
  Get("a{t}").Get("b{t}").Get("c{t}");
  auto response = Run();
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(host_.many_reads, 1u);
  EXPECT_TRUE(host_.written.empty()) << "nothing goes through the log";
  EXPECT_EQ(response->results(1).value(), "2");
  EXPECT_EQ(response->results(2).error().reason(), kv::v1::REASON_KEY_NOT_FOUND);
  Stored("b{t}") = std::string(kBatchBytesMax, 'x');
  EXPECT_EQ(ReasonOf(Run().status()), kv::v1::REASON_ANSWER_TOO_LARGE);
}

}  // namespace
}  // namespace quorate
