// The data API over fake replicas: two nodes, of which this test is node 1.
#include "server/service/key_value_service.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "fmt/format.h"
#include "gtest/gtest.h"
#include "proto/error_detail.h"
#include "server/runtime/random.h"
#include "tests/fakes/fake_replica_host.h"
#include "tests/fakes/manual_loop.h"

namespace quorate {
namespace {

constexpr uint32_t kPartitions = 8;

template <class T>
struct Answer {
  int count = 0;
  absl::StatusOr<T> value = absl::UnknownError("no answer");

  Reply<T> reply() {
    return [this](absl::StatusOr<T> got) {
      ++count;
      value = std::move(got);
    };
  }
};

class KeyValueServiceTest : public ::testing::Test {
 protected:
  KeyValueServiceTest() {
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
    keyspace->set_era(2);
    keyspace->mutable_policy()->set_partitions(kPartitions);
    keyspace->mutable_policy()->set_routing(kv::v1::ROUTING_TAG);
    keyspace->mutable_policy()->set_value_bytes_max(1000);
    for (uint32_t i = 0; i < kPartitions; ++i) {
      kv::v1::PartitionPlacement* placement = keyspace->add_partitions();
      placement->set_partition(i);
      placement->set_group_id(10 + i);
      placement->set_epoch(4);
      placement->add_replicas()->set_node_id(2);
      // Node 1 owns no replica of the last partition.
      if (i + 1 < kPartitions) placement->add_replicas()->set_node_id(1);
      const uint64_t leader = i % 2 == 0 && i + 1 < kPartitions ? 1 : 2;
      near_.leaders[GroupId(10 + i)] = i + 1 < kPartitions ? leader : 0;
      far_.leaders[GroupId(10 + i)] = leader;
    }
    view_.Set(std::make_shared<const ClusterView>(state, 1));
    context_.clock = &clock_;
    context_.control = &loop_;
    context_.host = &near_;
    context_.view = &view_;
    context_.ask_page = [this](uint64_t node, const internal::v1::ReadPageRequest& request,
                               MonotonicTime until, Callback<internal::v1::ReadPageResponse> done) {
      AskPage(node, request, until, std::move(done));
    };
  }

  void AskPage(uint64_t node, const internal::v1::ReadPageRequest& request, MonotonicTime until,
               Callback<internal::v1::ReadPageResponse> done) {
    EXPECT_EQ(node, 2u);
    if (lost_ > 0) {
      --lost_;
      loop_.PostAt(
          until, [done = std::move(done)]() mutable { done(absl::DeadlineExceededError("lost")); });
      return;
    }
    far_.ReadPage(GroupId(request.group_id()),
                  {.begin = request.begin(),
                   .end = request.end(),
                   .limit = request.limit(),
                   .bytes_max = request.page_bytes(),
                   .keys_only = request.keys_only()},
                  {.deadline = until}, [&](absl::StatusOr<PageAnswer> page) {
                    internal::v1::ReadPageResponse response;
                    response.set_served(page.ok());
                    if (page.ok()) {
                      response.set_more(page->more);
                      for (const auto& entry : page->entries) *response.add_entries() = entry;
                    }
                    done(std::move(response));
                  });
  }

