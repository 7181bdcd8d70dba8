#include "server/node_metrics.h"

#include <algorithm>
#include <memory>
#include <string>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/cluster/address_book.h"
#include "server/storage/test_folder.h"
#include "tests/fakes/fake_replica_host.h"
#include "tests/fakes/manual_loop.h"

namespace quorate {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

constexpr uint64_t kGroups = 5000;

class NodeMetricsTest : public testing::Test {
 protected:
  NodeMetricsTest() {
    runtime_.clock = &clock_;
    runtime_.workers = {&loop_};
    runtime_.log_writer = runtime_.apply = runtime_.background = &loop_;
    log_ = *LogStore::Open({.path = folder_.Sub("log")});
    data_ = *DataStore::Open({.path = folder_.Sub("data")});
    writer_ = LogWriter::Create(runtime_, log_.get());
    internal::v1::ClusterState state;
    state.set_epoch(12);
    for (const uint64_t id : {1, 2, 3}) state.add_nodes()->mutable_node()->set_node_id(id);
    kv::v1::Keyspace* keyspace = state.add_keyspaces();
    keyspace->set_name("orders");
    for (uint32_t i = 1; i <= kGroups; ++i) {
      kv::v1::PartitionPlacement* placement = keyspace->add_partitions();
      placement->set_partition(i);
      placement->set_group_id(i);
    }
    view_.Set(std::make_shared<const ClusterView>(state, 1));
    context_.clock = &clock_;
    context_.host = &host_;
    context_.view = &view_;
    for (uint64_t group = 1; group <= kGroups; ++group) {
      host_.figures.replicas.push_back({.group = GroupId(group),
                                        .role = kv::v1::REPLICA_ROLE_FOLLOWER,
                                        .leader_node = 2,
                                        .term = 3});
    }
    metrics_ =
        std::make_unique<NodeMetrics>(runtime_, NodeMetrics::Parts{.host = &host_,
                                                                   .log = log_.get(),
                                                                   .data = data_.get(),
                                                                   .writer = writer_.get(),
                                                                   .messenger = &messenger_,
                                                                   .liveness = &liveness_,
                                                                   .readiness = &readiness_,
                                                                   .view = &view_,
                                                                   .data_dir = folder_.Sub(""),
                                                                   .version = "1.2.3",
                                                                   .power_losses = 4});
  }

  std::string Expose() {
    clock_.Set(clock_.Now() + seconds(1));  // no summary of an earlier look
    return runtime_.metrics->Expose();
  }
  static size_t Count(const std::string& text, const std::string& what) {
    size_t count = 0;
    for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) {
      ++count;
    }
    return count;
  }

  fakes::ManualClock clock_;
  fakes::ManualLoop loop_{&clock_};
  Runtime runtime_;
  TestFolder folder_;
  std::unique_ptr<LogStore> log_;
  std::unique_ptr<DataStore> data_;
  std::unique_ptr<LogWriter> writer_;
  AddressBook addresses_{{}};
  PeerMessenger messenger_{nullptr, &addresses_, [] { return uint64_t{0}; }};
  Liveness liveness_{seconds(3)};
  fakes::FakeReplicaHost host_{1};
  PublishedView view_;
  ServiceContext context_;
  Readiness readiness_{&context_};
  std::unique_ptr<NodeMetrics> metrics_;
};

TEST_F(NodeMetricsTest, SeriesDoNotGrowWithGroups) {
  for (ReplicaFigures& replica : host_.figures.replicas) {
    replica.leader_node = 0;
    replica.apply_lag = 1000 + replica.group.value();
    replica.follower_lag = 1000 + replica.group.value();
  }
  const std::string text = Expose();
  EXPECT_EQ(Count(text, "quorate_raft_group_trouble{"), NodeMetrics::kGroupsTold);
  EXPECT_EQ(Count(text, "quorate_raft_group_apply_lag_entries{"), NodeMetrics::kGroupsTold);
  EXPECT_EQ(Count(text, "quorate_raft_group_follower_lag_entries{"), NodeMetrics::kGroupsTold);
  EXPECT_THAT(text, HasSubstr("quorate_raft_group_apply_lag_entries{keyspace=\"orders\","
                              "partition=\"5000\"} 6000\n"))
      << "the worst are told";
  EXPECT_LT(Count(text, "\n"), 400);
}

TEST_F(NodeMetricsTest, TellsSumsAndTheWorst) {
  host_.figures.replicas[6].apply_lag = 40;
  host_.figures.replicas[7].apply_lag = 2;
  host_.figures.replicas[8].quarantined = true;
  host_.figures.replicas[9].role = kv::v1::REPLICA_ROLE_LEADER;
  host_.figures.replicas[10].leader_node = 0;
  host_.figures.replicas[11].returning = true;
  host_.figures.pending_write_bytes = 77;
  const std::string text = Expose();
  for (const char* line :
       {"quorate_replicas 5000", "quorate_leaders 1", "quorate_quarantined_replicas 1",
        "quorate_raft_replicas{role=\"follower\"} 4998", "quorate_groups_without_leader 1",
        "quorate_raft_apply_lag_entries 42", "quorate_raft_apply_lag_entries_max 40",
        "quorate_raft_term_max 3", "quorate_pending_write_bytes 77", "quorate_cluster_epoch 12",
        "quorate_peers 2", "quorate_peers_alive 0", "quorate_store_poisoned 0",
        "quorate_build_info{version=\"1.2.3\"} 1", "quorate_returning_replicas 1",
        "quorate_power_losses_total 4",
        "quorate_raft_group_trouble{keyspace=\"orders\",partition=\"12\",trouble=\"returning\"} 1",
        "quorate_raft_group_trouble{keyspace=\"orders\",partition=\"9\",trouble=\"quarantined\"} 1",
        "quorate_raft_group_trouble{keyspace=\"orders\",partition=\"11\",trouble=\"no_leader\"} "
        "1"}) {
    EXPECT_THAT(text, HasSubstr(fmt::format("\n{}\n", line)));
  }
  EXPECT_THAT(text, Not(HasSubstr("quorate_raft_group_apply_lag_entries{")))
      << "what lags a little comes and goes";
}

TEST_F(NodeMetricsTest, TellsBothStores) {
  const std::string text = Expose();
  // The data store's format record was flushed when it was made; the log's is in its log.
  EXPECT_THAT(text, HasSubstr("quorate_rocksdb_level0_files{store=\"data\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("quorate_rocksdb_level0_files{store=\"log\"} 0\n"));
  for (const char* figure : {"memtable_bytes", "block_cache_capacity_bytes"}) {
    for (const char* store : {"data", "log"}) {
      EXPECT_THAT(
          text,
          Not(HasSubstr(fmt::format("quorate_rocksdb_{}{{store=\"{}\"}} 0\n", figure, store))));
    }
  }
  EXPECT_THAT(text, Not(HasSubstr("quorate_disk_free_bytes 0\n")));
}

TEST_F(NodeMetricsTest, TellsNothingOnceGone) {
  metrics_.reset();
  EXPECT_THAT(Expose(), Not(HasSubstr("quorate_replicas")));
}

}  // namespace
}  // namespace quorate
