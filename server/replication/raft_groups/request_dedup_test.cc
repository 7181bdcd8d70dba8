#include "server/replication/raft_groups/request_dedup.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace quorate {
namespace {

using internal::v1::AppliedResult;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Verdict = RequestMemory::Verdict;

kv::v1::RequestId Id(char client, uint64_t sequence, uint64_t time_us) {
  kv::v1::RequestId id;
  id.set_client_id(std::string(16, client));
  id.set_sequence(sequence);
  id.set_cluster_time_us(time_us);
  return id;
}

AppliedResult Answer(char version, bool condition_false = false, bool existed = false) {
  AppliedResult answer;
  answer.set_version(std::string(16, version));
  answer.set_condition_false(condition_false);
  answer.set_existed(existed);
  return answer;
}

TEST(RequestMemoryTest, RepeatGetsTheFirstAnswerWhole) {
  RequestMemory memory(10, 0);
  EXPECT_EQ(memory.Find(Id('a', 1, 50)).verdict, Verdict::kNew);
  EXPECT_THAT(memory.Remember(Id('a', 1, 50), Answer('v', true, true), 7), IsEmpty());
  const auto found = memory.Find(Id('a', 1, 50));
  EXPECT_EQ(found.verdict, Verdict::kRepeat);
  EXPECT_EQ(found.first_answer.SerializeAsString(), Answer('v', true, true).SerializeAsString());
}

TEST(RequestMemoryTest, AnswerWithoutVersionStaysWithout) {
  RequestMemory memory(10, 0);
  AppliedResult answer;
  answer.set_condition_false(true);
  memory.Remember(Id('a', 1, 50), answer, 1);
  EXPECT_EQ(memory.Find(Id('a', 1, 50)).first_answer.version(), "");
}

TEST(RequestMemoryTest, ClientAndSequenceNameTheWrite) {
  RequestMemory memory(10, 0);
  memory.Remember(Id('a', 1, 50), Answer('v'), 1);
  EXPECT_EQ(memory.Find(Id('b', 1, 50)).verdict, Verdict::kNew);
  EXPECT_EQ(memory.Find(Id('a', 2, 50)).verdict, Verdict::kNew);
  EXPECT_EQ(memory.Find(Id('a', 1, 51)).verdict, Verdict::kRepeat) << "the time is no name";
}

TEST(RequestMemoryTest, OldestByLogOrderGoesAndLeavesTheHorizon) {
  RequestMemory memory(2, 0);
  memory.Remember(Id('a', 1, 90), Answer('v'), 1);
  memory.Remember(Id('a', 2, 10), Answer('v'), 2);
  EXPECT_THAT(memory.Remember(Id('a', 3, 100), Answer('v'), 5), ElementsAre(1));
  EXPECT_EQ(memory.horizon_us(), 90u);
  EXPECT_THAT(memory.Remember(Id('a', 4, 101), Answer('v'), 6), ElementsAre(2));
  EXPECT_EQ(memory.horizon_us(), 90u) << "the horizon is the highest, and never falls";
}

TEST(RequestMemoryTest, ForgottenIdIsExpiredAndLaterOnesAreNew) {
  RequestMemory memory(1, 0);
  memory.Remember(Id('a', 1, 90), Answer('v'), 1);
  memory.Remember(Id('a', 2, 95), Answer('v'), 2);
  EXPECT_EQ(memory.Find(Id('a', 1, 90)).verdict, Verdict::kExpired);
  EXPECT_EQ(memory.Find(Id('z', 9, 90)).verdict, Verdict::kExpired) << "may be a forgotten one";
  EXPECT_EQ(memory.Find(Id('z', 9, 91)).verdict, Verdict::kNew);
  EXPECT_EQ(memory.Find(Id('a', 2, 95)).verdict, Verdict::kRepeat);
}

TEST(RequestMemoryTest, IdWithoutTimeExpiresOnceAnythingIsForgotten) {
  RequestMemory memory(1, 0);
  EXPECT_EQ(memory.Find(Id('a', 1, 0)).verdict, Verdict::kNew);
  memory.Remember(Id('a', 1, 0), Answer('v'), 1);
  memory.Remember(Id('a', 2, 0), Answer('v'), 2);
  EXPECT_EQ(memory.Find(Id('a', 1, 0)).verdict, Verdict::kExpired);
}

TEST(RequestMemoryTest, RestoredMemoryAnswersAsBefore) {
  RequestMemory memory(2, 40);
  for (uint64_t i = 1; i <= 2; ++i) {
    internal::v1::RequestRow row;
    *row.mutable_request_id() = Id('a', i, 50 + i);
    *row.mutable_result() = Answer('v');
    row.set_index(10 * i);
    memory.Restore(row);
  }
  EXPECT_EQ(memory.Find(Id('a', 1, 51)).verdict, Verdict::kRepeat);
  EXPECT_EQ(memory.Find(Id('b', 1, 40)).verdict, Verdict::kExpired);
  EXPECT_THAT(memory.Remember(Id('a', 3, 60), Answer('v'), 30), ElementsAre(10));
  EXPECT_EQ(memory.Find(Id('a', 2, 52)).verdict, Verdict::kRepeat);
  EXPECT_EQ(memory.horizon_us(), 51u);
}

TEST(RequestMemoryTest, LoweredBoundEvictsSeveralAtOnce) {
  RequestMemory memory(1, 0);
  for (uint64_t i = 1; i <= 3; ++i) {
    internal::v1::RequestRow row;
    *row.mutable_request_id() = Id('a', i, i);
    row.set_index(i);
    memory.Restore(row);
  }
  EXPECT_THAT(memory.Remember(Id('a', 4, 9), Answer('v'), 4), ElementsAre(1, 2, 3));
  EXPECT_EQ(memory.size(), 1u);
}

TEST(RequestMemoryTest, OnlySixteenByteClientsAreRemembered) {
  kv::v1::RequestId id;
  EXPECT_FALSE(RequestMemory::IsValid(id));
  id.set_client_id("fifteen bytes..");
  EXPECT_FALSE(RequestMemory::IsValid(id));
  EXPECT_TRUE(RequestMemory::IsValid(Id('a', 0, 0)));
}

}  // namespace
}  // namespace quorate