  static uint32_t PartitionOf(const std::string& key) {
    return PartitionOfKey(key, RoutingRule::kTag, kPartitions);
  }
  // Straight into the group that owns the key.
  void Store(const std::string& key, const std::string& value) {
    const GroupId group(10 + PartitionOf(key));
    (far_.leaders[group] == 1 ? near_ : far_).data[group][key] = value;
    all_[key] = value;
  }
  std::string KeyOf(uint32_t partition) {
    for (int i = 0;; ++i) {
      std::string key = fmt::format("key{}", i);
      if (PartitionOf(key) == partition) return key;
    }
  }
  kv::v1::GetRequest GetOf(const std::string& key) {
    kv::v1::GetRequest request;
    request.mutable_header()->set_keyspace("k");
    request.set_key(key);
    return request;
  }
  absl::StatusOr<kv::v1::ScanResponse> ScanPage(const kv::v1::ScanRequest& request) {
    Answer<kv::v1::ScanResponse> answer;
    service_.ScanPage(CallContext(), request, answer.reply());
    if (answer.count == 0) loop_.RunFor(std::chrono::seconds(10));
    EXPECT_EQ(answer.count, 1);
    return answer.value;
  }
  // All pages; the entries in the order they came.
  std::vector<kv::v1::ScanEntry> ScanAll(kv::v1::ScanRequest request) {
    std::vector<kv::v1::ScanEntry> entries;
    do {
      const auto page = ScanPage(request);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) break;
      for (const auto& entry : page->entries()) entries.push_back(entry);
      if (entries.size() > all_.size()) {
        ADD_FAILURE() << "the scan goes in circles";
        break;
      }
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    return entries;
  }
  void ExpectAll(const std::vector<kv::v1::ScanEntry>& entries) {
    ASSERT_EQ(entries.size(), all_.size());
    auto expected = all_.begin();
    for (const auto& entry : entries) {
      EXPECT_EQ(entry.key(), expected->first);
      EXPECT_EQ(entry.value(), expected->second);
      ++expected;
    }
  }
  static kv::v1::ScanRequest ScanOf() {
    kv::v1::ScanRequest request;
    request.mutable_header()->set_keyspace("k");
    return request;
  }

  fakes::ManualClock clock_;
  fakes::ManualLoop loop_{&clock_};
  fakes::FakeReplicaHost near_{1};
  fakes::FakeReplicaHost far_{2};
  PublishedView view_;
  ServiceContext context_;
  NodeKeyValueService service_{&context_};
  std::map<std::string, std::string> all_;
  int lost_ = 0;
};

TEST_F(KeyValueServiceTest, PutThenGetUnderTheLease) {
  const std::string key = KeyOf(0);
  kv::v1::PutRequest put;
  *put.mutable_header() = GetOf(key).header();
  put.set_key(key);
  put.set_value("v");
  Answer<kv::v1::PutResponse> written;
  service_.Put(CallContext(), put, written.reply());
  ASSERT_TRUE(written.value.ok()) << written.value.status();
  EXPECT_EQ(written.value->header().receipt().served_by(), kv::v1::SERVED_BY_COMMIT);
  Answer<kv::v1::GetResponse> read;
  service_.Get(CallContext(), GetOf(key), read.reply());
  ASSERT_TRUE(read.value.ok()) << read.value.status();
  EXPECT_EQ(read.value->value(), "v");
  EXPECT_EQ(read.value->header().receipt().served_by(), kv::v1::SERVED_BY_LEADER_LEASE);
  EXPECT_EQ(read.value->header().receipt().node_id(), 1u);
  EXPECT_EQ(read.value->header().cluster_time_us(), 1234u);
  near_.lease = false;
  service_.Get(CallContext(), GetOf(key), read.reply());
  EXPECT_EQ(read.value->header().receipt().served_by(), kv::v1::SERVED_BY_LEADER_READ_INDEX);
}

TEST_F(KeyValueServiceTest, FalseConditionIsDefinitelyNotDone) {
  const std::string key = KeyOf(0);
  Store(key, "old");
  kv::v1::PutRequest put;
  *put.mutable_header() = GetOf(key).header();
  put.set_key(key);
  put.mutable_condition()->set_if_absent(true);
  Answer<kv::v1::PutResponse> written;
  service_.Put(CallContext(), put, written.reply());
  const auto detail = DetailOf(written.value.status());
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason(), kv::v1::REASON_CONDITION_FALSE);
  EXPECT_EQ(detail->outcome(), kv::v1::OUTCOME_NOT_DONE);
  EXPECT_EQ(detail->current_version(), std::string(16, 'v'));
}

TEST_F(KeyValueServiceTest, IncrementAnswersTheSumOrWhyNot) {
  kv::v1::IncrementRequest request;
  request.set_key(KeyOf(0));
  *request.mutable_header() = GetOf(request.key()).header();
  request.set_delta(2);
  Answer<kv::v1::IncrementResponse> done;
  service_.Increment(CallContext(), request, done.reply());
  ASSERT_TRUE(done.value.ok()) << done.value.status();
  EXPECT_EQ(done.value->value(), 2);
  EXPECT_EQ(done.value->header().receipt().served_by(), kv::v1::SERVED_BY_COMMIT);
  EXPECT_EQ(near_.written.back().increment().delta(), 2);

  const auto refused = [&] {
    Answer<kv::v1::IncrementResponse> answer;
    service_.Increment(CallContext(), request, answer.reply());
    const auto detail = DetailOf(answer.value.status()).value_or(kv::v1::ErrorDetail());
    EXPECT_EQ(detail.outcome(), kv::v1::OUTCOME_NOT_DONE) << answer.value.status();
    EXPECT_EQ(detail.current_version(), std::string(16, 'v'));
    return detail.reason();
  };
  EXPECT_EQ(refused(), kv::v1::REASON_NUMBER_OVERFLOW);
  Store(request.key(), "two");
  EXPECT_EQ(refused(), kv::v1::REASON_NOT_A_NUMBER);

  request.clear_key();
  Answer<kv::v1::IncrementResponse> keyless;
  service_.Increment(CallContext(), request, keyless.reply());
  EXPECT_EQ(ReasonOf(keyless.value.status()), kv::v1::REASON_INVALID_FIELD);
}

TEST_F(KeyValueServiceTest, NamesTheLeaderWithItsClientAddress) {
  Answer<kv::v1::GetResponse> read;
  service_.Get(CallContext(), GetOf(KeyOf(1)), read.reply());
  const auto detail = DetailOf(read.value.status());
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason(), kv::v1::REASON_NOT_LEADER);
  EXPECT_EQ(detail->leader().address(), "client-2");
}

