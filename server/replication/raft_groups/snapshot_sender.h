// Snapshots that leave this node.
#ifndef SERVER_REPLICATION_RAFT_GROUPS_SNAPSHOT_SENDER_H_
#define SERVER_REPLICATION_RAFT_GROUPS_SNAPSHOT_SENDER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "internal/v1/peer.pb.h"
#include "raft/types.h"
#include "server/replication/raft_groups/host_context.h"
#include "server/replication/raft_groups/snapshot_route.h"
#include "server/storage/replica_snapshot.h"

namespace quorate {

// The receiver drives: a stream is announced, and from then on one chunk is read and sent for each
// question. A receiver that is gone costs an open snapshot of the store for half a minute; nothing
// is read ahead, and no chunk but the last is kept. At most `snapshots_max` streams are open, the
// others wait for their turn, and all together send at the node's rate.
//
// Owned by SnapshotExchange; background loop, inside its gate. After Close nothing may be called.
class SnapshotSender {
 public:
  // Without a question. Counted in looks of half a second, so that a time in which this node itself
  // stood still is none of silence.
  static constexpr Duration kLookInterval = std::chrono::milliseconds(500);
  static constexpr uint32_t kSilentLooksMax = 60;
  // An offer is repeated so often until its first question.
  static constexpr Duration kOfferInterval = std::chrono::seconds(1);

  // How a stream ended: with the index that the data is as of, or nothing when it was given up.
  using Ended =
      std::function<void(const SnapshotRoute& route, std::optional<raft::LogIndex> index)>;

  // `later` runs a task on the background loop, inside the gate.
  SnapshotSender(HostContext* context, std::function<void(MonotonicTime, Task)> later, Ended ended)
      : context_(context), later_(std::move(later)), ended_(std::move(ended)) {}

  // To the follower on `node`. A stream to it that is under way already goes on.
  void Offer(const SnapshotRoute& route, uint64_t node);
  // All streams of a group, whose leader is elsewhere now. They end without a word.
  void Withdraw(GroupId group);
  // SnapshotRequest and SnapshotEnd.
  void OnMessage(uint64_t from_node, const internal::v1::SnapshotMessage& message);
  void Close() { streams_.clear(); }

  [[nodiscard]] size_t streams() const { return streams_.size(); }

 private:
  struct Stream {
    SnapshotRoute route;
    uint64_t node = 0;
    bool offered = false;  // has one of the places
    MonotonicTime offered_at{};
    uint32_t silent_looks = 0;   // while offered, since the last question
    MonotonicTime not_before{};  // waiting: the receiver was busy
    std::unique_ptr<SnapshotReader> reader{};
    // The last chunk read, for a repeated question.
    std::optional<internal::v1::SnapshotChunk> chunk{};
    bool reading = false;  // a question waits for the rate
  };
  using Streams = std::map<uint64_t, Stream>;

  void OnTick();
  void FillPlaces(MonotonicTime now);
  void SendOffer(uint64_t id, Stream& stream, MonotonicTime now);
  void OnQuestion(Streams::iterator stream, uint64_t number);
  // Reads the next chunk and sends it. False: the stream is over.
  void SendNext(uint64_t id);
  // Opens the reader for the first chunk.
  absl::StatusOr<SnapshotReader::Chunk> ReadNext(Stream& stream);
  void Send(uint64_t id, const Stream& stream);
  void SendEnd(uint64_t node, const internal::v1::SnapshotMessage& about, std::string reason);
  void End(Streams::iterator stream, std::optional<raft::LogIndex> index);

  HostContext* const context_;
  const std::function<void(MonotonicTime, Task)> later_;
  const Ended ended_;
  Streams streams_;
  uint64_t last_id_ = 0;
  bool ticking_ = false;
  MonotonicTime rate_free_;  // when the next chunk may leave
};

}  // namespace quorate

#endif  // SERVER_REPLICATION_RAFT_GROUPS_SNAPSHOT_SENDER_H_
