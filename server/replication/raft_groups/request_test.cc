#include "server/replication/raft_groups/request.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "proto/error_detail.h"
#include "server/replication/raft_groups/deadline_queue.h"

namespace quorate {
namespace {

MonotonicTime At(int64_t ms) { return MonotonicTime(std::chrono::milliseconds(ms)); }

internal::v1::Command SomePut() {
  internal::v1::Command command;
  command.mutable_put()->set_key("key");
  command.mutable_put()->set_value(std::string(1000, 'v'));
  command.mutable_request_id()->set_sequence(4);
  return command;
}

std::shared_ptr<WriteRequest> MakeWrite(MonotonicTime deadline,
                                        std::optional<absl::StatusOr<WriteAnswer>>* answer) {
  return std::make_shared<WriteRequest>(
      GroupId(1), SomePut(), CallTerms{.deadline = deadline},
      [answer](absl::StatusOr<WriteAnswer> got) { *answer = std::move(got); });
}

TEST(WriteRequestTest, PayloadIsTheCommandWithItsHead) {
  for (const auto& [stamp, elapsed_us] :
       {std::pair<uint64_t, uint64_t>{1, 0}, {300, 127}, {~uint64_t{0}, ~uint64_t{0}}}) {
    std::optional<absl::StatusOr<WriteAnswer>> answer;
    const auto write = MakeWrite(At(1), &answer);
    const auto payload = write->TakePayload(stamp, elapsed_us);
    EXPECT_LE(payload->size(), write->bytes());
    internal::v1::Command decoded;
    ASSERT_TRUE(decoded.ParseFromString(*payload));
    internal::v1::Command expected = SomePut();
    expected.set_format(1);
    expected.set_feature_level(4);
    expected.set_stamp(stamp);
    expected.set_elapsed_us(elapsed_us);
    EXPECT_EQ(decoded.SerializeAsString(), expected.SerializeAsString());
    EXPECT_EQ(write->command().SerializeAsString(), expected.SerializeAsString())
        << "what the proposer applies is what the others decode";
  }
}

TEST(WriteRequestTest, OutcomeFollowsHowFarItGot) {
  std::optional<absl::StatusOr<WriteAnswer>> before;
  MakeWrite(At(1), &before)->Refuse({.reason = kv::v1::REASON_DEADLINE, .message = "late"});
  EXPECT_EQ(OutcomeOf(before->status()), kv::v1::OUTCOME_NOT_DONE);
  std::optional<absl::StatusOr<WriteAnswer>> after;
  const auto write = MakeWrite(At(1), &after);
  write->MarkProposed(raft::Term(1), raft::LogIndex(1));
  write->Refuse({.reason = kv::v1::REASON_DEADLINE, .message = "late"});
  EXPECT_EQ(OutcomeOf(after->status()), kv::v1::OUTCOME_UNKNOWN);
}

TEST(WriteRequestTest, FirstAnswerStands) {
  std::optional<absl::StatusOr<WriteAnswer>> answer;
  const auto write = MakeWrite(At(1), &answer);
  write->Answer(WriteAnswer{});
  write->Refuse({.reason = kv::v1::REASON_DEADLINE, .message = "late"});
  EXPECT_TRUE(answer->ok());
}

TEST(DeadlineQueueTest, GivesUpInOrderOfDeadlines) {
  DeadlineQueue queue;
  std::optional<absl::StatusOr<WriteAnswer>> ignored;
  const auto late = MakeWrite(At(30), &ignored);
  const auto early = MakeWrite(At(10), &ignored);
  const auto same = MakeWrite(At(10), &ignored);
  const auto answered = MakeWrite(At(5), &ignored);
  for (const auto& each : {late, early, same, answered}) {
    queue.Add(each);
  }
  queue.Remove(*answered);
  queue.Remove(*answered);
  EXPECT_EQ(queue.Earliest(), At(10));
  EXPECT_TRUE(queue.TakeDue(At(9)).empty());
  const auto due = queue.TakeDue(At(10));
  ASSERT_EQ(due.size(), 2u);
  EXPECT_EQ(due[0], early);
  EXPECT_EQ(due[1], same);
  EXPECT_EQ(queue.TakeAll().size(), 1u);
  EXPECT_FALSE(queue.Earliest().has_value());
  queue.Remove(*late);
}

}  // namespace
}  // namespace quorate
