// Snapshot streams between nodes whose network the test holds in its hands: no group is behind
// them.
#include "server/replication/raft_groups/snapshot_exchange.h"

#include <deque>

#include "gtest/gtest.h"
#include "rocksdb/env.h"
#include "server/replication/testing/manual_loops.h"
#include "server/storage/data_store.h"

namespace quorate {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ManualLoop;
using testing::ManualScheduler;

constexpr GroupId kGroup{3};
constexpr size_t kAtATime = 3;  // not the default
constexpr size_t kChunks = 9;   // of the data that Fill makes
constexpr uint64_t kNoRate = uint64_t{1} << 60;

// A node with a data store and an exchange.
class End {
 public:
  using Network = std::deque<std::pair<uint64_t /*to*/, internal::v1::SnapshotMessage>>;

  End(uint64_t id, ManualScheduler* scheduler, Network* network, uint64_t rate = kNoRate)
      : id(id), loop(scheduler), env_(rocksdb::NewMemEnv(rocksdb::Env::Default())) {
    EXPECT_TRUE(env_->CreateDirIfMissing("/node").ok());
    StoreOptions store;
    store.path = "/node/data";
    store.env = env_.get();
    auto opened = DataStore::Open(store);
    EXPECT_TRUE(opened.ok()) << opened.status();
    data = *std::move(opened);
    Runtime runtime;
    runtime.clock = scheduler;
    runtime.background = &loop;
    runtime.seed = id * 1000;
    metrics = runtime.metrics;
    ReplicaHost::Options options;
    options.snapshot_bytes_per_second = rate;
    options.snapshots_max = kAtATime;
    options.held_at_start = false;  // there is no log
    ReplicaHost::Hooks hooks;
    hooks.send_snapshot = [network](uint64_t to, internal::v1::SnapshotMessage message) {
      network->emplace_back(to, std::move(message));
    };
    context = std::make_shared<HostContext>(runtime, options, data.get(), nullptr, nullptr,
                                            std::move(hooks));
    exchange = std::make_shared<SnapshotExchange>(
        context, SnapshotExchange::Sinks{
                     .ended =
                         [this](const SnapshotRoute& route, std::optional<raft::LogIndex> index) {
                           ended.emplace_back(route, index);
                         },
                     .arrived =
                         [this](ArrivedSnapshot snapshot) {
                           exchange->Answer(snapshot, true, "");
                           arrived.push_back(std::move(snapshot));
                         }});
  }
  ~End() {
    exchange->Close();
    arrived.clear();
  }

  void Fill(ReplicaId replica, uint64_t applied) {
    ApplyBatch batch;
    for (int i = 0; i < 1024; ++i) {
      batch.PutValue(replica, "key" + std::to_string(i),
                     {.version = Version::Make(1, applied), .value = std::string(2000, 'v')});
    }
    internal::v1::ReplicaMeta meta;
    meta.set_format(1);
    meta.set_applied_index(applied);
    meta.set_applied_term(2);
    batch.PutMeta(replica, meta);
    ASSERT_TRUE(data->Apply(batch).ok());
  }
  [[nodiscard]] size_t Stages() const {
    std::vector<std::string> files;
    if (!env_->GetChildren("/node/data-incoming", &files).ok()) return 0;
    return files.size();
  }

  const uint64_t id;
  ManualLoop loop;
  std::shared_ptr<MetricsRegistry> metrics;
  std::vector<std::pair<SnapshotRoute, std::optional<raft::LogIndex>>> ended;
  std::vector<ArrivedSnapshot> arrived;

 private:
  std::unique_ptr<rocksdb::Env> env_;

