#include "tests/sim/sim_file_system.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

namespace quorate::sim {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

IOStatus ToStatus(DiskError error, const std::string& path) {
  switch (error) {
    case DiskError::kOk:
      return IOStatus::OK();
    case DiskError::kNotFound:
      return IOStatus::NotFound(path);
    case DiskError::kExists:
      return IOStatus::IOError(path, "exists already");
    case DiskError::kIo:
      return IOStatus::IOError(path, "simulated I/O error");
    case DiskError::kNoSpace:
      // Not IOStatus::NoSpace: on that RocksDB starts a thread of its own that polls for space on
      // the real clock.
      return IOStatus::IOError(path, "simulated: no space left on device");
    case DiskError::kDead:
      return IOStatus::IOError(path, "the simulated process is dead");
    case DiskError::kLocked:
      return IOStatus::IOError(path, "lock held");
    case DiskError::kNotEmpty:
      break;
  }
  return IOStatus::IOError(path, "directory not empty");
}

// RocksDB makes names like "/a//b" and "/a/b/"; the disk knows "/a/b".
std::string Normal(const std::string& path) {
  std::string normal;
  for (const char c : path) {
    if (c != '/' || normal.empty() || normal.back() != '/') normal.push_back(c);
  }
  if (normal.size() > 1 && normal.back() == '/') normal.pop_back();
  return normal;
}

// Points `result` at what was copied into `scratch`: the file may grow, and move, while it is held.
void CopyOut(const std::string& bytes, uint64_t offset, size_t n, Slice* result, char* scratch) {
  const size_t begin = std::min<uint64_t>(offset, bytes.size());
  const size_t size = std::min(n, bytes.size() - begin);
  std::memcpy(scratch, bytes.data() + begin, size);
  *result = Slice(scratch, size);
}

class SequentialFile final : public rocksdb::FSSequentialFile {
 public:
  explicit SequentialFile(InodePtr inode) : inode_(std::move(inode)) {}

  IOStatus Read(size_t n, const IOOptions& /*options*/, Slice* result, char* scratch,
                IODebugContext* /*debug*/) override {
    CopyOut(inode_->bytes, position_, n, result, scratch);
    position_ += result->size();
    return IOStatus::OK();
  }
  IOStatus Skip(uint64_t n) override {
    position_ = std::min<uint64_t>(position_ + n, inode_->bytes.size());
    return IOStatus::OK();
  }

 private:
  const InodePtr inode_;
  uint64_t position_ = 0;
};

class RandomAccessFile final : public rocksdb::FSRandomAccessFile {
 public:
  explicit RandomAccessFile(InodePtr inode) : inode_(std::move(inode)) {}

  IOStatus Read(uint64_t offset, size_t n, const IOOptions& /*options*/, Slice* result,
                char* scratch, IODebugContext* /*debug*/) const override {
    CopyOut(inode_->bytes, offset, n, result, scratch);
    return IOStatus::OK();
  }

 private:
  const InodePtr inode_;
};

// What an open file needs to change itself.
struct Handle {
  SimDisk* disk;
  uint64_t life;
  std::string path;
  InodePtr inode;
};

class WritableFile final : public rocksdb::FSWritableFile {
 public:
  using FSWritableFile::Append;
  using FSWritableFile::PositionedAppend;

  WritableFile(Handle handle, const FileOptions& options)
      : FSWritableFile(options), handle_(std::move(handle)) {}

