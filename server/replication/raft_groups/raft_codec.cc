#include "server/replication/raft_groups/raft_codec.h"

#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "fmt/format.h"

namespace quorate {
namespace {

namespace wire = internal::v1;
using raft::LogIndex;
using raft::Term;

absl::Status Malformed(const std::string& what) {
  return absl::InvalidArgumentError(fmt::format("raft message: {}", what));
}

// One overload for each alternative of raft::MessageBody.
class BodyEncoder {
 public:
  explicit BodyEncoder(wire::RaftMessage* out) : out_(out) {}

  void operator()(const raft::PreVoteRequest& body) {
    auto* to = out_->mutable_pre_vote_request();
    to->set_last_index(body.last_index.value());
    to->set_last_term(body.last_term.value());
  }
  void operator()(const raft::PreVoteResponse& body) {
    out_->mutable_pre_vote_response()->set_granted(body.granted);
  }
  void operator()(const raft::VoteRequest& body) {
    auto* to = out_->mutable_vote_request();
    to->set_last_index(body.last_index.value());
    to->set_last_term(body.last_term.value());
    to->set_leadership_transfer(body.leadership_transfer);
  }
  void operator()(const raft::VoteResponse& body) {
    out_->mutable_vote_response()->set_granted(body.granted);
  }
  void operator()(const raft::AppendRequest& body) {
    auto* to = out_->mutable_append_request();
    to->set_previous_index(body.previous_index.value());
    to->set_previous_term(body.previous_term.value());
    to->set_commit(body.commit.value());
    to->set_round(body.round);
    to->mutable_entries()->Reserve(static_cast<int>(body.entries.size()));
    for (const raft::Entry& entry : body.entries) {
      auto* copy = to->add_entries();
      copy->set_term(entry.term.value());
      copy->set_index(entry.index.value());
      copy->set_kind(static_cast<uint32_t>(entry.kind));
      if (entry.payload) {
        copy->set_payload(*entry.payload);
      }
    }
  }
  void operator()(const raft::AppendResponse& body) {
    auto* to = out_->mutable_append_response();
    to->set_accepted(body.accepted);
    to->set_match_index(body.match_index.value());
    to->set_rejected_index(body.rejected_index.value());
    to->set_conflict_term(body.conflict_term.value());
    to->set_conflict_index(body.conflict_index.value());
    to->set_round(body.round);
  }
  void operator()(const raft::HeartbeatRequest& body) {
    auto* to = out_->mutable_heartbeat_request();
    to->set_commit(body.commit.value());
    to->set_round(body.round);
    to->set_quiet(body.quiet);
    to->set_cure_life(body.cure.life);
    to->set_cure_index(body.cure.index.value());
  }
  void operator()(const raft::HeartbeatResponse& body) {
    auto* to = out_->mutable_heartbeat_response();
    to->set_round(body.round);
    to->set_quiet(body.quiet);
  }
  void operator()(const raft::TimeoutNowRequest& /*body*/) { out_->mutable_timeout_now(); }