TEST_F(KeyValueServiceTest, SaysWhereThePartitionIs) {
  Answer<kv::v1::GetResponse> read;
  service_.Get(CallContext(), GetOf(KeyOf(kPartitions - 1)), read.reply());
  auto detail = DetailOf(read.value.status());
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason(), kv::v1::REASON_WRONG_NODE);
  EXPECT_EQ(detail->placement().replicas(0).node_id(), 2u);
  EXPECT_EQ(detail->leader().address(), "client-2");
  kv::v1::GetRequest stale = GetOf(KeyOf(0));
  stale.mutable_header()->set_placement_epoch(3);
  service_.Get(CallContext(), stale, read.reply());
  detail = DetailOf(read.value.status());
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason(), kv::v1::REASON_STALE_EPOCH);
  EXPECT_EQ(detail->placement().epoch(), 4u);
}

TEST_F(KeyValueServiceTest, RefusesInTyped) {
  Answer<kv::v1::GetResponse> read;
  service_.Get(CallContext(), GetOf(""), read.reply());
  EXPECT_EQ(ReasonOf(read.value.status()), kv::v1::REASON_INVALID_FIELD);
  service_.Get(CallContext(), GetOf(KeyOf(0)), read.reply());
  EXPECT_EQ(ReasonOf(read.value.status()), kv::v1::REASON_KEY_NOT_FOUND);
  kv::v1::GetRequest unknown = GetOf("x");
  unknown.mutable_header()->set_keyspace("gone");
  service_.Get(CallContext(), unknown, read.reply());
  EXPECT_EQ(ReasonOf(read.value.status()), kv::v1::REASON_KEYSPACE_NOT_FOUND);
  CallContext late;
  late.deadline = clock_.Now();
  service_.Get(late, GetOf("x"), read.reply());
  EXPECT_EQ(ReasonOf(read.value.status()), kv::v1::REASON_DEADLINE);
  kv::v1::GetRequest old = GetOf("x");
  auto* entry = old.mutable_header()->mutable_session_token()->add_entries();
  entry->set_keyspace_id(5);
  entry->set_version(std::string("\0\0\1", 3) + std::string(13, 'x'));
  service_.Get(CallContext(), old, read.reply());
  EXPECT_EQ(ReasonOf(read.value.status()), kv::v1::REASON_TOKEN_OF_OLDER_ERA);
  view_.Set(nullptr);
  service_.Get(CallContext(), GetOf("x"), read.reply());
  EXPECT_EQ(ReasonOf(read.value.status()), kv::v1::REASON_NOT_INITIALISED);
  context_.stopping = true;
  service_.Get(CallContext(), GetOf("x"), read.reply());
  EXPECT_EQ(ReasonOf(read.value.status()), kv::v1::REASON_SHUTTING_DOWN);
  EXPECT_EQ(read.count, 7);
}

