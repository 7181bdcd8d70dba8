// One simulated node's disk: what was written, what of it was synced, and what is left after a
// crash.
//
// The model is POSIX at its strictest, but for the order of names in the last point:
//   - bytes of a file survive a power loss from the moment its fsync returned;
//   - a file's *name* (made, renamed, deleted) survives from the moment the directory's fsync
//     returned, whatever was synced of the file;
//   - a rename is seen whole or not at all;
//   - what was not synced is lost, or kept, or kept in part, as the seed decides: of a file's
//     unsynced bytes any prefix, of the directory operations any prefix too. Journals commit those
//     in order, and RocksDB relies on it: it makes a MANIFEST, then renames CURRENT to name it, and
//     syncs the directory only then.
// After an fsync that failed, the bytes it should have written are never written by a later one
// (the kernel holds the pages for clean: Rebello et al., "Can applications recover from fsync
// failures?", ATC 2020), and the next process may find them gone, or not.
#ifndef TESTS_SIM_SIM_DISK_H_
#define TESTS_SIM_SIM_DISK_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/runtime/random.h"
#include "tests/sim/sim_clock.h"
#include "tests/sim/sim_scheduler.h"

namespace quorate::sim {

// How a life of the disk ends.
enum class CrashKind : uint8_t {
  // The process dies; the operating system lives and keeps all that was written.
  kProcess,
  // The machine loses power: what was not synced may be gone.
  kPowerLoss,
  // The same, and nothing that was not synced is kept: for tests that want it certain.
  kPowerLossWorst,
};

enum class DiskError : uint8_t {
  kOk,
  kNotFound,
  kExists,
  kIo,
  kNoSpace,
  kDead,
  kLocked,
  kNotEmpty
};

struct DiskCounts {
  uint64_t writes = 0;
  uint64_t bytes_written = 0;
  uint64_t syncs = 0;
  uint64_t directory_syncs = 0;
  uint64_t bytes_lost = 0;  // by power losses
  uint64_t names_lost = 0;  // directory operations undone by power losses
};

// The contents of one file or directory; shared by its names and by open handles.
struct Inode {
  bool is_directory = false;
  std::string bytes;
  // bytes[0, synced) would survive, with `unwritable` stretches read as zeros.
  size_t synced = 0;
  std::vector<std::pair<size_t, size_t>> unwritable;
  // What was synced before synced bytes were overwritten or cut off; such a change survives whole
  // or not at all.
  std::optional<std::string> before_overwrite;
  int64_t modified_seconds = 0;
};
using InodePtr = std::shared_ptr<Inode>;

// Owned by SimRuntime; outlives crashes. `life` numbers the machine's or process's lives: each
// operation says in which life its caller was started, and those of an earlier life are refused as
// kDead without effect. So the objects of a crashed process can be destroyed at leisure.
class SimDisk {
 public:
  SimDisk(SimScheduler* scheduler, const SimClock* clock, uint32_t node);
  SimDisk(const SimDisk&) = delete;
  SimDisk& operator=(const SimDisk&) = delete;

  // --- Crashes ---
  [[nodiscard]] uint64_t life() const { return life_; }
  // Ends the present life and applies the loss at once. The next life can begin to use the disk.
  void Crash(CrashKind kind);
  // From now on every change of the present life fails without effect, until Crash. Reads go on.
  void Freeze() { frozen_ = true; }
  // Freezes the disk at the `operations`-th change from now (1: the next), before it takes effect,
  // and calls `on_crash` from within it: a power loss in the middle of whatever the node does
  // there. The caller then crashes the node when the present event has ended.
  void ArmCrash(uint64_t operations, std::function<void()> on_crash);
  void DisarmCrash() { crash_in_ = 0; }

