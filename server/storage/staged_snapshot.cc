#include "server/storage/staged_snapshot.h"

#include <fmt/format.h>
#include <rocksdb/env.h>

#include <utility>

#include "server/storage/byte_codec.h"
#include "server/storage/envelope.h"
#include "server/storage/key_format.h"

namespace quorate {
namespace {

absl::Status NoSnapshot(std::string_view why) {
  return absl::DataLossError(fmt::format("no snapshot: {}", why));
}

}  // namespace

StagedSnapshot::StagedSnapshot(const rocksdb::Options& options, std::string path, ReplicaId replica)
    : options_(options),
      path_(std::move(path)),
      replica_(replica),
      writer_(rocksdb::EnvOptions(options), options) {}

StagedSnapshot::~StagedSnapshot() { (void)options_.env->DeleteFile(path_); }

absl::Status StagedSnapshot::Begin() {
  rocksdb::Status status = writer_.Open(path_);
  if (status.ok()) {
    status = writer_.DeleteRange(ReplicaBegin(replica_), ReplicaEnd(replica_));
  }
  return StatusFromRocks(status, "begin a snapshot's file");
}

absl::Status StagedSnapshot::Add(std::string_view content) {
  checksum_.Update(content);
  pending_.append(content);
  size_t read = 0;
  while (true) {
    ByteReader reader(std::string_view(pending_).substr(read));
    uint64_t kind = 0;
    std::string_view suffix;
    std::string_view value;
    if (!reader.Read<1>(&kind) || !reader.ReadLengthPrefixed(&suffix) ||
        !reader.ReadLengthPrefixed(&value)) {
      break;  // its end is in the next chunk; a length that is none is found out by the bound
    }
    if (absl::Status status = AddRecord(kind, suffix, value); !status.ok()) return status;
    read = pending_.size() - reader.rest().size();
  }
  pending_.erase(0, read);
  return pending_.size() > kRecordBytesMax ? NoSnapshot("a record without end") : absl::OkStatus();
}

absl::Status StagedSnapshot::AddRecord(uint64_t kind, std::string_view suffix,
                                       std::string_view content) {
  const auto known = static_cast<RecordKind>(kind);
  const std::string key = RecordKey(replica_, known, suffix);
  if (known == RecordKind::kData) {
    if (auto envelope = DecodeEnvelope(content); !envelope.ok()) return envelope.status();
    return Write(key, content);
  }
  if (known != RecordKind::kMeta && known != RecordKind::kDedup) {
    return NoSnapshot(fmt::format("a record of unknown kind {}", kind));
  }
  std::string sealed(content);
  if (known == RecordKind::kMeta && suffix == kReplicaMetaName) {
    has_meta_ = meta_.ParseFromArray(content.data(), static_cast<int>(content.size()));
    if (!has_meta_) return NoSnapshot("the replica's own record cannot be read");
    meta_.set_installed(true);
    sealed = meta_.SerializeAsString();
  }
  AppendChecksum(&sealed, replica_.value());
  return Write(key, sealed);
}

absl::Status StagedSnapshot::Write(std::string_view key, std::string_view value) {
  if (key <= last_key_) return NoSnapshot("its records are out of order");
  last_key_ = key;
  return StatusFromRocks(writer_.Put(ToSlice(key), ToSlice(value)), "write a snapshot's file");
}

absl::Status StagedSnapshot::Finish(uint64_t stream_checksum) {
  if (stream_checksum != checksum_.Value()) return NoSnapshot("its checksum does not match");
  if (!pending_.empty()) return NoSnapshot("it ends within a record");
  if (!has_meta_) return NoSnapshot("the replica's own record is missing");
  return StatusFromRocks(writer_.Finish(), "finish a snapshot's file");
}

}  // namespace quorate
