#include "server/cluster/keyspace_policy.h"

#include <functional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/error_detail.h"

namespace quorate {
namespace {

using kv::v1::KeyspacePolicy;

TEST(KeyspacePolicyTest, FillsDefaults) {
  const auto policy = CompletePolicy(KeyspacePolicy());
  ASSERT_TRUE(policy.ok());
  EXPECT_EQ(policy->replication(), kv::v1::REPLICATION_RAFT);
  EXPECT_EQ(policy->replicas(), 3u);
  EXPECT_EQ(policy->partitions(), 16u);
  EXPECT_EQ(policy->routing(), kv::v1::ROUTING_TAG);
  EXPECT_EQ(policy->read(), kv::v1::READ_MODE_LINEARIZABLE);
  EXPECT_EQ(policy->durability(), kv::v1::DURABILITY_FSYNC);
  EXPECT_EQ(policy->value_bytes_max(), 1u << 20);
  EXPECT_EQ(policy->lease(), kv::v1::LEASE_USE_ON);
}

struct Bad {
  std::function<void(KeyspacePolicy*)> set;
  kv::v1::Reason reason;
  std::string field;
};

TEST(KeyspacePolicyTest, RefusesByFieldAndNeverWeakens) {
  using namespace kv::v1;  // NOLINT: many enumerators
  const std::vector<Bad> bad = {
      {[](auto* p) { p->set_replication(REPLICATION_QUORUM); }, REASON_NOT_AVAILABLE_YET,
       "policy.replication"},
      {[](auto* p) { p->set_replicas(2); }, REASON_INVALID_FIELD, "policy.replicas"},
      {[](auto* p) { p->set_replicas(9); }, REASON_INVALID_FIELD, "policy.replicas"},
      {[](auto* p) { p->set_partitions(3); }, REASON_INVALID_FIELD, "policy.partitions"},
      {[](auto* p) { p->set_partitions(8192); }, REASON_INVALID_FIELD, "policy.partitions"},
      {[](auto* p) { p->set_read(READ_MODE_BOUNDED); }, REASON_NOT_AVAILABLE_YET, "policy.read"},
      {[](auto* p) { p->set_read(READ_MODE_SESSION); }, REASON_NOT_AVAILABLE_YET, "policy.read"},
      {[](auto* p) { p->set_read(READ_MODE_ANY); }, REASON_NOT_AVAILABLE_YET, "policy.read"},
      {[](auto* p) { p->set_durability(static_cast<Durability>(77)); }, REASON_INVALID_FIELD,
       "policy.durability"},
      {[](auto* p) { p->set_value_bytes_max((16u << 20) + 1); }, REASON_INVALID_FIELD,
       "policy.value_bytes_max"},
      {[](auto* p) { p->set_routing(static_cast<Routing>(77)); }, REASON_INVALID_FIELD,
       "policy.routing"},
      {[](auto* p) { p->set_lease(static_cast<LeaseUse>(77)); }, REASON_INVALID_FIELD,
       "policy.lease"},
  };
  for (const Bad& row : bad) {
    KeyspacePolicy policy;
    row.set(&policy);
    const auto result = CompletePolicy(policy);
    ASSERT_FALSE(result.ok()) << row.field;
    const auto detail = DetailOf(result.status());
    ASSERT_TRUE(detail.has_value());
    EXPECT_EQ(detail->reason(), row.reason) << result.status();
    EXPECT_EQ(detail->field(), row.field);
    EXPECT_EQ(detail->outcome(), OUTCOME_NOT_DONE);
    if (row.reason == REASON_NOT_AVAILABLE_YET) {
      EXPECT_THAT(std::string(result.status().message()), testing::HasSubstr("not yet available"));
    }
  }
}

TEST(KeyspacePolicyTest, DurabilityIsAsAskedFor) {
  KeyspacePolicy asked;
  asked.set_durability(kv::v1::DURABILITY_BUFFERED);
  const auto policy = CompletePolicy(asked);
  ASSERT_TRUE(policy.ok()) << policy.status();
  EXPECT_EQ(policy->durability(), kv::v1::DURABILITY_BUFFERED);
}

TEST(KeyspacePolicyTest, TooFewNodesNamesBothNumbers) {
  const auto policy = CompletePolicy(KeyspacePolicy());
  EXPECT_TRUE(CheckEnoughNodes(*policy, 3).ok());
  const absl::Status status = CheckEnoughNodes(*policy, 2);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("3 replicas"));
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("has 2"));
}

TEST(KeyspacePolicyTest, Names) {
  for (const char* good : {"a", "orders.v2", "A-b_c", "0"}) {
    EXPECT_TRUE(CheckKeyspaceName("name", good).ok()) << good;
  }
  for (const std::string& bad :
       {std::string(), std::string("a b"), std::string("a/b"), std::string(".."), std::string("."),
        std::string(65, 'x'), std::string("\xc3\xa4")}) {
    EXPECT_FALSE(CheckKeyspaceName("name", bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace quorate
