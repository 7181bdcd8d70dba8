#include "server/replication/raft_groups/raft_codec.h"

#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/runtime/random.h"

namespace quorate {
namespace {

namespace wire = internal::v1;
using raft::LogIndex;
using raft::Term;
using ::testing::HasSubstr;

raft::Message MessageWith(raft::MessageBody body) {
  return {.from = ReplicaId(11), .to = ReplicaId(12), .term = Term(5), .body = std::move(body)};
}

raft::AppendRequest SomeAppend() {
  raft::AppendRequest append{.previous_index = LogIndex(3),
                             .previous_term = Term(2),
                             .entries = {},
                             .commit = LogIndex(4),
                             .round = 9};
  append.entries.push_back({Term(2), LogIndex(4), raft::EntryKind::kCommand,
                            std::make_shared<const std::string>("payload")});
  append.entries.push_back({Term(5), LogIndex(5), raft::EntryKind::kNoop, nullptr});
  append.entries.push_back(
      {Term(5), LogIndex(6), raft::EntryKind::kCommand, std::make_shared<const std::string>()});
  return append;
}

TEST(RaftCodecTest, EveryKindSurvivesTheWire) {
  const std::vector<raft::MessageBody> bodies = {
      raft::PreVoteRequest{.last_index = LogIndex(7), .last_term = Term(4)},
      raft::PreVoteResponse{.granted = true},
      raft::VoteRequest{
          .last_index = LogIndex(7), .last_term = Term(4), .leadership_transfer = true},
      raft::VoteResponse{.granted = true},
      SomeAppend(),
      raft::AppendResponse{.accepted = true,
                           .match_index = LogIndex(1),
                           .rejected_index = LogIndex(2),
                           .conflict_term = Term(3),
                           .conflict_index = LogIndex(4),
                           .round = 5},
      raft::HeartbeatRequest{.commit = LogIndex(8),
                             .round = 2,
                             .quiet = true,
                             .cure = {.life = 6, .index = LogIndex(9)}},
      raft::HeartbeatResponse{.round = 3, .quiet = true},
      raft::TimeoutNowRequest{}};
  EXPECT_EQ(bodies.size(), std::variant_size_v<raft::MessageBody>);
  for (const raft::MessageBody& body : bodies) {
    const wire::RaftMessage encoded = EncodeRaftMessage(GroupId(77), MessageWith(body));
    const auto decoded = DecodeRaftMessage(encoded);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(decoded->group, GroupId(77));
    EXPECT_EQ(decoded->message.body.index(), body.index());
    EXPECT_EQ(EncodeRaftMessage(decoded->group, decoded->message).SerializeAsString(),
              encoded.SerializeAsString());
  }
}

TEST(RaftCodecTest, LivesSurviveTheWire) {
  raft::Message message = MessageWith(
      raft::HeartbeatRequest{.commit = LogIndex(8), .cure = {.life = 6, .index = LogIndex(9)}});
  message.life = 5;
  message.cured = 4;
  const auto decoded = DecodeRaftMessage(EncodeRaftMessage(GroupId(1), message));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->message.life, 5u);
  EXPECT_EQ(decoded->message.cured, 4u);
  const auto& heartbeat = std::get<raft::HeartbeatRequest>(decoded->message.body);
  EXPECT_EQ(heartbeat.cure.life, 6u);
  EXPECT_EQ(heartbeat.cure.index, LogIndex(9));
}

TEST(RaftCodecTest, PayloadsKeepTheirPresence) {
  const auto decoded = DecodeRaftMessage(EncodeRaftMessage(GroupId(1), MessageWith(SomeAppend())));
  ASSERT_TRUE(decoded.ok());
  const auto& entries = std::get<raft::AppendRequest>(decoded->message.body).entries;
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(*entries[0].payload, "payload");
  EXPECT_EQ(entries[1].payload, nullptr);
  ASSERT_NE(entries[2].payload, nullptr);
  EXPECT_EQ(*entries[2].payload, "");
}

struct Damage {
  const char* names;
  void (*apply)(wire::RaftMessage&);
};

TEST(RaftCodecTest, MalformedMessagesAreRefusedByName) {
  const Damage damages[] = {
      {"sender or receiver", [](wire::RaftMessage& m) { m.set_from(0); }},
      {"sender or receiver", [](wire::RaftMessage& m) { m.set_to(0); }},
      {"are one", [](wire::RaftMessage& m) { m.set_to(m.from()); }},
      {"life", [](wire::RaftMessage& m) { m.set_cured(m.life() + 1); }},
      {"successor", [](wire::RaftMessage& m) { m.set_term(std::numeric_limits<uint64_t>::max()); }},
      {"no body", [](wire::RaftMessage& m) { m.clear_body(); }},
      {"should follow",
       [](wire::RaftMessage& m) { m.mutable_append_request()->mutable_entries(1)->set_index(9); }},
      {"should follow",
       [](wire::RaftMessage& m) { m.mutable_append_request()->set_previous_index(4); }},
      {"beyond the end",
       [](wire::RaftMessage& m) {
         m.mutable_append_request()->set_previous_index(std::numeric_limits<uint64_t>::max());
       }},
      {"later than",
       [](wire::RaftMessage& m) { m.mutable_append_request()->set_previous_term(6); }},
      {"of term 0",
       [](wire::RaftMessage& m) { m.mutable_append_request()->mutable_entries(0)->clear_term(); }},
      {"of term 6",
       [](wire::RaftMessage& m) { m.mutable_append_request()->mutable_entries(2)->set_term(6); }},
      {"predecessor",
       [](wire::RaftMessage& m) { m.mutable_append_request()->mutable_entries(2)->set_term(4); }},
      {"unknown kind",
       [](wire::RaftMessage& m) { m.mutable_append_request()->mutable_entries(0)->set_kind(3); }},
  };
  for (const Damage& damage : damages) {
    wire::RaftMessage message = EncodeRaftMessage(GroupId(1), MessageWith(SomeAppend()));
    damage.apply(message);
    const auto decoded = DecodeRaftMessage(std::move(message));
    EXPECT_EQ(decoded.status().code(), absl::StatusCode::kInvalidArgument) << damage.names;
    EXPECT_THAT(decoded.status().ToString(), HasSubstr(damage.names));
  }
}

// Method: valid messages with bytes flipped. Oracle: an answer comes, and what is accepted is sound
// enough to be encoded again.
TEST(RaftCodecTest, AnyBytesGiveAnAnswer) {
  SeededRandom random(42);
  const std::string sound =
      EncodeRaftMessage(GroupId(1), MessageWith(SomeAppend())).SerializeAsString();
  int accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = sound;
    for (uint64_t flips = 1 + UniformBelow(random, 4); flips > 0; --flips) {
      bytes[UniformBelow(random, bytes.size())] = static_cast<char>(random.Next());
    }
    wire::RaftMessage message;
    if (!message.ParseFromString(bytes)) {
      continue;
    }
    const auto decoded = DecodeRaftMessage(std::move(message));
    if (decoded.ok()) {
      ++accepted;
      EXPECT_TRUE(DecodeRaftMessage(EncodeRaftMessage(decoded->group, decoded->message)).ok());
    }
  }
  EXPECT_GT(accepted, 100);
}

}  // namespace
}  // namespace quorate
