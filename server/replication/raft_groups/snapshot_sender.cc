#include "server/replication/raft_groups/snapshot_sender.h"

#include <algorithm>
#include <utility>

#include "fmt/format.h"
#include "server/runtime/log.h"
#include "server/storage/data_store.h"

namespace quorate {
namespace {

constexpr Duration kBusyPause = std::chrono::seconds(1);

}  // namespace

void SnapshotSender::Offer(const SnapshotRoute& route, uint64_t node) {
  const auto same = [&](const auto& entry) {
    const SnapshotRoute& other = entry.second.route;
    return other.group == route.group && other.to == route.to;
  };
  const auto found = std::find_if(streams_.begin(), streams_.end(), same);
  if (found != streams_.end()) {
    if (found->second.route.leader_term == route.leader_term) return;
    streams_.erase(found);
  }
  // Differs from those of an earlier life, whose receivers may still ask.
  if (last_id_ == 0) last_id_ = context_->runtime.seed;
  streams_[++last_id_] = {.route = route, .node = node};
  FillPlaces(context_->Now());
  if (!std::exchange(ticking_, true)) later_(context_->Now() + kLookInterval, [this] { OnTick(); });
}

void SnapshotSender::Withdraw(GroupId group) {
  std::erase_if(streams_, [&](const auto& entry) { return entry.second.route.group == group; });
  FillPlaces(context_->Now());
}

void SnapshotSender::OnTick() {
  const MonotonicTime now = context_->Now();
  for (auto stream = streams_.begin(); stream != streams_.end();) {
    const auto current = stream++;
    Stream& each = current->second;
    if (!each.offered) continue;
    if (++each.silent_looks > kSilentLooksMax) {
      LogInfo("snapshot/given_up", {{"group", each.route.group.value()}, {"node", each.node}});
      End(current, std::nullopt);
    } else if (each.reader == nullptr && now - each.offered_at >= kOfferInterval) {
      SendOffer(current->first, each, now);
    }
  }
  FillPlaces(now);
  ticking_ = !streams_.empty();
  if (ticking_) later_(now + kLookInterval, [this] { OnTick(); });
}

void SnapshotSender::FillPlaces(MonotonicTime now) {
  size_t taken = static_cast<size_t>(std::count_if(
      streams_.begin(), streams_.end(), [](const auto& entry) { return entry.second.offered; }));
  for (auto& [id, stream] : streams_) {
    if (taken >= context_->options.snapshots_max) return;
    if (stream.offered || now < stream.not_before) continue;
    stream.offered = true;
    stream.silent_looks = 0;
    SendOffer(id, stream, now);
    ++taken;
  }
}

void SnapshotSender::SendOffer(uint64_t id, Stream& stream, MonotonicTime now) {
  stream.offered_at = now;
  internal::v1::SnapshotMessage message = SnapshotHead(stream.route, id);
  message.mutable_offer()->set_leader_term(stream.route.leader_term.value());
  context_->hooks.send_snapshot(stream.node, std::move(message));
}

void SnapshotSender::OnMessage(uint64_t from_node, const internal::v1::SnapshotMessage& message) {
  const auto stream = streams_.find(message.stream());
  if (stream == streams_.end() || stream->second.node != from_node || !stream->second.offered ||
      stream->second.route.to.value() != message.to()) {
    if (message.has_request()) SendEnd(from_node, message, "no such stream");
    return;
  }
  if (message.has_request()) {
    OnQuestion(stream, message.request().number());
  } else if (message.end().complete() && stream->second.chunk && stream->second.chunk->last()) {
    context_->metrics.snapshots_sent.Add();
    End(stream, stream->second.reader->applied_index());
    FillPlaces(context_->Now());
  } else if (message.end().busy()) {
    Stream& waiting = stream->second;
    waiting = {
        .route = waiting.route, .node = waiting.node, .not_before = context_->Now() + kBusyPause};
    FillPlaces(context_->Now());
  } else {
    LogInfo("snapshot/refused", {{"group", stream->second.route.group.value()},
                                 {"node", from_node},
                                 {"why", message.end().reason()}});
    End(stream, std::nullopt);
    FillPlaces(context_->Now());
  }
}

void SnapshotSender::OnQuestion(Streams::iterator found, uint64_t number) {
  Stream& stream = found->second;
  stream.silent_looks = 0;
  if (stream.chunk && number == stream.chunk->number()) {
    Send(found->first, stream);
    return;
  }
  const uint64_t next = stream.chunk ? stream.chunk->number() + 1 : 0;
  if (number != next || (stream.chunk && stream.chunk->last())) {
    SendEnd(stream.node, SnapshotHead(stream.route, found->first), "a chunk out of order");
    End(found, std::nullopt);
    return;
  }
  if (std::exchange(stream.reading, true)) return;
  if (context_->Now() >= rate_free_) {
    SendNext(found->first);
  } else {
    later_(rate_free_, [this, id = found->first] { SendNext(id); });
  }
}

void SnapshotSender::SendNext(uint64_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end() || !found->second.reading) return;
  Stream& stream = found->second;
  const MonotonicTime now = context_->Now();
  if (now < rate_free_) {  // another stream was first
    later_(rate_free_, [this, id] { SendNext(id); });
    return;
  }
  stream.reading = false;
  auto read = ReadNext(stream);
  if (!read.ok()) {
    LogError("snapshot/not_read", {{"group", stream.route.group.value()},
                                   {"error", std::string(read.status().message())}});
    context_->damaged.AddIfDamage(stream.route.group, {.replica = stream.route.from},
                                  read.status());
    SendEnd(stream.node, SnapshotHead(stream.route, id), "the leader cannot read its data");
    End(found, std::nullopt);
    return;
  }
  const auto bytes = static_cast<int64_t>(read->content.size());
  const auto rate = static_cast<int64_t>(context_->options.snapshot_bytes_per_second);
  rate_free_ = std::max(rate_free_, now) + std::chrono::nanoseconds(bytes * 1'000'000'000 / rate);
  internal::v1::SnapshotChunk chunk;
  chunk.set_number(stream.chunk ? stream.chunk->number() + 1 : 0);
  chunk.set_checksum(ChunkChecksum(read->content));
  chunk.set_content(std::move(read->content));
  chunk.set_last(read->last);
  chunk.set_stream_checksum(read->stream_checksum);
  stream.chunk = std::move(chunk);
  Send(id, stream);
}

absl::StatusOr<SnapshotReader::Chunk> SnapshotSender::ReadNext(Stream& stream) {
  if (stream.reader == nullptr) {
    auto reader = context_->data->ReadReplica(stream.route.from);
    if (!reader.ok()) return reader.status();
    stream.reader = *std::move(reader);
  }
  return stream.reader->Next();
}

void SnapshotSender::Send(uint64_t id, const Stream& stream) {
  internal::v1::SnapshotMessage message = SnapshotHead(stream.route, id);
  *message.mutable_chunk() = *stream.chunk;
  context_->metrics.snapshot_bytes_sent.Add(stream.chunk->content().size());
  context_->hooks.send_snapshot(stream.node, std::move(message));
}

void SnapshotSender::SendEnd(uint64_t node, const internal::v1::SnapshotMessage& about,
                             std::string reason) {
  internal::v1::SnapshotMessage message = about;
  message.mutable_end()->set_reason(std::move(reason));
  context_->hooks.send_snapshot(node, std::move(message));
}

void SnapshotSender::End(Streams::iterator stream, std::optional<raft::LogIndex> index) {
  const SnapshotRoute route = stream->second.route;
  streams_.erase(stream);
  ended_(route, index);
}

}  // namespace quorate