  IOStatus Append(const Slice& data, const IOOptions& /*options*/,
                  IODebugContext* /*debug*/) override {
    return ToStatus(handle_.disk->Append(handle_.life, handle_.path, *handle_.inode,
                                         std::string_view(data.data(), data.size())),
                    handle_.path);
  }
  IOStatus PositionedAppend(const Slice& data, uint64_t offset, const IOOptions& /*options*/,
                            IODebugContext* /*debug*/) override {
    return ToStatus(handle_.disk->Overwrite(handle_.life, handle_.path, *handle_.inode, offset,
                                            std::string_view(data.data(), data.size())),
                    handle_.path);
  }
  IOStatus Truncate(uint64_t size, const IOOptions& /*options*/,
                    IODebugContext* /*debug*/) override {
    if (size == handle_.inode->bytes.size()) return IOStatus::OK();
    return ToStatus(handle_.disk->Truncate(handle_.life, handle_.path, *handle_.inode, size),
                    handle_.path);
  }
  IOStatus Close(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return IOStatus::OK();
  }
  IOStatus Flush(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return IOStatus::OK();
  }
  IOStatus Sync(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return ToStatus(handle_.disk->Sync(handle_.life, handle_.path, *handle_.inode), handle_.path);
  }
  // RocksDB promises nothing by it, and neither do we.
  IOStatus RangeSync(uint64_t /*offset*/, uint64_t /*bytes*/, const IOOptions& /*options*/,
                     IODebugContext* /*debug*/) override {
    return IOStatus::OK();
  }
  uint64_t GetFileSize(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return handle_.inode->bytes.size();
  }

 private:
  const Handle handle_;
};

class RandomRWFile final : public rocksdb::FSRandomRWFile {
 public:
  explicit RandomRWFile(Handle handle) : handle_(std::move(handle)) {}

  IOStatus Write(uint64_t offset, const Slice& data, const IOOptions& /*options*/,
                 IODebugContext* /*debug*/) override {
    return ToStatus(handle_.disk->Overwrite(handle_.life, handle_.path, *handle_.inode, offset,
                                            std::string_view(data.data(), data.size())),
                    handle_.path);
  }
  IOStatus Read(uint64_t offset, size_t n, const IOOptions& /*options*/, Slice* result,
                char* scratch, IODebugContext* /*debug*/) const override {
    CopyOut(handle_.inode->bytes, offset, n, result, scratch);
    return IOStatus::OK();
  }
  IOStatus Flush(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return IOStatus::OK();
  }
  IOStatus Sync(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return ToStatus(handle_.disk->Sync(handle_.life, handle_.path, *handle_.inode), handle_.path);
  }
  IOStatus Close(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return IOStatus::OK();
  }

 private:
  const Handle handle_;
};

class Directory final : public rocksdb::FSDirectory {
 public:
  Directory(SimDisk* disk, uint64_t life, std::string path)
      : disk_(disk), life_(life), path_(std::move(path)) {}

  IOStatus Fsync(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return ToStatus(disk_->SyncDirectory(life_, path_), path_);
  }
  IOStatus Close(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return IOStatus::OK();
  }

