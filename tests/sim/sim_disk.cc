#include "tests/sim/sim_disk.h"

#include <algorithm>

#include "server/runtime/check.h"

namespace quorate::sim {
namespace {

bool IsBelow(const std::string& path, const std::string& directory) {
  return SimDisk::ParentOf(path) == directory && path != directory;
}

}  // namespace

SimDisk::SimDisk(SimScheduler* scheduler, const SimClock* clock, uint32_t node)
    : scheduler_(scheduler), clock_(clock), node_(node), random_(scheduler->ForkRandom()) {
  MakeDurableDirectory("/");
}

std::string SimDisk::ParentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

void SimDisk::MakeDurableDirectory(const std::string& path) {
  if (path != "/") MakeDurableDirectory(ParentOf(path));
  if (durable_names_.contains(path)) return;
  auto directory = std::make_shared<Inode>();
  directory->is_directory = true;
  names_[path] = directory;
  durable_names_[path] = directory;
}

// --- Crashes ---

void SimDisk::Crash(CrashKind kind) {
  ++life_;
  frozen_ = false;
  crash_in_ = 0;
  on_crash_ = nullptr;
  locks_.clear();
  scheduler_->Note("disk/crash", node_, static_cast<uint64_t>(kind));
  if (kind != CrashKind::kProcess) {
    LoseUnsynced(kind);
  } else {
    DropUnwritable();
  }
}

// The kernel may have needed the memory.
void SimDisk::DropUnwritable() {
  for (auto& [path, inode] : names_) {
    if (inode->unwritable.empty() || Chance(random_, 0.5)) continue;
    for (const auto& [begin, end] : inode->unwritable) {
      for (size_t i = begin; i < std::min(end, inode->bytes.size()); ++i) inode->bytes[i] = '\0';
    }
  }
}

void SimDisk::ArmCrash(uint64_t operations, std::function<void()> on_crash) {
  QUORATE_CHECK(operations > 0);
  crash_in_ = operations;
  on_crash_ = std::move(on_crash);
}

void SimDisk::LoseUnsynced(CrashKind kind) {
  Names names = SurvivingNames(kind);
  // A file with two names stays one file.
  std::map<const Inode*, InodePtr> survivors;
  for (auto& [path, inode] : names) {
    InodePtr& survivor = survivors[inode.get()];
    if (survivor == nullptr) survivor = Survivor(inode, kind);
    inode = survivor;
  }
  names_ = std::move(names);
  durable_names_ = names_;
  pending_.clear();
}

SimDisk::Names SimDisk::SurvivingNames(CrashKind kind) {
  Names names = durable_names_;
  const size_t kept =
      kind == CrashKind::kPowerLossWorst ? 0 : UniformBelow(random_, pending_.size() + 1);
  for (size_t i = 0; i < kept; ++i) {
    Apply(pending_[i], names);
  }
  counts_.names_lost += pending_.size() - kept;
  // What lies below a directory that did not survive is out of reach. Parents sort first.
  for (auto it = names.begin(); it != names.end();) {
    it = names.contains(ParentOf(it->first)) ? std::next(it) : names.erase(it);
  }
  return names;
}

InodePtr SimDisk::Survivor(const InodePtr& inode, CrashKind kind) {
  const bool clean =
      inode->synced == inode->bytes.size() && !inode->before_overwrite && inode->unwritable.empty();
  // The dying process may still read the old inode, so a file that changes is copied.
  if (inode->is_directory || clean) return inode;
  auto survivor = std::make_shared<Inode>();
  survivor->modified_seconds = inode->modified_seconds;
  const bool worst = kind == CrashKind::kPowerLossWorst;
  if (inode->before_overwrite && (worst || Chance(random_, 0.5))) {
    survivor->bytes = *inode->before_overwrite;
  } else {
    size_t kept = inode->synced;
    const size_t unsynced = inode->bytes.size() - inode->synced;
    if (!worst && unsynced > 0 && Chance(random_, 0.5)) {
      kept += UniformBelow(random_, unsynced + 1);
    }
    survivor->bytes = inode->bytes.substr(0, kept);
    for (const auto& [begin, end] : inode->unwritable) {
      for (size_t i = begin; i < std::min(end, kept); ++i) survivor->bytes[i] = '\0';
    }
    counts_.bytes_lost += inode->bytes.size() - kept;
  }
  survivor->synced = survivor->bytes.size();
  return survivor;
}

// --- Faults ---

bool SimDisk::FlipBit(const std::string& path, size_t offset, uint8_t bit) {
  const auto found = names_.find(path);
  if (found == names_.end() || offset >= found->second->bytes.size()) return false;
  char& byte = found->second->bytes[offset];
  byte = static_cast<char>(static_cast<unsigned char>(byte) ^ (1u << (bit % 8)));
  return true;
}

bool SimDisk::SetContents(const std::string& path, std::string bytes) {
  const auto found = names_.find(path);
  if (found == names_.end() || found->second->is_directory) return false;
  found->second->bytes = std::move(bytes);
  found->second->synced = found->second->bytes.size();
  return true;
}

// --- Looking in ---

std::vector<std::string> SimDisk::Paths() const {
  std::vector<std::string> paths;
  for (const auto& [path, inode] : names_) paths.push_back(path);
  return paths;
}

std::optional<std::string> SimDisk::Contents(const std::string& path) const {
  const auto found = names_.find(path);
  if (found == names_.end() || found->second->is_directory) return std::nullopt;
  return found->second->bytes;
}

// --- Operations ---

DiskError SimDisk::Begin(const char* what, uint64_t life, const std::string& path, uint64_t value) {
  if (life != life_ || frozen_) return DiskError::kDead;
  if (crash_in_ > 0 && --crash_in_ == 0) {
    frozen_ = true;
    scheduler_->Note("disk/frozen", node_, life);
    const std::function<void()> on_crash = std::exchange(on_crash_, nullptr);
    if (on_crash) on_crash();
    return DiskError::kDead;
  }
  scheduler_->Note(what, node_, value);
  scheduler_->Note(path, node_, value);
  return DiskError::kOk;
}

void SimDisk::ChangeNames(NameChange change) {
  Apply(change, names_);
  pending_.push_back(std::move(change));
}

void SimDisk::Apply(const NameChange& change, Names& names) {
  if (!change.from.empty()) names.erase(change.from);
  if (!change.to.empty()) names[change.to] = change.inode;
}

InodePtr SimDisk::Find(uint64_t life, const std::string& path) const {
  if (life != life_) return nullptr;
  const auto found = names_.find(path);
  return found == names_.end() ? nullptr : found->second;
}

DiskError SimDisk::Create(uint64_t life, const std::string& path, InodePtr* file) {
  if (const DiskError error = Begin("disk/create", life, path, 0); error != DiskError::kOk) {
    return error;
  }
  if (const DiskError error = WriteError(path); error != DiskError::kOk) return error;
  if (!names_.contains(ParentOf(path))) return DiskError::kNotFound;
  *file = std::make_shared<Inode>();
  (*file)->modified_seconds = clock_->WallNow() / 1'000'000;
  ChangeNames({"", path, *file});
  return DiskError::kOk;
}

DiskError SimDisk::Append(uint64_t life, const std::string& path, Inode& file,
                          std::string_view bytes) {
  if (const DiskError error = Begin("disk/append", life, path, bytes.size());
      error != DiskError::kOk) {
    return error;
  }
  if (const DiskError error = WriteError(path); error != DiskError::kOk) return error;
  ++counts_.writes;
  counts_.bytes_written += bytes.size();
  file.bytes.append(bytes);
  file.modified_seconds = clock_->WallNow() / 1'000'000;
  return DiskError::kOk;
}

DiskError SimDisk::Overwrite(uint64_t life, const std::string& path, Inode& file, size_t offset,
                             std::string_view bytes) {
  if (offset == file.bytes.size()) return Append(life, path, file, bytes);
  if (const DiskError error = Begin("disk/overwrite", life, path, offset);
      error != DiskError::kOk) {
    return error;
  }
  if (const DiskError error = WriteError(path); error != DiskError::kOk) return error;
  if (offset < file.synced && !file.before_overwrite) {
    file.before_overwrite = file.bytes.substr(0, file.synced);
  }
  ++counts_.writes;
  counts_.bytes_written += bytes.size();
  if (file.bytes.size() < offset + bytes.size()) file.bytes.resize(offset + bytes.size());
  file.bytes.replace(offset, bytes.size(), bytes);
  return DiskError::kOk;
}

DiskError SimDisk::Truncate(uint64_t life, const std::string& path, Inode& file, size_t size) {
  if (const DiskError error = Begin("disk/truncate", life, path, size); error != DiskError::kOk) {
    return error;
  }
  if (size < file.synced) {
    if (!file.before_overwrite) file.before_overwrite = file.bytes.substr(0, file.synced);
    file.synced = size;
  }
  file.bytes.resize(size);
  return DiskError::kOk;
}

DiskError SimDisk::Sync(uint64_t life, const std::string& path, Inode& file) {
  if (const DiskError error = Begin("disk/sync", life, path, file.bytes.size());
      error != DiskError::kOk) {
    return error;
  }
  ++counts_.syncs;
  if (lying_syncs_ && path.ends_with(lying_suffix_)) return DiskError::kOk;
  if (failing_syncs_ > 0) {
    --failing_syncs_;
    if (file.bytes.size() > file.synced) {
      file.unwritable.emplace_back(file.synced, file.bytes.size());
    }
    return DiskError::kIo;
  }
  file.synced = file.bytes.size();
  file.before_overwrite.reset();
  return DiskError::kOk;
}

DiskError SimDisk::SyncDirectory(uint64_t life, const std::string& path) {
  if (const DiskError error = Begin("disk/sync_directory", life, path, 0);
      error != DiskError::kOk) {
    return error;
  }
  ++counts_.directory_syncs;
  if (lying_syncs_ && path.ends_with(lying_suffix_)) return DiskError::kOk;
  std::vector<NameChange> still_pending;
  for (NameChange& change : pending_) {
    if (IsBelow(change.from, path) || IsBelow(change.to, path)) {
      Apply(change, durable_names_);
    } else {
      still_pending.push_back(std::move(change));
    }
  }
  pending_ = std::move(still_pending);
  return DiskError::kOk;
}

DiskError SimDisk::MakeDirectory(uint64_t life, const std::string& path) {
  if (const DiskError error = Begin("disk/mkdir", life, path, 0); error != DiskError::kOk) {
    return error;
  }
  if (names_.contains(path)) return DiskError::kExists;
  if (!names_.contains(ParentOf(path))) return DiskError::kNotFound;
  if (const DiskError error = WriteError(path); error != DiskError::kOk) return error;
  auto directory = std::make_shared<Inode>();
  directory->is_directory = true;
  ChangeNames({"", path, std::move(directory)});
  return DiskError::kOk;
}

DiskError SimDisk::Remove(uint64_t life, const std::string& path, bool directory) {
  if (const DiskError error = Begin("disk/remove", life, path, 0); error != DiskError::kOk) {
    return error;
  }
  const auto found = names_.find(path);
  if (found == names_.end() || found->second->is_directory != directory) {
    return DiskError::kNotFound;
  }
  if (directory && !List(life, path)->empty()) return DiskError::kNotEmpty;
  ChangeNames({path, "", found->second});
  return DiskError::kOk;
}

DiskError SimDisk::Rename(uint64_t life, const std::string& from, const std::string& to) {
  if (const DiskError error = Begin("disk/rename", life, from, 0); error != DiskError::kOk) {
    return error;
  }
  scheduler_->Note(to, node_, 0);
  const auto found = names_.find(from);
  if (found == names_.end() || !names_.contains(ParentOf(to))) return DiskError::kNotFound;
  const InodePtr inode = found->second;
  if (inode->is_directory) {
    // What lies below goes along; each name is one change.
    const std::string prefix = from + "/";
    std::vector<NameChange> below;
    for (auto it = names_.lower_bound(prefix); it != names_.end(); ++it) {
      if (!it->first.starts_with(prefix)) break;
      below.push_back({it->first, to + "/" + it->first.substr(prefix.size()), it->second});
    }
    ChangeNames({from, to, inode});
    for (NameChange& change : below) ChangeNames(std::move(change));
  } else {
    ChangeNames({from, to, inode});
  }
  return DiskError::kOk;
}

DiskError SimDisk::Link(uint64_t life, const std::string& from, const std::string& to) {
  if (const DiskError error = Begin("disk/link", life, from, 0); error != DiskError::kOk) {
    return error;
  }
  const auto found = names_.find(from);
  if (found == names_.end() || !names_.contains(ParentOf(to))) return DiskError::kNotFound;
  if (names_.contains(to)) return DiskError::kExists;
  ChangeNames({"", to, found->second});
  return DiskError::kOk;
}

DiskError SimDisk::Lock(uint64_t life, const std::string& path) {
  if (const DiskError error = Begin("disk/lock", life, path, 0); error != DiskError::kOk) {
    return error;
  }
  if (!names_.contains(path)) ChangeNames({"", path, std::make_shared<Inode>()});
  return locks_.insert(path).second ? DiskError::kOk : DiskError::kLocked;
}

DiskError SimDisk::Unlock(uint64_t life, const std::string& path) {
  if (life == life_) locks_.erase(path);
  return DiskError::kOk;
}

std::optional<std::vector<std::string>> SimDisk::List(uint64_t life,
                                                      const std::string& path) const {
  const InodePtr directory = Find(life, path);
  if (directory == nullptr || !directory->is_directory) return std::nullopt;
  const std::string prefix = path == "/" ? path : path + "/";
  std::vector<std::string> children;
  for (auto it = names_.lower_bound(prefix); it != names_.end(); ++it) {
    if (!it->first.starts_with(prefix)) break;
    std::string name = it->first.substr(prefix.size());
    if (!name.empty() && name.find('/') == std::string::npos) children.push_back(std::move(name));
  }
  return children;
}

}  // namespace quorate::sim