 public:
  std::unique_ptr<DataStore> data;
  std::shared_ptr<HostContext> context;
  std::shared_ptr<SnapshotExchange> exchange;
};

class SnapshotExchangeTest : public ::testing::Test {
 protected:
  static SnapshotRoute Route(uint64_t from, uint64_t to, uint64_t term = 2,
                             GroupId group = kGroup) {
    return {.group = group,
            .from = ReplicaId(from),
            .to = ReplicaId(to),
            .leader_term = raft::Term(term)};
  }
  // Runs what is due, and carries `most` messages; those that `lost` holds for are dropped.
  void Carry(
      size_t most, const std::function<bool(const internal::v1::SnapshotMessage&)>& lost =
                       [](const auto&) { return false; }) {
    for (size_t carried = 0; carried < most;) {
      scheduler_.RunFor(milliseconds(0));
      if (network_.empty()) return;
      auto [to, message] = std::move(network_.front());
      network_.pop_front();
      ++carried;
      if (!lost(message)) Hand(to, message);
    }
    scheduler_.RunFor(milliseconds(0));
  }
  void Hand(uint64_t to, const internal::v1::SnapshotMessage& message) {
    End& end = *ends_.at(to);
    const uint64_t from = to == kReceiver ? message.from() : kReceiver;
    if (message.has_offer()) {
      end.exchange->Accept(from, message);
    } else {
      end.exchange->OnMessage(from, message);
    }
    scheduler_.RunFor(milliseconds(0));
  }
  End& Add(uint64_t id, uint64_t rate = kNoRate) {
    return *(ends_[id] = std::make_unique<End>(id, &scheduler_, &network_, rate));
  }
  void CarryFor(Duration duration) {
    const MonotonicTime end = scheduler_.Now() + duration;
    while (scheduler_.Now() < end) {
      Carry(1000);
      scheduler_.RunFor(milliseconds(100));
    }
  }

  // Nodes have the ids of their replicas.
  static constexpr uint64_t kReceiver = 9;

