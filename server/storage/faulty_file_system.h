// RocksDB's file system with faults at the boundary, for tests: syncs can be made to fail, the disk
// to fill up, and a power cut to forget what was not synced.
#ifndef SERVER_STORAGE_FAULTY_FILE_SYSTEM_H_
#define SERVER_STORAGE_FAULTY_FILE_SYSTEM_H_

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "server/runtime/mutex.h"

namespace quorate {

// Method: every writable file reports its synced length here; CutPower() makes further writes fail
// and truncates each file to that length. Oracle: what a store acknowledged before must be there
// when the folder is opened again through the real file system. Any thread.
class FaultyFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  FaultyFileSystem() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "FaultyFileSystem"; }

  void FailSyncs() { fail_syncs_ = true; }
  // So many bytes fit from now on. What does not fit is written as far as it does.
  void SetSpace(uint64_t bytes) { space_ = bytes; }
  static constexpr uint64_t kEndless = std::numeric_limits<uint64_t>::max();
  // Runs within the next sync of a log, on the thread that asked for it.
  void DuringNextLogSync(std::function<void()> act) { during_log_sync_ = std::move(act); }
  [[nodiscard]] int failed_syncs() const { return failed_syncs_; }
  [[nodiscard]] int log_syncs() const { return log_syncs_; }
  // Afterwards nothing more reaches the disk.
  void CutPower() {
    const MutexLock lock(&mutex_);
    power_ = false;
    for (const auto& [path, size] : synced_sizes_) {
      std::error_code gone;
      if (std::filesystem::exists(path, gone)) std::filesystem::resize_file(path, size, gone);
    }
  }

  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override {
    if (!power_) return rocksdb::IOStatus::IOError("no power");
    const rocksdb::IOStatus status = target()->NewWritableFile(path, options, result, debug);
    if (!status.ok()) return status;
    {
      const MutexLock lock(&mutex_);
      synced_sizes_[path] = 0;
    }
    *result = std::make_unique<File>(std::move(*result), path, this);
    return status;
  }
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override {
    if (!power_) return rocksdb::IOStatus::IOError("no power");
    const MutexLock lock(&mutex_);
    auto node = synced_sizes_.extract(from);
    if (!node.empty()) synced_sizes_[to] = node.mapped();
    return target()->RenameFile(from, to, options, debug);
  }
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override {
    if (!power_) return rocksdb::IOStatus::IOError("no power");
    return target()->DeleteFile(path, options, debug);
  }

 private:
  class File final : public rocksdb::FSWritableFileOwnerWrapper {
   public:
    File(std::unique_ptr<rocksdb::FSWritableFile>&& file, std::string path, FaultyFileSystem* owner)
        : FSWritableFileOwnerWrapper(std::move(file)), path_(std::move(path)), owner_(owner) {}

    using FSWritableFileOwnerWrapper::Append;
    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override {
      if (!owner_->power_) return rocksdb::IOStatus::IOError("no power");
      const uint64_t space = owner_->space_;
      const size_t fits = std::min<uint64_t>(space, data.size());
      if (space != kEndless) owner_->space_ = space - fits;
      const rocksdb::IOStatus written =
          FSWritableFileOwnerWrapper::Append(rocksdb::Slice(data.data(), fits), options, debug);
      return written.ok() && fits < data.size()
                 ? rocksdb::IOStatus::NoSpace("While appending: disk full")
                 : written;
    }
    rocksdb::IOStatus Sync(const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* debug) override {
      return AfterSync(FSWritableFileOwnerWrapper::Sync(options, debug), options, debug);
    }
    rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options,
                            rocksdb::IODebugContext* debug) override {
      return AfterSync(FSWritableFileOwnerWrapper::Fsync(options, debug), options, debug);
    }

   private:
    rocksdb::IOStatus AfterSync(rocksdb::IOStatus status, const rocksdb::IOOptions& options,
                                rocksdb::IODebugContext* debug) {
      if (owner_->fail_syncs_) {
        ++owner_->failed_syncs_;
        return rocksdb::IOStatus::IOError("sync failed");
      }
      if (path_.ends_with(".log") && owner_->during_log_sync_) {
        std::exchange(owner_->during_log_sync_, nullptr)();
      }
      const MutexLock lock(&owner_->mutex_);
      if (!owner_->power_) return rocksdb::IOStatus::IOError("no power");
      owner_->synced_sizes_[path_] = GetFileSize(options, debug);
      if (path_.ends_with(".log")) ++owner_->log_syncs_;
      return status;
    }

    const std::string path_;
    FaultyFileSystem* const owner_;
  };

  std::atomic<bool> fail_syncs_ = false;
  std::atomic<bool> power_ = true;
  std::atomic<uint64_t> space_ = kEndless;
  std::atomic<int> failed_syncs_ = 0;
  std::atomic<int> log_syncs_ = 0;
  std::function<void()> during_log_sync_;
  Mutex mutex_;
  std::map<std::string, uint64_t> synced_sizes_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quorate

#endif  // SERVER_STORAGE_FAULTY_FILE_SYSTEM_H_