 private:
  SimDisk* const disk_;
  const uint64_t life_;
  const std::string path_;
};

class Lock final : public rocksdb::FileLock {
 public:
  explicit Lock(std::string path) : path_(std::move(path)) {}
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

// RocksDB's information log tells times and thread ids, which differ from run to run.
class SilentLogger final : public rocksdb::Logger {
 public:
  using Logger::Logv;
  void Logv(const char* /*format*/, va_list /*arguments*/) override {}
};

}  // namespace

SimFileSystem::SimFileSystem(SimDisk* disk) : disk_(disk), life_(disk->life()) {}

IOStatus SimFileSystem::NewSequentialFile(const std::string& name, const FileOptions& /*options*/,
                                          std::unique_ptr<rocksdb::FSSequentialFile>* result,
                                          IODebugContext* /*debug*/) {
  InodePtr inode = disk_->Find(life_, Normal(name));
  if (inode == nullptr) return IOStatus::NotFound(name);
  *result = std::make_unique<SequentialFile>(std::move(inode));
  return IOStatus::OK();
}

IOStatus SimFileSystem::NewRandomAccessFile(const std::string& name, const FileOptions& /*options*/,
                                            std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                                            IODebugContext* /*debug*/) {
  InodePtr inode = disk_->Find(life_, Normal(name));
  if (inode == nullptr) return IOStatus::NotFound(name);
  *result = std::make_unique<RandomAccessFile>(std::move(inode));
  return IOStatus::OK();
}

IOStatus SimFileSystem::NewWritableFile(const std::string& name, const FileOptions& options,
                                        std::unique_ptr<rocksdb::FSWritableFile>* result,
                                        IODebugContext* /*debug*/) {
  Handle handle{disk_, life_, Normal(name), nullptr};
  const DiskError error = disk_->Create(life_, handle.path, &handle.inode);
  if (error != DiskError::kOk) return ToStatus(error, name);
  *result = std::make_unique<WritableFile>(std::move(handle), options);
  return IOStatus::OK();
}

IOStatus SimFileSystem::ReopenWritableFile(const std::string& name, const FileOptions& options,
                                           std::unique_ptr<rocksdb::FSWritableFile>* result,
                                           IODebugContext* debug) {
  InodePtr inode = disk_->Find(life_, Normal(name));
  if (inode == nullptr) return NewWritableFile(name, options, result, debug);
  *result =
      std::make_unique<WritableFile>(Handle{disk_, life_, Normal(name), std::move(inode)}, options);
  return IOStatus::OK();
}

IOStatus SimFileSystem::NewRandomRWFile(const std::string& name, const FileOptions& /*options*/,
                                        std::unique_ptr<rocksdb::FSRandomRWFile>* result,
                                        IODebugContext* /*debug*/) {
  InodePtr inode = disk_->Find(life_, Normal(name));
  if (inode == nullptr) return IOStatus::NotFound(name);
  *result = std::make_unique<RandomRWFile>(Handle{disk_, life_, Normal(name), std::move(inode)});
  return IOStatus::OK();
}

IOStatus SimFileSystem::NewDirectory(const std::string& name, const IOOptions& /*options*/,
                                     std::unique_ptr<rocksdb::FSDirectory>* result,
                                     IODebugContext* /*debug*/) {
  const InodePtr inode = disk_->Find(life_, Normal(name));
  if (inode == nullptr || !inode->is_directory) return IOStatus::NotFound(name);
  *result = std::make_unique<Directory>(disk_, life_, Normal(name));
  return IOStatus::OK();
}

IOStatus SimFileSystem::FileExists(const std::string& name, const IOOptions& /*options*/,
                                   IODebugContext* /*debug*/) {
  return disk_->Find(life_, Normal(name)) == nullptr ? IOStatus::NotFound(name) : IOStatus::OK();
}

IOStatus SimFileSystem::GetChildren(const std::string& directory, const IOOptions& /*options*/,
                                    std::vector<std::string>* result, IODebugContext* /*debug*/) {
  auto children = disk_->List(life_, Normal(directory));
  if (!children) return IOStatus::NotFound(directory);
  *result = std::move(*children);
  return IOStatus::OK();
}

IOStatus SimFileSystem::DeleteFile(const std::string& name, const IOOptions& /*options*/,
                                   IODebugContext* /*debug*/) {
  return ToStatus(disk_->Remove(life_, Normal(name), /*directory=*/false), name);
}

IOStatus SimFileSystem::Truncate(const std::string& name, size_t size, const IOOptions& /*options*/,
                                 IODebugContext* /*debug*/) {
  const InodePtr inode = disk_->Find(life_, Normal(name));
  if (inode == nullptr) return IOStatus::NotFound(name);
  return ToStatus(disk_->Truncate(life_, Normal(name), *inode, size), name);
}

IOStatus SimFileSystem::CreateDir(const std::string& name, const IOOptions& /*options*/,
                                  IODebugContext* /*debug*/) {
  return ToStatus(disk_->MakeDirectory(life_, Normal(name)), name);
}

IOStatus SimFileSystem::CreateDirIfMissing(const std::string& name, const IOOptions& options,
                                           IODebugContext* debug) {
  const InodePtr inode = disk_->Find(life_, Normal(name));
  if (inode == nullptr) return CreateDir(name, options, debug);
  return inode->is_directory ? IOStatus::OK() : IOStatus::IOError(name, "is no directory");
}

IOStatus SimFileSystem::DeleteDir(const std::string& name, const IOOptions& /*options*/,
                                  IODebugContext* /*debug*/) {
  return ToStatus(disk_->Remove(life_, Normal(name), /*directory=*/true), name);
}

IOStatus SimFileSystem::GetFileSize(const std::string& name, const IOOptions& /*options*/,
                                    uint64_t* size, IODebugContext* /*debug*/) {
  const InodePtr inode = disk_->Find(life_, Normal(name));
  if (inode == nullptr) return IOStatus::NotFound(name);
  *size = inode->bytes.size();
  return IOStatus::OK();
}

IOStatus SimFileSystem::GetFileModificationTime(const std::string& name,
                                                const IOOptions& /*options*/, uint64_t* time,
                                                IODebugContext* /*debug*/) {
  const InodePtr inode = disk_->Find(life_, Normal(name));
  if (inode == nullptr) return IOStatus::NotFound(name);
  *time = static_cast<uint64_t>(inode->modified_seconds);
  return IOStatus::OK();
}

IOStatus SimFileSystem::RenameFile(const std::string& from, const std::string& to,
                                   const IOOptions& /*options*/, IODebugContext* /*debug*/) {
  return ToStatus(disk_->Rename(life_, Normal(from), Normal(to)), from);
}

IOStatus SimFileSystem::LinkFile(const std::string& from, const std::string& to,
                                 const IOOptions& /*options*/, IODebugContext* /*debug*/) {
  return ToStatus(disk_->Link(life_, Normal(from), Normal(to)), from);
}

IOStatus SimFileSystem::AreFilesSame(const std::string& first, const std::string& second,
                                     const IOOptions& /*options*/, bool* same,
                                     IODebugContext* /*debug*/) {
  const InodePtr inode = disk_->Find(life_, Normal(first));
  *same = inode != nullptr && inode == disk_->Find(life_, Normal(second));
  return IOStatus::OK();
}

IOStatus SimFileSystem::LockFile(const std::string& name, const IOOptions& /*options*/,
                                 rocksdb::FileLock** lock, IODebugContext* /*debug*/) {
  *lock = nullptr;
  const DiskError error = disk_->Lock(life_, Normal(name));
  if (error != DiskError::kOk) return ToStatus(error, name);
  *lock = new Lock(Normal(name));
  return IOStatus::OK();
}

IOStatus SimFileSystem::UnlockFile(rocksdb::FileLock* lock, const IOOptions& /*options*/,
                                   IODebugContext* /*debug*/) {
  const std::unique_ptr<Lock> owned(static_cast<Lock*>(lock));
  return ToStatus(disk_->Unlock(life_, owned->path()), owned->path());
}

IOStatus SimFileSystem::GetTestDirectory(const IOOptions& /*options*/, std::string* path,
                                         IODebugContext* /*debug*/) {
  *path = "/";
  return IOStatus::OK();
}

IOStatus SimFileSystem::NewLogger(const std::string& /*name*/, const IOOptions& /*options*/,
                                  std::shared_ptr<rocksdb::Logger>* result,
                                  IODebugContext* /*debug*/) {
  *result = std::make_shared<SilentLogger>();
  return IOStatus::OK();
}

IOStatus SimFileSystem::GetAbsolutePath(const std::string& path, const IOOptions& /*options*/,
                                        std::string* result, IODebugContext* /*debug*/) {
  *result = path.starts_with('/') ? Normal(path) : Normal("/" + path);
  return IOStatus::OK();
}

IOStatus SimFileSystem::IsDirectory(const std::string& path, const IOOptions& /*options*/,
                                    bool* is_directory, IODebugContext* /*debug*/) {
  const InodePtr inode = disk_->Find(life_, Normal(path));
  if (inode == nullptr) return IOStatus::NotFound(path);
  *is_directory = inode->is_directory;
  return IOStatus::OK();
}

}  // namespace quorate::sim
