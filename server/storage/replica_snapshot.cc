#include "server/storage/replica_snapshot.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "raft/check.h"
#include "server/storage/byte_codec.h"
#include "server/storage/envelope.h"
#include "server/storage/key_format.h"

namespace quorate {
namespace {

absl::Status InReplica(ReplicaId replica, const absl::Status& status) {
  return {status.code(),
          fmt::format("replica {}: {}", replica.value(), std::string(status.message()))};
}

// What travels of a record: without the checksum that binds it to its replica.
absl::StatusOr<std::string_view> ContentOf(RecordKind kind, ReplicaId replica,
                                           std::string_view value) {
  switch (kind) {
    case RecordKind::kData:
      if (auto envelope = DecodeEnvelope(value); !envelope.ok()) return envelope.status();
      return value;
    case RecordKind::kMeta:
    case RecordKind::kDedup:
      if (!CheckAndStripChecksum(&value, replica.value())) {
        return absl::DataLossError("damaged record");
      }
      return value;
    case RecordKind::kChanges:
    case RecordKind::kLease:
    case RecordKind::kHistory:
      break;
  }
  return absl::UnimplementedError(
      fmt::format("a record of kind {}, which this build does not know", static_cast<int>(kind)));
}

}  // namespace

StreamChecksum::StreamChecksum() : state_(XXH3_createState()) {
  QUORATE_CHECK(state_ != nullptr);
  XXH3_64bits_reset(state_.get());
}

void StreamChecksum::Update(std::string_view bytes) {
  XXH3_64bits_update(state_.get(), bytes.data(), bytes.size());
}

uint64_t StreamChecksum::Value() const { return XXH3_64bits_digest(state_.get()); }

uint64_t ChunkChecksum(std::string_view content) {
  return XXH3_64bits(content.data(), content.size());
}

SnapshotReader::SnapshotReader(rocksdb::DB* db, DataSnapshot snapshot, ReplicaId replica)
    : replica_(replica),
      snapshot_(std::move(snapshot)),
      records_(db, ReplicaEnd(replica), snapshot_.snapshot_, /*whole_range=*/true) {
  records_.Seek(ReplicaBegin(replica));
}

absl::StatusOr<SnapshotReader::Chunk> SnapshotReader::Next() {
  buffer_.erase(0, std::exchange(taken_, 0));
  // One byte more than fits tells whether this is the last chunk.
  while (buffer_.size() <= kChunkBytes && records_->Valid()) {
    if (absl::Status status = AppendRecord(); !status.ok()) return InReplica(replica_, status);
    records_->Next();
  }
  if (!records_->status().ok()) {
    return InReplica(replica_, StatusFromRocks(records_->status(), "read for a snapshot"));
  }
  taken_ = std::min(buffer_.size(), kChunkBytes);
  Chunk chunk{.content = buffer_.substr(0, taken_)};
  checksum_.Update(chunk.content);
  chunk.last = taken_ == buffer_.size();
  if (chunk.last) chunk.stream_checksum = checksum_.Value();
  return chunk;
}

absl::Status SnapshotReader::AppendRecord() {
  const auto key = ParseRecordKey(records_.key());
  if (!key.has_value()) return absl::DataLossError("a malformed key");
  const auto content = ContentOf(key->kind, replica_, records_.value());
  if (!content.ok()) return content.status();
  if (key->kind == RecordKind::kMeta && key->suffix == kReplicaMetaName) {
    internal::v1::ReplicaMeta meta;
    if (!meta.ParseFromArray(content->data(), static_cast<int>(content->size()))) {
      return absl::DataLossError("its own record cannot be read");
    }
    applied_index_ = raft::LogIndex(meta.applied_index());
  }
  AppendBigEndian<1>(&buffer_, static_cast<uint64_t>(key->kind));
  AppendLengthPrefixed(&buffer_, key->suffix);
  AppendLengthPrefixed(&buffer_, *content);
  return absl::OkStatus();
}

}  // namespace quorate
