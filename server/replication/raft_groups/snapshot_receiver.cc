#include "server/replication/raft_groups/snapshot_receiver.h"

#include <utility>

#include "server/runtime/log.h"
#include "server/storage/data_store.h"
#include "server/storage/replica_snapshot.h"

namespace quorate {
namespace {

constexpr Duration kArrivalsTick = std::chrono::milliseconds(500);

}  // namespace

void SnapshotReceiver::OnOffer(uint64_t from_node, const internal::v1::SnapshotMessage& message) {
  const SnapshotRoute route{.group = GroupId(message.group_id()),
                            .from = ReplicaId(message.from()),
                            .to = ReplicaId(message.to()),
                            .leader_term = raft::Term(message.offer().leader_term())};
  if (const auto found = incoming_.find(route.group); found != incoming_.end()) {
    if (found->second.stream == message.stream() && found->second.route.from == route.from) {
      Ask(found->second);  // its question got lost
      return;
    }
    if (found->second.route.leader_term > route.leader_term) {
      Refuse(from_node, message, false, "a newer leader's snapshot is on its way");
      return;
    }
    incoming_.erase(found);
  }
  if (incoming_.size() >= context_->options.snapshots_max) {
    Refuse(from_node, message, true, "too many snapshots are arriving");
    return;
  }
  auto staged = context_->data->StageSnapshot(route.to);
  if (!staged.ok()) {
    LogError("snapshot/not_staged",
             {{"group", route.group.value()}, {"error", std::string(staged.status().message())}});
    Refuse(from_node, message, false, "its disk does not take it");
    return;
  }
  Incoming& incoming = incoming_[route.group] = {
      .route = route, .stream = message.stream(), .node = from_node, .staged = *std::move(staged)};
  Ask(incoming);
  if (!std::exchange(ticking_, true)) later_(context_->Now() + kArrivalsTick, [this] { OnTick(); });
}

void SnapshotReceiver::OnTick() {
  const MonotonicTime now = context_->Now();
  for (auto found = incoming_.begin(); found != incoming_.end();) {
    Incoming& each = found->second;
    if (now - each.asked < kAskAgain) {
      ++found;
    } else if (each.questions < kQuestionsMax) {
      Ask(each);
      ++found;
    } else {
      LogInfo("snapshot/sender_silent", {{"group", each.route.group.value()}, {"node", each.node}});
      found = incoming_.erase(found);
    }
  }
  ticking_ = !incoming_.empty();
  if (ticking_) later_(now + kArrivalsTick, [this] { OnTick(); });
}

void SnapshotReceiver::OnMessage(uint64_t from_node, const internal::v1::SnapshotMessage& message) {
  const auto found = incoming_.find(GroupId(message.group_id()));
  if (found == incoming_.end() || found->second.stream != message.stream() ||
      found->second.node != from_node || found->second.route.to.value() != message.to()) {
    context_->metrics.snapshot_chunks_stale.Add(message.has_chunk() ? 1 : 0);
    if (message.has_chunk()) Refuse(from_node, message, false, "not expected here");
    return;
  }
  if (message.has_chunk()) {
    OnChunk(found, message.chunk());
  } else {
    LogInfo("snapshot/ended_by_sender",
            {{"group", message.group_id()}, {"why", message.end().reason()}});
    incoming_.erase(found);
  }
}

void SnapshotReceiver::OnChunk(AllIncoming::iterator found,
                               const internal::v1::SnapshotChunk& chunk) {
  Incoming& incoming = found->second;
  if (chunk.number() != incoming.next) {  // a repeated answer to a repeated question
    context_->metrics.snapshot_chunks_stale.Add();
    return;
  }
  if (chunk.checksum() != ChunkChecksum(chunk.content())) {  // asked for again in a moment
    LogWarning("snapshot/damaged_chunk",
               {{"group", incoming.route.group.value()}, {"node", incoming.node}});
    return;
  }
  if (const absl::Status added = incoming.staged->Add(chunk.content()); !added.ok()) {
    GiveUp(found, added);
    return;
  }
  ++incoming.next;
  if (std::exchange(incoming.questions, 0) > 1) context_->metrics.snapshots_resumed.Add();
  if (chunk.last()) {
    Complete(found, chunk.stream_checksum());
  } else {
    Ask(incoming);
  }
}

void SnapshotReceiver::Complete(AllIncoming::iterator found, uint64_t stream_checksum) {
  Incoming& incoming = found->second;
  if (const absl::Status finished = incoming.staged->Finish(stream_checksum); !finished.ok()) {
    GiveUp(found, finished);
    return;
  }
  ArrivedSnapshot arrived{.route = incoming.route,
                          .stream = incoming.stream,
                          .node = incoming.node,
                          .staged = std::move(incoming.staged)};
  incoming_.erase(found);
  arrived_(std::move(arrived));
}

void SnapshotReceiver::Ask(Incoming& incoming) {
  incoming.asked = context_->Now();
  ++incoming.questions;
  internal::v1::SnapshotMessage message = SnapshotHead(incoming.route, incoming.stream);
  message.mutable_request()->set_number(incoming.next);
  context_->hooks.send_snapshot(incoming.node, std::move(message));
}

void SnapshotReceiver::Refuse(uint64_t node, const internal::v1::SnapshotMessage& about, bool busy,
                              std::string reason) {
  internal::v1::SnapshotMessage message;
  message.set_group_id(about.group_id());
  message.set_from(about.from());
  message.set_to(about.to());
  message.set_stream(about.stream());
  message.mutable_end()->set_busy(busy);
  message.mutable_end()->set_reason(std::move(reason));
  context_->hooks.send_snapshot(node, std::move(message));
}

void SnapshotReceiver::GiveUp(AllIncoming::iterator found, const absl::Status& why) {
  LogError("snapshot/given_up", {{"group", found->second.route.group.value()},
                                 {"from_node", found->second.node},
                                 {"error", std::string(why.message())}});
  Refuse(found->second.node, SnapshotHead(found->second.route, found->second.stream), false,
         std::string(why.message()));
  incoming_.erase(found);
}

}  // namespace quorate