  ManualScheduler scheduler_;
  End::Network network_;
  std::map<uint64_t, std::unique_ptr<End>> ends_;
};

TEST_F(SnapshotExchangeTest, TravelsChunkByChunkAndIsInstalled) {
  End& from = Add(1);
  End& to = Add(kReceiver);
  from.Fill(ReplicaId(1), 40);
  from.exchange->Offer(Route(1, kReceiver), kReceiver);
  from.exchange->Offer(Route(1, kReceiver), kReceiver);  // asked for twice, sent once
  Carry(1 + 2 * kChunks + 1);
  EXPECT_TRUE(network_.empty());
  ASSERT_EQ(from.ended.size(), 1u);
  EXPECT_EQ(from.ended[0].second, raft::LogIndex(40));
  ASSERT_EQ(to.arrived.size(), 1u);
  EXPECT_EQ(to.arrived[0].staged->meta().applied_index(), 40u);
  ASSERT_TRUE(to.data->InstallSnapshot(*to.arrived[0].staged).ok());
  EXPECT_EQ(*to.data->Checksum(to.data->Snapshot(), ReplicaId(kReceiver)),
            *from.data->Checksum(from.data->Snapshot(), ReplicaId(1)));
}

TEST_F(SnapshotExchangeTest, WhatGetsLostIsAskedForAgain) {
  End& from = Add(1);
  End& to = Add(kReceiver);
  from.Fill(ReplicaId(1), 40);
  from.exchange->Offer(Route(1, kReceiver), kReceiver);
  size_t seen = 0;
  // Every third message: offers, questions, chunks.
  const auto lost = [&](const auto& message) { return ++seen % 3 == 0 && !message.has_end(); };
  for (int i = 0; i < 100 && to.arrived.empty(); ++i) {
    Carry(1000, lost);
    scheduler_.RunFor(seconds(1));
  }
  ASSERT_EQ(to.arrived.size(), 1u);
  EXPECT_EQ(from.ended[0].second, raft::LogIndex(40));
  EXPECT_GT(to.context->metrics.snapshots_resumed.value(), 0u);
}

TEST_F(SnapshotExchangeTest, stale_chunk_rejected) {
  End& from = Add(1);
  End& to = Add(kReceiver);
  from.Fill(ReplicaId(1), 40);
  from.exchange->Offer(Route(1, kReceiver), kReceiver);
  Carry(4);  // offer, question, chunk 0, question
  scheduler_.RunFor(milliseconds(0));
  ASSERT_FALSE(network_.empty());
  const internal::v1::SnapshotMessage chunk = network_.front().second;
  ASSERT_TRUE(chunk.has_chunk());
  ASSERT_EQ(chunk.chunk().number(), 1u);
  Carry(2);
  Hand(kReceiver, chunk);  // once more
  auto foreign = chunk;
  foreign.set_stream(77);
  foreign.mutable_chunk()->set_number(2);
  Hand(kReceiver, foreign);
  auto damaged = chunk;
  damaged.mutable_chunk()->set_number(2);
  damaged.mutable_chunk()->mutable_content()->front() ^= 1;
  Hand(kReceiver, damaged);
  EXPECT_EQ(to.context->metrics.snapshot_chunks_stale.value(), 2u);
  CarryFor(seconds(2));
  ASSERT_EQ(to.arrived.size(), 1u);
  ASSERT_TRUE(to.data->InstallSnapshot(*to.arrived[0].staged).ok());
  EXPECT_EQ(*to.data->Checksum(to.data->Snapshot(), ReplicaId(kReceiver)),
            *from.data->Checksum(from.data->Snapshot(), ReplicaId(1)));
  Hand(kReceiver, chunk);  // and after the end
  EXPECT_EQ(to.Stages(), 0u);
}

TEST_F(SnapshotExchangeTest, leader_change_mid_stream) {
  End& old_leader = Add(1);
  End& new_leader = Add(2);
  End& to = Add(kReceiver);
  old_leader.Fill(ReplicaId(1), 40);
  new_leader.Fill(ReplicaId(2), 50);
  old_leader.exchange->Offer(Route(1, kReceiver, 2), kReceiver);
  Carry(6);
  new_leader.exchange->Offer(Route(2, kReceiver, 3), kReceiver);
  CarryFor(seconds(3));
  ASSERT_EQ(to.arrived.size(), 1u);
  EXPECT_EQ(to.arrived[0].route.from, ReplicaId(2));
  EXPECT_EQ(to.arrived[0].staged->meta().applied_index(), 50u);
  EXPECT_EQ(to.Stages(), 1u);
  // The old one was told that nobody wants its chunks.
  ASSERT_EQ(old_leader.ended.size(), 1u);
  EXPECT_FALSE(old_leader.ended[0].second.has_value());
}

TEST_F(SnapshotExchangeTest, two_snapshots_at_once) {
  End& leader = Add(2);
  End& deposed = Add(1);
  End& to = Add(kReceiver);
  leader.Fill(ReplicaId(2), 50);
  deposed.Fill(ReplicaId(1), 60);
  leader.exchange->Offer(Route(2, kReceiver, 3), kReceiver);
  Carry(6);
  deposed.exchange->Offer(Route(1, kReceiver, 2), kReceiver);
  CarryFor(seconds(3));
  ASSERT_EQ(to.arrived.size(), 1u);
  EXPECT_EQ(to.arrived[0].route.from, ReplicaId(2));
  EXPECT_FALSE(deposed.ended.at(0).second.has_value());
  EXPECT_EQ(leader.ended.at(0).second, raft::LogIndex(50));
}

TEST_F(SnapshotExchangeTest, AVanishedReceiverCostsNothingAfterAWhile) {
  End& from = Add(1);
  Add(kReceiver);
  from.Fill(ReplicaId(1), 40);
  from.exchange->Offer(Route(1, kReceiver), kReceiver);
  Carry(4);
  const auto all_lost = [](const auto&) { return true; };
  for (int i = 0; i < 29; ++i) {
    Carry(1000, all_lost);
    scheduler_.RunFor(seconds(1));
  }
  EXPECT_TRUE(from.ended.empty());
  scheduler_.RunFor(seconds(2));
  ASSERT_EQ(from.ended.size(), 1u);
  EXPECT_FALSE(from.ended[0].second.has_value());
  EXPECT_EQ(ends_[kReceiver]->Stages(), 0u);  // given up, too
}

// A flush on a slow disk holds up all else on the background loop of its node.
TEST_F(SnapshotExchangeTest, ANodeThatStandsStillAgainAndAgainBreaksNothingOff) {
  End& from = Add(1);
  End& to = Add(kReceiver);
  from.Fill(ReplicaId(1), 40);
  from.exchange->Offer(Route(1, kReceiver), kReceiver);
  for (int i = 0; i < 4; ++i) {
    Carry(4);  // a chunk or two
    for (End* const end : {&to, &from}) {
      end->loop.Pause();
      CarryFor(seconds(20));
      end->loop.Resume();
      Carry(2);
    }
  }
  CarryFor(seconds(2));
  ASSERT_EQ(to.arrived.size(), 1u);
  EXPECT_EQ(from.ended.at(0).second, raft::LogIndex(40));
}

TEST_F(SnapshotExchangeTest, FewAtATimeTheOthersWait) {
  End& from = Add(1);
  End& to = Add(kReceiver);
  from.Fill(ReplicaId(1), 40);
  for (uint64_t group = 1; group <= 7; ++group) {
    from.exchange->Offer(Route(1, kReceiver, 2, GroupId(group)), kReceiver);
  }
  scheduler_.RunFor(milliseconds(0));
  EXPECT_EQ(network_.size(), kAtATime);
  CarryFor(seconds(5));
  EXPECT_EQ(to.arrived.size(), 7u);
  EXPECT_EQ(from.ended.size(), 7u);
}

TEST_F(SnapshotExchangeTest, ABusyReceiverIsAskedLater) {
  End& to = Add(kReceiver);
  for (uint64_t leader = 1; leader <= 5; ++leader) {
    Add(leader).Fill(ReplicaId(leader), 40);
    ends_[leader]->exchange->Offer(Route(leader, kReceiver, 2, GroupId(leader)), kReceiver);
  }
  Carry(10);
  EXPECT_EQ(to.Stages(), kAtATime);
  CarryFor(seconds(5));
  EXPECT_EQ(to.arrived.size(), 5u);
  for (uint64_t leader = 1; leader <= 5; ++leader) {
    ASSERT_EQ(ends_[leader]->ended.size(), 1u);
    EXPECT_TRUE(ends_[leader]->ended[0].second.has_value());
  }
}

TEST_F(SnapshotExchangeTest, TheRateIsKept) {
  End& from = Add(1, 1 << 20);
  End& to = Add(kReceiver);
  from.Fill(ReplicaId(1), 40);  // 2 MiB
  from.exchange->Offer(Route(1, kReceiver), kReceiver);
  CarryFor(seconds(1));
  EXPECT_TRUE(to.arrived.empty());
  const uint64_t sent = from.context->metrics.snapshot_bytes_sent.value();
  EXPECT_GE(sent, 768u << 10);
  EXPECT_LE(sent, 1536u << 10);
  CarryFor(seconds(4));
  EXPECT_EQ(to.arrived.size(), 1u);
}

TEST_F(SnapshotExchangeTest, WhatCannotBeReadIsNotSent) {
  End& from = Add(1);
  Add(kReceiver);
  from.exchange->Offer(Route(1, kReceiver), kReceiver);  // nothing is there
  CarryFor(seconds(1));
  ASSERT_EQ(from.ended.size(), 1u);
  EXPECT_FALSE(from.ended[0].second.has_value());
  EXPECT_EQ(ends_[kReceiver]->Stages(), 0u);
}

}  // namespace
}  // namespace quorate
