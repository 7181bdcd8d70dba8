#include "server/replication/raft_groups/request_dedup.h"

#include <string>
#include <vector>

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

RequestMemory::Bounds Rows(size_t rows_max) { return {.rows_max = rows_max, .bytes_max = 1000}; }

internal::v1::RequestRow RowOf(const kv::v1::RequestId& id, const AppliedResult& answer,
                               uint64_t index) {
  internal::v1::RequestRow row;
  *row.mutable_request_id() = id;
  *row.mutable_result() = answer;
  row.set_index(index);
  return row;
}

// An atomic batch's answer with one value of this size.
AppliedResult AnswerWithValue(size_t bytes) {
  AppliedResult answer;
  answer.add_steps()->set_value(std::string(bytes, 'x'));
  return answer;
}

// What a batch of independent writes with these sequences answered.
internal::v1::RequestRow StepsRow(const std::vector<uint64_t>& sequences, uint64_t time_us,
                                  uint64_t index) {
  internal::v1::RequestRow row = RowOf(Id('a', 0, time_us), {}, index);
  for (const uint64_t sequence : sequences) {
    row.add_step_sequences(sequence);
    *row.mutable_result()->add_steps() = Answer(static_cast<char>('0' + sequence));
  }
  return row;
}

TEST(RequestMemoryTest, EachWriteOfABatchIsRememberedByItsOwnSequence) {
  RequestMemory memory(Rows(10), {});
  memory.Remember(StepsRow({3, 5}, 50, 1));
  EXPECT_EQ(memory.Find(Id('a', 3, 50)).first_answer.version(), std::string(16, '3'));
  EXPECT_EQ(memory.Find(Id('a', 0, 50), 5).first_answer.version(), std::string(16, '5'));
  EXPECT_EQ(memory.Find(Id('a', 4, 50)).verdict, Verdict::kNew);
  RequestMemory restored(Rows(10), {});
  restored.Restore(StepsRow({3, 5}, 50, 1));
  EXPECT_EQ(restored.Find(Id('a', 5, 50)).verdict, Verdict::kRepeat);
}

TEST(RequestMemoryTest, IdsOfOneEntryAreForgottenTogether) {
  RequestMemory memory(Rows(3), {});
  memory.Remember(StepsRow({1, 2, 3}, 50, 1));
  EXPECT_THAT(memory.Remember(StepsRow({4}, 60, 2)), ElementsAre(1));
  EXPECT_EQ(memory.size(), 1u);
  EXPECT_EQ(memory.Find(Id('a', 3, 50)).verdict, Verdict::kExpired);
}

TEST(RequestMemoryTest, TheNewestEntryIsKeptWhateverItsSize) {
  RequestMemory memory(Rows(2), {});
  EXPECT_THAT(memory.Remember(StepsRow({1, 2, 3}, 50, 1)), IsEmpty());
  EXPECT_EQ(memory.Find(Id('a', 1, 50)).verdict, Verdict::kRepeat);
}

TEST(RequestMemoryTest, BytesOfAnswersAreBoundedByTheSameRule) {
  RequestMemory memory(Rows(100), {});
  const size_t half = 500 - RequestMemory::AnswerBytes(AnswerWithValue(0));
  memory.Remember(RowOf(Id('a', 1, 50), Answer('v'), 1));
  memory.Remember(RowOf(Id('a', 2, 60), AnswerWithValue(half), 2));
  EXPECT_THAT(memory.Remember(RowOf(Id('a', 3, 70), AnswerWithValue(half), 3)), IsEmpty());
  EXPECT_EQ(memory.bytes(), 1000u) << "the bound itself fits";
  EXPECT_THAT(memory.Remember(RowOf(Id('a', 4, 80), AnswerWithValue(1), 4)), ElementsAre(1, 2))
      << "in log order, small answers too";
  EXPECT_EQ(memory.Find(Id('a', 2, 60)).verdict, Verdict::kExpired);
  EXPECT_EQ(memory.Find(Id('a', 3, 70)).first_answer.steps(0).value().size(), half);
}

