// Snapshots that arrive at this node.
#ifndef SERVER_REPLICATION_RAFT_GROUPS_SNAPSHOT_RECEIVER_H_
#define SERVER_REPLICATION_RAFT_GROUPS_SNAPSHOT_RECEIVER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "internal/v1/peer.pb.h"
#include "raft/types.h"
#include "server/replication/raft_groups/host_context.h"
#include "server/replication/raft_groups/snapshot_route.h"

namespace quorate {

// Asks for chunk after chunk and gathers them in a file; a question or a chunk that got lost is
// asked for again, so a stream survives a connection. One stream a group: that of the newest leader
// that offered one. What is no chunk of that stream, or not the next one of it, changes nothing.
//
// Owned by SnapshotExchange; background loop, inside its gate. After Close nothing may be called.
class SnapshotReceiver {
 public:
  // After this silence the chunk is asked for again, and after so many questions the stream is
  // given up. Not after a time: one in which this node itself stood still, waiting for its disk, is
  // none of silence. As patient as the sender, whose disk may be as slow.
  static constexpr Duration kAskAgain = std::chrono::seconds(1);
  static constexpr uint32_t kQuestionsMax = 30;

  using Arrived = std::function<void(ArrivedSnapshot arrived)>;

  // `later` runs a task on the background loop, inside the gate.
  SnapshotReceiver(HostContext* context, std::function<void(MonotonicTime, Task)> later,
                   Arrived arrived)
      : context_(context), later_(std::move(later)), arrived_(std::move(arrived)) {}

  // An offer to a replica that is here and knows no newer leader.
  void OnOffer(uint64_t from_node, const internal::v1::SnapshotMessage& message);
  // SnapshotChunk and SnapshotEnd.
  void OnMessage(uint64_t from_node, const internal::v1::SnapshotMessage& message);
  // Its replica is going away.
  void Forget(GroupId group) { incoming_.erase(group); }
  void Close() { incoming_.clear(); }

  [[nodiscard]] size_t streams() const { return incoming_.size(); }

 private:
  struct Incoming {
    SnapshotRoute route;
    uint64_t stream = 0;
    uint64_t node = 0;
    std::shared_ptr<StagedSnapshot> staged;
    uint64_t next = 0;
    uint32_t questions = 0;  // for the next chunk
    MonotonicTime asked{};
  };
  using AllIncoming = std::map<GroupId, Incoming>;

  void OnTick();
  void OnChunk(AllIncoming::iterator found, const internal::v1::SnapshotChunk& chunk);
  // All chunks are here.
  void Complete(AllIncoming::iterator found, uint64_t stream_checksum);
  void Ask(Incoming& incoming);
  void Refuse(uint64_t node, const internal::v1::SnapshotMessage& about, bool busy,
              std::string reason);
  void GiveUp(AllIncoming::iterator found, const absl::Status& why);

  HostContext* const context_;
  const std::function<void(MonotonicTime, Task)> later_;
  const Arrived arrived_;
  AllIncoming incoming_;
  bool ticking_ = false;
};

}  // namespace quorate

#endif  // SERVER_REPLICATION_RAFT_GROUPS_SNAPSHOT_RECEIVER_H_
