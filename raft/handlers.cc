#include "raft/handlers.h"

#include <array>
#include <variant>

namespace quorate::raft {
namespace {

constexpr size_t kKinds = std::variant_size_v<MessageBody>;
constexpr Handler kIgnore = nullptr;

// Columns as in Role: follower, pre-candidate, candidate, leader. Rows as in MessageBody.
constexpr std::array<std::array<Handler, 4>, kKinds> kTable = {{
    {OnPreVoteRequest, OnPreVoteRequest, OnPreVoteRequest, OnPreVoteRequest},
    {kIgnore, OnPreVoteResponse, kIgnore, kIgnore},
    {OnVoteRequest, OnVoteRequest, OnVoteRequest, OnVoteRequest},
    {kIgnore, kIgnore, OnVoteResponse, kIgnore},
    // A leader gets no append of its own term: there is no second leader.
    {OnAppendRequest, OnAppendRequest, OnAppendRequest, kIgnore},
    {kIgnore, kIgnore, kIgnore, OnAppendResponse},
    {OnHeartbeatRequest, OnHeartbeatRequest, OnHeartbeatRequest, kIgnore},
    {kIgnore, kIgnore, kIgnore, OnHeartbeatResponse},
    // Who campaigns already needs no asking.
    {OnTimeoutNow, kIgnore, kIgnore, kIgnore},
}};

static_assert(std::is_same_v<std::variant_alternative_t<0, MessageBody>, PreVoteRequest>);
static_assert(std::is_same_v<std::variant_alternative_t<4, MessageBody>, AppendRequest>);
static_assert(std::is_same_v<std::variant_alternative_t<8, MessageBody>, TimeoutNowRequest>);

}  // namespace

Handler FindHandler(Role role, const MessageBody& body) {
  return kTable[body.index()][static_cast<size_t>(role)];
}

}  // namespace quorate::raft
