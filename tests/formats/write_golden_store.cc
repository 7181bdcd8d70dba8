// Writes the golden folders of this build's formats: write_golden_store NEW_FOLDER. Run by hand
// when a format gets a new version; the folders of earlier versions stay as they are.
#include <fmt/format.h>
#include <rocksdb/options.h>

#include <cstdio>
#include <filesystem>

#include "raft/check.h"
#include "server/storage/data_store.h"
#include "server/storage/log_store.h"
#include "tests/formats/golden_content.h"

namespace quorate::golden {
namespace {

void Must(const absl::Status& status) { QUORATE_CHECK(status.ok()) << status.ToString(); }

StoreOptions Options(const std::string& path) {
  StoreOptions options{.path = path};
  // Nothing of the machine goes into the tree.
  options.adjust = [](rocksdb::Options& rocks) { rocks.db_host_id.clear(); };
  return options;
}

void WriteLog(const std::string& path) {
  auto store = LogStore::Open(Options(path)).value();
  const auto log = store->OpenGroup(kGroup, kReplica, {}).value();
  std::vector<raft::Entry> entries = Entries();
  LogAppend first{.group = kGroup, .entries = {entries[0], entries[1], entries[2]}};
  for (raft::Entry& entry : first.entries) entry.term = raft::Term(1);
  Must(store->Append({first}));
  Must(store->Append(
      {{.group = kGroup, .hard_state = kHardState, .entries = {entries[1], entries[2]}}}));
  NodeRecords records(store.get());
  Must(records.SaveIdentity(Identity()));
  Must(records.SaveClusterCache(kClusterState));
}

void WriteData(const std::string& path) {
  auto store = DataStore::Open(Options(path)).value();
  ApplyBatch batch;
  batch.PutValue(kReplica, "key",
                 {.version = kVersion, .value = "value", .key_hash = 11, .expiry_us = 12});
  batch.PutValue(kReplica, std::string("\0\xff", 2), {.version = kVersion, .value = ""});
  internal::v1::ReplicaMeta meta;
  meta.set_format(1);
  meta.set_applied_index(3);
  meta.set_applied_term(2);
  meta.set_last_stamp(kVersion.stamp());
  meta.set_era(2);
  batch.PutMeta(kReplica, meta);
  internal::v1::RequestRow row;
  row.mutable_request_id()->set_client_id(std::string(16, '\x33'));
  row.mutable_request_id()->set_sequence(6);
  row.mutable_result()->set_version(kVersion.ToBytes());
  row.set_index(1);
  batch.PutRequestRow(kReplica, row);
  batch.PutClusterState(kReplica, kClusterState);
  Must(store->Apply(batch));
}

// What RocksDB can do without, and what names the machine.
void RemoveByproducts(const std::string& path) {
  std::vector<std::filesystem::path> byproducts;
  for (const auto& file : std::filesystem::directory_iterator(path)) {
    const std::string name = file.path().filename();
    if (name.starts_with("LOG") || name.starts_with("OPTIONS") || name == "LOCK") {
      byproducts.push_back(file.path());
    }
  }
  for (const auto& file : byproducts) std::filesystem::remove(file);
}

}  // namespace
}  // namespace quorate::golden

int main(int argc, char** argv) {
  if (argc != 2 || !std::filesystem::create_directory(argv[1])) {
    fmt::print(stderr, "usage: write_golden_store NEW_FOLDER\n");
    return 2;
  }
  const std::string folder = argv[1];
  quorate::golden::WriteLog(folder + "/log");
  quorate::golden::WriteData(folder + "/data");
  quorate::golden::RemoveByproducts(folder + "/log");
  quorate::golden::RemoveByproducts(folder + "/data");
  return 0;
}