TEST(RequestMemoryTest, ReplicasForgetAlikeAfterARestart) {
  RequestMemory memory(Rows(100), {});
  RequestMemory restarted(Rows(100), {});
  for (uint64_t i = 1; i <= 2; ++i) {
    memory.Remember(RowOf(Id('a', i, 50 + i), AnswerWithValue(400), i));
    restarted.Restore(RowOf(Id('a', i, 50 + i), AnswerWithValue(400), i));
  }
  const auto next = RowOf(Id('a', 3, 70), AnswerWithValue(100), 3);
  EXPECT_EQ(memory.Remember(next), restarted.Remember(next));
  EXPECT_TRUE(memory.forgotten().Contains(51) && restarted.forgotten().Contains(51));
  EXPECT_FALSE(memory.forgotten().Contains(52) || restarted.forgotten().Contains(52));
  EXPECT_EQ(memory.bytes(), restarted.bytes());
}

TEST(RequestMemoryTest, RepeatGetsTheFirstAnswerWhole) {
  RequestMemory memory(Rows(10), {});
  EXPECT_EQ(memory.Find(Id('a', 1, 50)).verdict, Verdict::kNew);
  EXPECT_THAT(memory.Remember(RowOf(Id('a', 1, 50), Answer('v', true, true), 7)), IsEmpty());
  const auto found = memory.Find(Id('a', 1, 50));
  EXPECT_EQ(found.verdict, Verdict::kRepeat);
  EXPECT_EQ(found.first_answer.SerializeAsString(), Answer('v', true, true).SerializeAsString());
}

TEST(RequestMemoryTest, AnswersOfIncrementsAreKeptWhole) {
  AppliedResult sum = Answer('v');
  sum.set_number(-5);
  AppliedResult zero = Answer('v');
  zero.set_number(0);
  AppliedResult not_a_number = Answer('w');
  not_a_number.set_not_a_number(true);
  AppliedResult overflow = Answer('w');
  overflow.set_number_overflow(true);
  RequestMemory memory(Rows(10), {});
  uint64_t sequence = 0;
  for (const AppliedResult& answer : {sum, zero, not_a_number, overflow}) {
    ++sequence;
    memory.Remember(RowOf(Id('a', sequence, 50), answer, sequence));
    EXPECT_EQ(memory.Find(Id('a', sequence, 50)).first_answer.SerializeAsString(),
              answer.SerializeAsString());
  }
}

TEST(RequestMemoryTest, AnswerWithoutVersionStaysWithout) {
  RequestMemory memory(Rows(10), {});
  AppliedResult answer;
  answer.set_condition_false(true);
  memory.Remember(RowOf(Id('a', 1, 50), answer, 1));
  EXPECT_EQ(memory.Find(Id('a', 1, 50)).first_answer.version(), "");
}

TEST(RequestMemoryTest, ClientAndSequenceNameTheWrite) {
  RequestMemory memory(Rows(10), {});
  memory.Remember(RowOf(Id('a', 1, 50), Answer('v'), 1));
  EXPECT_EQ(memory.Find(Id('b', 1, 50)).verdict, Verdict::kNew);
  EXPECT_EQ(memory.Find(Id('a', 2, 50)).verdict, Verdict::kNew);
  EXPECT_EQ(memory.Find(Id('a', 1, 51)).verdict, Verdict::kRepeat) << "the time is no name";
}

TEST(RequestMemoryTest, OldestByLogOrderGoesAndLeavesItsTime) {
  RequestMemory memory(Rows(2), {});
  memory.Remember(RowOf(Id('a', 1, 90), Answer('v'), 1));
  memory.Remember(RowOf(Id('a', 2, 10), Answer('v'), 2));
  EXPECT_THAT(memory.Remember(RowOf(Id('a', 3, 100), Answer('v'), 5)), ElementsAre(1));
  EXPECT_TRUE(memory.forgotten().Contains(90));
  EXPECT_THAT(memory.Remember(RowOf(Id('a', 4, 101), Answer('v'), 6)), ElementsAre(2));
  EXPECT_TRUE(memory.forgotten().Contains(90) && memory.forgotten().Contains(10));
}

TEST(RequestMemoryTest, ForgottenIdIsExpiredAndLaterOnesAreNew) {
  RequestMemory memory(Rows(1), {});
  memory.Remember(RowOf(Id('a', 1, 90), Answer('v'), 1));
  memory.Remember(RowOf(Id('a', 2, 95), Answer('v'), 2));
  EXPECT_EQ(memory.Find(Id('a', 1, 90)).verdict, Verdict::kExpired);
  EXPECT_EQ(memory.Find(Id('z', 9, 90)).verdict, Verdict::kExpired) << "may be a forgotten one";
  EXPECT_EQ(memory.Find(Id('z', 9, 91)).verdict, Verdict::kNew);
  EXPECT_EQ(memory.Find(Id('a', 2, 95)).verdict, Verdict::kRepeat);
}