  // --- Faults of a running disk ---
  // The next `count` fsyncs of files fail.
  void FailSyncs(uint64_t count) { failing_syncs_ = count; }
  // Every write and every new file fails, for lack of space or with an I/O error. With a folder
  // only below it.
  void SetWriteError(DiskError error, std::string folder = "") {
    write_error_ = error;
    failing_folder_ = std::move(folder);
  }
  // fsync reports success and makes nothing durable: a build without fsync, or a lying disk. With a
  // suffix only for files whose names end so.
  void SetLyingSyncs(bool lying, std::string suffix = "") {
    lying_syncs_ = lying;
    lying_suffix_ = std::move(suffix);
  }
  // Flips one bit at rest. False when there is no such byte.
  bool FlipBit(const std::string& path, size_t offset, uint8_t bit);
  // Puts other bytes at rest into a file of that name. False when there is none.
  bool SetContents(const std::string& path, std::string bytes);

  // --- Looking in, for tests ---
  [[nodiscard]] std::vector<std::string> Paths() const;
  [[nodiscard]] std::optional<std::string> Contents(const std::string& path) const;
  [[nodiscard]] const DiskCounts& counts() const { return counts_; }
  // A directory, with its parents, that was made and synced long before the run.
  void MakeDurableDirectory(const std::string& path);

  // --- Operations; SimFileSystem maps RocksDB's onto them. Paths are absolute and normal. ---
  DiskError Create(uint64_t life, const std::string& path, InodePtr* file);
  [[nodiscard]] InodePtr Find(uint64_t life, const std::string& path) const;
  DiskError Append(uint64_t life, const std::string& path, Inode& file, std::string_view bytes);
  DiskError Overwrite(uint64_t life, const std::string& path, Inode& file, size_t offset,
                      std::string_view bytes);
  DiskError Truncate(uint64_t life, const std::string& path, Inode& file, size_t size);
  DiskError Sync(uint64_t life, const std::string& path, Inode& file);
  DiskError SyncDirectory(uint64_t life, const std::string& path);
  DiskError MakeDirectory(uint64_t life, const std::string& path);
  DiskError Remove(uint64_t life, const std::string& path, bool directory);
  DiskError Rename(uint64_t life, const std::string& from, const std::string& to);
  DiskError Link(uint64_t life, const std::string& from, const std::string& to);
  DiskError Lock(uint64_t life, const std::string& path);
  DiskError Unlock(uint64_t life, const std::string& path);
  // Names directly below; nullopt when it is no directory.
  [[nodiscard]] std::optional<std::vector<std::string>> List(uint64_t life,
                                                             const std::string& path) const;

  // "/a/b" → "/a"; "/a" → "/".
  static std::string ParentOf(const std::string& path);

 private:
  using Names = std::map<std::string, InodePtr>;
  // A change of names that no directory fsync has covered yet. `from` empty: no name goes away;
  // `to` empty: none comes.
  struct NameChange {
    std::string from;
    std::string to;
    InodePtr inode;
  };

  // Counts a change of the present life, hashes it, fires an armed crash. Not kOk: it must not
  // happen.
  DiskError Begin(const char* what, uint64_t life, const std::string& path, uint64_t value);
  [[nodiscard]] DiskError WriteError(const std::string& path) const {
    return path.starts_with(failing_folder_) ? write_error_ : DiskError::kOk;
  }
  void ChangeNames(NameChange change);
  static void Apply(const NameChange& change, Names& names);
  void LoseUnsynced(CrashKind kind);
  void DropUnwritable();
  [[nodiscard]] Names SurvivingNames(CrashKind kind);
  [[nodiscard]] InodePtr Survivor(const InodePtr& inode, CrashKind kind);

  SimScheduler* const scheduler_;
  const SimClock* const clock_;
  const uint32_t node_;
  SeededRandom random_;
  uint64_t life_ = 1;
  bool frozen_ = false;
  uint64_t crash_in_ = 0;
  std::function<void()> on_crash_;
  uint64_t failing_syncs_ = 0;
  DiskError write_error_ = DiskError::kOk;
  std::string failing_folder_;
  bool lying_syncs_ = false;
  std::string lying_suffix_;

  // What the living process sees, what a power loss leaves for certain, and what lies between.
  Names names_;
  Names durable_names_;
  std::vector<NameChange> pending_;
  std::set<std::string> locks_;
  DiskCounts counts_;
};

}  // namespace quorate::sim

#endif  // TESTS_SIM_SIM_DISK_H_
