// Raft messages between their wire form (internal.v1.RaftMessage) and raft::Message.
#ifndef SERVER_REPLICATION_RAFT_GROUPS_RAFT_CODEC_H_
#define SERVER_REPLICATION_RAFT_GROUPS_RAFT_CODEC_H_

#include "absl/status/statusor.h"
#include "internal/v1/peer.pb.h"
#include "raft/message.h"

namespace quorate {

// One group's message, as it travels inside a node.
struct GroupMessage {
  GroupId group;
  raft::Message message;
};

// Total. Payloads are copied into the wire form: an entry is shared by all followers' messages.
[[nodiscard]] internal::v1::RaftMessage EncodeRaftMessage(GroupId group,
                                                          const raft::Message& message);

// Takes a peer's message apart; payloads are moved, not copied. kInvalidArgument, naming the field,
// for anything the core may not be handed: unset ids, no body, an unknown entry kind, entries that
// do not follow each other or the index they claim to follow, or of a later term than the sender's;
// cured of a life that has not begun.
[[nodiscard]] absl::StatusOr<GroupMessage> DecodeRaftMessage(internal::v1::RaftMessage wire);

}  // namespace quorate

#endif  // SERVER_REPLICATION_RAFT_GROUPS_RAFT_CODEC_H_