TEST(RequestMemoryTest, IdWithoutTimeExpiresOnceAnythingIsForgotten) {
  RequestMemory memory(Rows(1), {});
  EXPECT_EQ(memory.Find(Id('a', 1, 0)).verdict, Verdict::kNew);
  memory.Remember(RowOf(Id('a', 1, 0), Answer('v'), 1));
  memory.Remember(RowOf(Id('a', 2, 0), Answer('v'), 2));
  EXPECT_EQ(memory.Find(Id('a', 1, 0)).verdict, Verdict::kExpired);
}

TEST(RequestMemoryTest, RestoredMemoryAnswersAsBefore) {
  internal::v1::ReplicaMeta meta;
  meta.set_eviction_horizon_us(40);
  RequestMemory memory(Rows(2), ForgottenTimes(meta));
  for (uint64_t i = 1; i <= 2; ++i) {
    internal::v1::RequestRow row;
    *row.mutable_request_id() = Id('a', i, 50 + i);
    *row.mutable_result() = Answer('v');
    row.set_index(10 * i);
    memory.Restore(row);
  }
  EXPECT_EQ(memory.Find(Id('a', 1, 51)).verdict, Verdict::kRepeat);
  EXPECT_EQ(memory.Find(Id('b', 1, 40)).verdict, Verdict::kExpired);
  EXPECT_THAT(memory.Remember(RowOf(Id('a', 3, 60), Answer('v'), 30)), ElementsAre(10));
  EXPECT_EQ(memory.Find(Id('a', 2, 52)).verdict, Verdict::kRepeat);
  EXPECT_TRUE(memory.forgotten().Contains(51));
}

TEST(RequestMemoryTest, LoweredBoundEvictsSeveralAtOnce) {
  RequestMemory memory(Rows(1), {});
  for (uint64_t i = 1; i <= 3; ++i) {
    internal::v1::RequestRow row;
    *row.mutable_request_id() = Id('a', i, i);
    row.set_index(i);
    memory.Restore(row);
  }
  EXPECT_THAT(memory.Remember(RowOf(Id('a', 4, 9), Answer('v'), 4)), ElementsAre(1, 2, 3));
  EXPECT_EQ(memory.size(), 1u);
}

internal::v1::RequestRow RowAtAge(uint64_t sequence, uint64_t age_us) {
  internal::v1::RequestRow row = RowOf(Id('a', sequence, 40 + sequence), Answer('v'), sequence);
  row.set_applied_at_age_us(age_us);
  return row;
}

RequestMemory::Bounds Aged() {
  return {.rows_max = 100, .bytes_max = 1000, .age_max = std::chrono::microseconds(100)};
}

TEST(RequestMemoryTest, WhatIsTooOldIsForgottenAlikeAfterARestart) {
  RequestMemory memory(Aged(), {});
  RequestMemory restarted(Aged(), {});
  // The first two are of a build that kept no age.
  for (const auto& each : {RowAtAge(1, 0), RowAtAge(2, 0), RowAtAge(3, 1), RowAtAge(4, 100)}) {
    EXPECT_THAT(memory.Remember(each), IsEmpty());
    restarted.Restore(each);
  }
  for (RequestMemory* each : {&memory, &restarted}) {
    EXPECT_THAT(each->Remember(RowAtAge(5, 101)), ElementsAre(1, 2)) << "the bound itself is in it";
    EXPECT_EQ(each->Find(Id('a', 2, 42)).verdict, Verdict::kExpired);
    EXPECT_EQ(each->Find(Id('a', 3, 43)).verdict, Verdict::kRepeat);
    EXPECT_EQ(each->Find(Id('b', 1, 43)).verdict, Verdict::kNew);
  }
}

TEST(RequestMemoryTest, AfterAnIdleHourAgeIsPaidInParts) {
  RequestMemory memory(Aged(), {});
  for (uint64_t sequence = 1; sequence <= 40; ++sequence) {
    memory.Remember(RowAtAge(sequence, 1));
  }
  EXPECT_EQ(memory.Remember(RowAtAge(41, 5000)).size(), RequestMemory::kAgedAtOnce);
  EXPECT_EQ(memory.Remember(RowAtAge(42, 5001)).size(), RequestMemory::kAgedAtOnce);
  EXPECT_EQ(memory.Remember(RowAtAge(43, 5002)).size(), 40 - 2 * RequestMemory::kAgedAtOnce);
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
