#include "server/storage/lost_writes_mark.h"

#include <rocksdb/env.h>

#include <memory>

#include "server/storage/rocks.h"

namespace quorate {

absl::StatusOr<bool> LostWritesMark::IsSet() const {
  const rocksdb::Status found = env_->FileExists(path_);
  if (found.IsNotFound()) return false;
  if (!found.ok()) return StatusFromRocks(found, "look for " + path_);
  return true;
}

absl::Status LostWritesMark::Set(const std::string& why) {
  // RocksDB deletes what it is told to sync and cannot.
  const rocksdb::Status written =
      rocksdb::WriteStringToFile(env_, why + "\n", path_, /*should_sync=*/false);
  if (absl::Status status = StatusFromRocks(written, "write " + path_); !status.ok()) return status;
  return SyncFolder();
}

absl::Status LostWritesMark::Clear() {
  const rocksdb::Status deleted = env_->DeleteFile(path_);
  if (!deleted.ok()) return StatusFromRocks(deleted, "delete " + path_);
  return SyncFolder();
}

absl::Status LostWritesMark::SyncFolder() {
  const std::string folder = path_.substr(0, path_.rfind('/'));
  std::unique_ptr<rocksdb::Directory> directory;
  rocksdb::Status status = env_->NewDirectory(folder, &directory);
  if (status.ok()) status = directory->Fsync();
  return StatusFromRocks(status, "sync " + folder);
}

}  // namespace quorate