TEST_F(KeyValueServiceTest, ScanEqualsTheSortedMapForAnyPageSize) {
  SeededRandom random(1);
  for (int i = 0; i < 400; ++i) {
    Store(fmt::format("{:03}{}", UniformBelow(random, 1000), i % 7),
          std::string(UniformBelow(random, 300), 'x'));
  }
  for (const uint32_t page_bytes : {1u, 100u, 5000u, 20000u, 0u}) {
    for (const uint64_t limit : {uint64_t{0}, uint64_t{1}, uint64_t{17}}) {
      kv::v1::ScanRequest request = ScanOf();
      request.set_page_bytes(page_bytes);
      request.set_limit(limit);
      SCOPED_TRACE(fmt::format("page_bytes {} limit {}", page_bytes, limit));
      ExpectAll(ScanAll(request));
    }
  }
}

TEST_F(KeyValueServiceTest, ScanKeepsToItsBounds) {
  for (int i = 0; i < 100; ++i) Store(fmt::format("a{:02}", i), "v");
  Store("b", "v");
  kv::v1::ScanRequest request = ScanOf();
  request.set_prefix("a1");
  EXPECT_EQ(ScanAll(request).size(), 10u);
  request = ScanOf();
  request.set_begin("a98");
  EXPECT_EQ(ScanAll(request).size(), 3u);
  request.set_end("b");
  EXPECT_EQ(ScanAll(request).size(), 2u);
  request.set_end("a98");
  EXPECT_EQ(ScanAll(request).size(), 0u);
  request = ScanOf();
  request.set_keys_only(true);
  for (const auto& entry : ScanAll(request)) EXPECT_TRUE(entry.value().empty());
}

TEST_F(KeyValueServiceTest, ScanWithinOneTagAsksOnePartition) {
  for (int i = 0; i < 20; ++i) {
    Store(fmt::format("{{t}}{}", i), "v");
    Store(fmt::format("other{}", i), "v");
  }
  kv::v1::ScanRequest request = ScanOf();
  request.set_prefix("{t}");
  EXPECT_EQ(ScanAll(request).size(), 20u);
  EXPECT_EQ(near_.page_reads + far_.page_reads, 1u);
}

TEST_F(KeyValueServiceTest, ScanHoldsOnePageAndOneShareOfEachPartition) {
  for (int i = 0; i < 2000; ++i) Store(fmt::format("{:05}", i), std::string(1000, 'x'));
  kv::v1::ScanRequest request = ScanOf();
  request.set_page_bytes(64 << 10);
  const auto page = ScanPage(request);
  ASSERT_TRUE(page.ok());
  EXPECT_LE(page->ByteSizeLong(), size_t{80} << 10);
  EXPECT_LE(near_.page_bytes_read + far_.page_bytes_read, size_t{130} << 10)
      << "a partition gives about its share of the page, not a page of its own";
}

TEST_F(KeyValueServiceTest, ScanAsksAgainUntilPartitionsAnswer) {
  for (int i = 0; i < 50; ++i) Store(fmt::format("{:03}", i), "v");
  lost_ = 3;
  near_.errors.assign(2, MakeError(kv::v1::REASON_NO_LEADER, kv::v1::OUTCOME_NOT_DONE, "none"));
  ExpectAll(ScanAll(ScanOf()));
}

TEST_F(KeyValueServiceTest, ScanEndsByItsDeadline) {
  lost_ = 1000;
  kv::v1::ScanRequest request = ScanOf();
  request.mutable_header()->set_timeout_ms(2000);
  Answer<kv::v1::ScanResponse> answer;
  service_.ScanPage(CallContext(), request, answer.reply());
  loop_.RunFor(std::chrono::milliseconds(2000));
  EXPECT_EQ(answer.count, 1);
  EXPECT_EQ(ReasonOf(answer.value.status()), kv::v1::REASON_DEADLINE);
  loop_.RunFor(std::chrono::seconds(10));
  EXPECT_EQ(answer.count, 1);
}

TEST_F(KeyValueServiceTest, ScanRefusesForeignTokens) {
  kv::v1::ScanRequest request = ScanOf();
  request.set_page_token("nonsense");
  const auto page = ScanPage(request);
  EXPECT_EQ(DetailOf(page.status())->field(), "page_token");
}

}  // namespace
}  // namespace quorate