 private:
  wire::RaftMessage* out_;
};

absl::StatusOr<raft::Entry> DecodeEntry(wire::LogEntry& from, uint64_t index, uint64_t term_max) {
  if (from.index() != index) {
    return Malformed(fmt::format("entry index {} where {} should follow", from.index(), index));
  }
  if (from.term() == 0 || from.term() > term_max) {
    return Malformed(fmt::format("entry {} of term {}", index, from.term()));
  }
  raft::Entry entry{.term = Term(from.term()),
                    .index = LogIndex(index),
                    .kind = static_cast<raft::EntryKind>(from.kind()),
                    .payload = nullptr};
  switch (from.kind()) {
    case static_cast<uint32_t>(raft::EntryKind::kNoop):
      return entry;
    case static_cast<uint32_t>(raft::EntryKind::kCommand):
    case static_cast<uint32_t>(raft::EntryKind::kConfig):
      entry.payload = std::make_shared<const std::string>(std::move(*from.mutable_payload()));
      return entry;
    default:
      return Malformed(fmt::format("entry {} of unknown kind {}", index, from.kind()));
  }
}

absl::StatusOr<raft::MessageBody> DecodeAppend(wire::AppendRequest& from, uint64_t term) {
  const auto count = static_cast<uint64_t>(from.entries_size());
  if (from.previous_index() > std::numeric_limits<uint64_t>::max() - count) {
    return Malformed("previous_index beyond the end of all logs");
  }
  if (from.previous_term() > term) {
    return Malformed("previous_term later than the sender's term");
  }
  raft::AppendRequest body{.previous_index = LogIndex(from.previous_index()),
                           .previous_term = Term(from.previous_term()),
                           .entries = {},
                           .commit = LogIndex(from.commit()),
                           .round = from.round()};
  body.entries.reserve(count);
  uint64_t last_term = from.previous_term();
  for (uint64_t i = 0; i < count; ++i) {
    auto entry = DecodeEntry(*from.mutable_entries(static_cast<int>(i)),
                             from.previous_index() + 1 + i, term);
    if (!entry.ok()) {
      return entry.status();
    }
    // Terms never fall along a log (Raft paper, section 5.4.1 rests on it).
    if (entry->term.value() < last_term) {
      return Malformed(
          fmt::format("entry {} of a term before its predecessor's", entry->index.value()));
    }
    last_term = entry->term.value();
    body.entries.push_back(*std::move(entry));
  }
  return body;
}

raft::MessageBody DecodeAppendResponse(const wire::AppendResponse& from) {
  return raft::AppendResponse{.accepted = from.accepted(),
                              .match_index = LogIndex(from.match_index()),
                              .rejected_index = LogIndex(from.rejected_index()),
                              .conflict_term = Term(from.conflict_term()),
                              .conflict_index = LogIndex(from.conflict_index()),
                              .round = from.round()};
}

absl::StatusOr<raft::MessageBody> DecodeBody(wire::RaftMessage& from) {
  switch (from.body_case()) {
    case wire::RaftMessage::kPreVoteRequest:
      return raft::PreVoteRequest{.last_index = LogIndex(from.pre_vote_request().last_index()),
                                  .last_term = Term(from.pre_vote_request().last_term())};
    case wire::RaftMessage::kPreVoteResponse:
      return raft::PreVoteResponse{.granted = from.pre_vote_response().granted()};
    case wire::RaftMessage::kVoteRequest:
      return raft::VoteRequest{.last_index = LogIndex(from.vote_request().last_index()),
                               .last_term = Term(from.vote_request().last_term()),
                               .leadership_transfer = from.vote_request().leadership_transfer()};
    case wire::RaftMessage::kVoteResponse:
      return raft::VoteResponse{.granted = from.vote_response().granted()};
    case wire::RaftMessage::kAppendRequest:
      return DecodeAppend(*from.mutable_append_request(), from.term());
    case wire::RaftMessage::kAppendResponse:
      return DecodeAppendResponse(from.append_response());
    case wire::RaftMessage::kHeartbeatRequest:
      return raft::HeartbeatRequest{
          .commit = LogIndex(from.heartbeat_request().commit()),
          .round = from.heartbeat_request().round(),
          .quiet = from.heartbeat_request().quiet(),
          .cure = {.life = from.heartbeat_request().cure_life(),
                   .index = LogIndex(from.heartbeat_request().cure_index())}};
    case wire::RaftMessage::kHeartbeatResponse:
      return raft::HeartbeatResponse{.round = from.heartbeat_response().round(),
                                     .quiet = from.heartbeat_response().quiet()};
    case wire::RaftMessage::kTimeoutNow:
      return raft::TimeoutNowRequest{};
    case wire::RaftMessage::BODY_NOT_SET:
      break;
  }
  return Malformed("no body, or one of a later version");
}

}  // namespace

internal::v1::RaftMessage EncodeRaftMessage(GroupId group, const raft::Message& message) {
  wire::RaftMessage out;
  out.set_group_id(group.value());
  out.set_from(message.from.value());
  out.set_to(message.to.value());
  out.set_term(message.term.value());
  std::visit(BodyEncoder(&out), message.body);
  out.set_life(message.life);
  out.set_cured(message.cured);
  return out;
}

absl::StatusOr<GroupMessage> DecodeRaftMessage(internal::v1::RaftMessage wire) {
  if (wire.from() == 0 || wire.to() == 0) {
    return Malformed("sender or receiver is no replica");
  }
  if (wire.from() == wire.to()) {
    return Malformed("sender and receiver are one");
  }
  if (wire.term() == std::numeric_limits<uint64_t>::max()) {
    return Malformed("term has no successor");
  }
  if (wire.cured() > wire.life()) {
    return Malformed(fmt::format("cured of life {} in life {}", wire.cured(), wire.life()));
  }
  auto body = DecodeBody(wire);
  if (!body.ok()) {
    return body.status();
  }
  return GroupMessage{.group = GroupId(wire.group_id()),
                      .message = {.from = ReplicaId(wire.from()),
                                  .to = ReplicaId(wire.to()),
                                  .term = Term(wire.term()),
                                  .body = *std::move(body),
                                  .life = wire.life(),
                                  .cured = wire.cured()}};
}

}  // namespace quorate
