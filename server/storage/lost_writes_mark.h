// A file beside the log store that tells the next process what this one can no longer write down in
// the store: a write to it failed, and others before it were not synced.
//
// When an fsync fails the kernel may drop the pages that it could not write, and takes them for
// clean. Until the machine stops they can mostly still be read, so a new process finds nothing
// amiss, and loses them later without any loss of power.
#ifndef SERVER_STORAGE_LOST_WRITES_MARK_H_
#define SERVER_STORAGE_LOST_WRITES_MARK_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace rocksdb {
class Env;
}  // namespace rocksdb

namespace quorate {

// Any thread, one call at a time; blocks on the disk. Borrows the environment.
class LostWritesMark {
 public:
  // Of the store in this folder.
  LostWritesMark(rocksdb::Env* env, std::string store_path)
      : env_(env), path_(std::move(store_path) + ".lost-writes") {}

  // True: an earlier process set it, and nobody has cleared it since.
  [[nodiscard]] absl::StatusOr<bool> IsSet() const;
  // `why` is for people. The disk has just failed, so this may fail, too. While the machine goes on
  // it takes no fsync for the next process to see the file; after that nobody needs it.
  absl::Status Set(const std::string& why);
  // Durable on return.
  absl::Status Clear();

 private:
  absl::Status SyncFolder();

  rocksdb::Env* const env_;
  const std::string path_;
};

}  // namespace quorate

#endif  // SERVER_STORAGE_LOST_WRITES_MARK_H_
