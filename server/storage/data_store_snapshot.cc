// DataStore: snapshots of single replicas, out of the store and into it.
#include <fmt/format.h>
#include <rocksdb/env.h>

#include <utility>

#include "server/storage/data_store.h"
#include "server/storage/replica_snapshot.h"
#include "server/storage/rocks.h"
#include "server/storage/staged_snapshot.h"

namespace quorate {
namespace {

// Beside the store's own folder, which is RocksDB's, and on the same file system: an install links
// the file and copies nothing.
std::string StageFolder(const StoreOptions& options) { return options.path + "-incoming"; }

rocksdb::Env* EnvOf(const StoreOptions& options) {
  return options.env != nullptr ? options.env : rocksdb::Env::Default();
}

}  // namespace

absl::Status DataStore::ClearStage() const {
  rocksdb::Env* const env = EnvOf(options_);
  const std::string folder = StageFolder(options_);
  std::vector<std::string> names;
  const rocksdb::Status listed = env->GetChildren(folder, &names);
  if (listed.IsNotFound() || listed.IsPathNotFound()) return absl::OkStatus();
  if (!listed.ok()) return StatusFromRocks(listed, "list " + folder);
  for (const std::string& name : names) {
    if (name == "." || name == "..") continue;
    const rocksdb::Status removed = env->DeleteFile(folder + "/" + name);
    if (!removed.ok()) return StatusFromRocks(removed, "remove a snapshot that did not arrive");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<SnapshotReader>> DataStore::ReadReplica(ReplicaId replica) const {
  const auto meta = LoadMeta(replica);
  if (!meta.ok()) return meta.status();
  if (!meta->has_value()) {
    return absl::NotFoundError(fmt::format("replica {} has no data yet", replica.value()));
  }
  return std::make_unique<SnapshotReader>(db_.get(), Snapshot(), replica);
}

absl::StatusOr<std::unique_ptr<StagedSnapshot>> DataStore::StageSnapshot(ReplicaId replica) {
  const std::string folder = StageFolder(options_);
  const rocksdb::Status made = EnvOf(options_)->CreateDirIfMissing(folder);
  if (!made.ok()) return StatusFromRocks(made, "make " + folder);
  auto staged = std::make_unique<StagedSnapshot>(
      DataRocksOptions(options_, cache_),
      fmt::format("{}/{}-{}.sst", folder, replica.value(), ++staged_), replica);
  if (absl::Status status = staged->Begin(); !status.ok()) return status;
  return staged;
}

absl::Status DataStore::InstallSnapshot(StagedSnapshot& snapshot) {
  rocksdb::IngestExternalFileOptions options;
  options.move_files = true;
  options.failed_move_fall_back_to_copy = true;
  // Its number in the order of writes stands in the manifest; the file stays as it was synced.
  options.write_global_seqno = false;
  options.verify_checksums_before_ingest = true;
  const rocksdb::Status status = db_->IngestExternalFile({snapshot.path()}, options);
  if (!status.ok()) return StatusFromRocks(status, "install a snapshot");
  // RocksDB flushed what was in memory of the replica: it would lie above the file.
  marks_->Durable(snapshot.replica(), snapshot.meta().applied_index());
  return absl::OkStatus();
}

}  // namespace quorate
