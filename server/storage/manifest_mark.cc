#include "server/storage/manifest_mark.h"

#include <fmt/format.h>
#include <rocksdb/env.h>
#include <rocksdb/write_batch.h>

#include <charconv>
#include <utility>
#include <vector>

#include "server/storage/byte_codec.h"
#include "server/storage/log_record.h"
#include "server/storage/rocks.h"

namespace quorate {
namespace {

constexpr uint64_t kManifestMarkFormat = 1;
constexpr std::string_view kManifestPrefix = "MANIFEST-";

// "/MANIFEST-000012", with or without a line's end → 12; 0: another name.
uint64_t ManifestNumber(std::string_view name) {
  if (name.starts_with('/')) name.remove_prefix(1);
  if (!name.starts_with(kManifestPrefix)) return 0;
  name.remove_prefix(kManifestPrefix.size());
  uint64_t number = 0;
  std::from_chars(name.data(), name.data() + name.size(), number);
  return number;
}

class SortedFileListener final : public rocksdb::EventListener {
 public:
  explicit SortedFileListener(std::atomic<bool>* due) : due_(due) {}
  void OnFlushCompleted(rocksdb::DB* /*db*/, const rocksdb::FlushJobInfo& /*flush*/) override {
    due_->store(true);
  }

 private:
  std::atomic<bool>* const due_;
};

}  // namespace

class ManifestMark::Reader final : public rocksdb::WriteBatch::Handler {
 public:
  explicit Reader(ManifestMark* mark) : mark_(mark) {}

  rocksdb::Status PutCF(uint32_t /*family*/, const rocksdb::Slice& key,
                        const rocksdb::Slice& value) override {
    if (FromSlice(key) == mark_->key_) mark_->Compare(FromSlice(value));
    return rocksdb::Status::OK();
  }
  rocksdb::Status DeleteCF(uint32_t /*family*/, const rocksdb::Slice& /*key*/) override {
    return rocksdb::Status::OK();
  }
  rocksdb::Status DeleteRangeCF(uint32_t /*family*/, const rocksdb::Slice& /*begin*/,
                                const rocksdb::Slice& /*end*/) override {
    return rocksdb::Status::OK();
  }

 private:
  ManifestMark* const mark_;
};

ManifestMark::ManifestMark(rocksdb::Env* env, const std::string& path, std::string key,
                           std::string name)
    : path_(path), key_(std::move(key)), name_(std::move(name)) {
  // What cannot be read here is RocksDB's to complain about.
  std::string current;
  if (!rocksdb::ReadFileToString(env, path + "/CURRENT", &current).ok()) return;
  found_.number = ManifestNumber(current);
  if (current.ends_with('\n')) current.pop_back();
  if (!env->GetFileSize(path + "/" + current, &found_.size).ok()) found_.size = 0;
}

void ManifestMark::Watch(rocksdb::Options* options) {
  options->wal_filter = this;
  options->listeners.push_back(std::make_shared<SortedFileListener>(&due_));
}

void ManifestMark::Compare(std::string_view sealed) {
  const auto bytes = OpenNodeRecord(name_, sealed);
  if (!bytes.has_value()) return;  // found again by whoever reads it
  ByteReader reader(*bytes);
  uint64_t format = 0;
  Manifest told;
  if (reader.Read<1>(&format) && format == kManifestMarkFormat && reader.Read<8>(&told.number) &&
      reader.Read<8>(&told.size)) {
    promised_ = told;
  }
}

rocksdb::WalFilter::WalProcessingOption ManifestMark::LogRecordFound(
    unsigned long long /*log_number*/, const std::string& /*log_file*/,
    const rocksdb::WriteBatch& batch, rocksdb::WriteBatch* /*new_batch*/, bool* /*changed*/) {
  Reader reader(this);
  if (!batch.Iterate(&reader).ok() || !Verdict().ok()) return WalProcessingOption::kCorruptedRecord;
  return WalProcessingOption::kContinueProcessing;
}

absl::Status ManifestMark::Verdict() const {
  if (found_.number > promised_.number ||
      (found_.number == promised_.number && found_.size >= promised_.size)) {
    return absl::OkStatus();
  }
  return AdviseIfDamaged(absl::DataLossError(
      fmt::format("{} lacks the end of its MANIFEST: MANIFEST-{:06} has {} bytes, and there was "
                  "MANIFEST-{:06} of {} or more",
                  path_, found_.number, found_.size, promised_.number, promised_.size)));
}

void ManifestMark::AddTo(rocksdb::DB* db, rocksdb::WriteBatch* batch) {
  if (!due_.exchange(false)) return;
  std::vector<std::string> files;
  Manifest now;
  if (!db->GetLiveFiles(files, &now.size, /*flush_memtable=*/false).ok()) return;
  for (const std::string& file : files) now.number = std::max(now.number, ManifestNumber(file));
  std::string bytes;
  AppendBigEndian<1>(&bytes, kManifestMarkFormat);
  AppendBigEndian<8>(&bytes, now.number);
  AppendBigEndian<8>(&bytes, now.size);
  batch->Put(key_, SealNodeRecord(name_, bytes));
}

}  // namespace quorate
