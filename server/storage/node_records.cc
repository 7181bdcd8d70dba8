#include "server/storage/node_records.h"

#include <fmt/format.h>

#include "server/storage/byte_codec.h"
#include "server/storage/log_store.h"

namespace quorate {
namespace {

constexpr uint64_t kIdentityFormat = 1;
constexpr std::string_view kIdentityName = "identity";
constexpr std::string_view kClusterName = "cluster";
constexpr uint64_t kRolledBackFormat = 1;
constexpr std::string_view kRolledBackName = "rolled_back";
constexpr uint64_t kMachineFormat = 1;
constexpr std::string_view kMachineName = "machine";

absl::Status DamagedIdentity() { return absl::DataLossError("damaged node record: identity"); }

}  // namespace

std::string EncodeIdentity(const NodeIdentity& identity) {
  std::string bytes;
  AppendBigEndian<1>(&bytes, kIdentityFormat);
  AppendLengthPrefixed(&bytes, identity.cluster_id);
  AppendBigEndian<8>(&bytes, identity.node_id);
  AppendLengthPrefixed(&bytes, identity.disk_id);
  AppendBigEndian<8>(&bytes, identity.boot);
  AppendBigEndian<8>(&bytes, identity.nonce);
  AppendBigEndian<1>(&bytes, identity.clean_stop ? 1 : 0);
  return bytes;
}

absl::StatusOr<NodeIdentity> DecodeIdentity(std::string_view bytes) {
  ByteReader reader(bytes);
  uint64_t format = 0;
  if (!reader.Read<1>(&format) || format == 0) return DamagedIdentity();
  if (format > kIdentityFormat) {
    return absl::UnimplementedError(fmt::format(
        "the node's identity has format {}, this version knows up to {}; start a newer version of "
        "Quorate",
        format, kIdentityFormat));
  }
  NodeIdentity identity;
  std::string_view cluster_id;
  std::string_view disk_id;
  uint64_t clean_stop = 0;
  if (!reader.ReadLengthPrefixed(&cluster_id) || !reader.Read<8>(&identity.node_id) ||
      !reader.ReadLengthPrefixed(&disk_id) || !reader.Read<8>(&identity.boot) ||
      !reader.Read<8>(&identity.nonce) || !reader.Read<1>(&clean_stop) || clean_stop > 1 ||
      !reader.rest().empty()) {
    return DamagedIdentity();
  }
  identity.cluster_id = std::string(cluster_id);
  identity.disk_id = std::string(disk_id);
  identity.clean_stop = clean_stop != 0;
  return identity;
}

absl::StatusOr<std::optional<NodeIdentity>> NodeRecords::LoadIdentity() const {
  const auto stored = store_->GetNodeRecord(kIdentityName);
  if (!stored.ok()) return stored.status();
  if (!stored->has_value()) return std::nullopt;
  return DecodeIdentity(**stored);
}

absl::Status NodeRecords::SaveIdentity(const NodeIdentity& identity) {
  return store_->PutNodeRecord(kIdentityName, EncodeIdentity(identity));
}

absl::StatusOr<RolledBackDisk> NodeRecords::LoadRolledBack() const {
  const auto stored = store_->GetNodeRecord(kRolledBackName);
  if (!stored.ok()) return stored.status();
  if (!stored->has_value()) return RolledBackDisk();
  ByteReader reader(**stored);
  uint64_t format = 0;
  RolledBackDisk disk;
  uint64_t first_sound = 0;
  if (!reader.Read<1>(&format) || format != kRolledBackFormat || !reader.Read<8>(&disk.batch) ||
      !reader.Read<8>(&first_sound) || !reader.rest().empty()) {
    return absl::DataLossError("damaged node record: rolled_back");
  }
  disk.first_sound = ReplicaId(first_sound);
  return disk;
}

absl::Status NodeRecords::SaveRolledBack(const RolledBackDisk& disk) {
  std::string bytes;
  AppendBigEndian<1>(&bytes, kRolledBackFormat);
  AppendBigEndian<8>(&bytes, disk.batch);
  AppendBigEndian<8>(&bytes, disk.first_sound.value());
  // Later batches go by numbers that no peer has heard of, so that their loss would be noticed.
  return store_->PutNodeRecord(kRolledBackName, bytes, /*batch_at_least=*/disk.batch);
}

absl::StatusOr<std::optional<MachineRecord>> NodeRecords::LoadMachine() const {
  const auto stored = store_->GetNodeRecord(kMachineName);
  if (!stored.ok()) return stored.status();
  if (!stored->has_value()) return std::nullopt;
  ByteReader reader(**stored);
  uint64_t format = 0;
  MachineRecord machine;
  std::string_view boot_id;
  if (!reader.Read<1>(&format) || format != kMachineFormat ||
      !reader.Read<8>(&machine.power_losses) || !reader.ReadLengthPrefixed(&boot_id) ||
      !reader.rest().empty()) {
    return absl::DataLossError("damaged node record: machine");
  }
  machine.boot_id = std::string(boot_id);
  return machine;
}

absl::Status NodeRecords::SaveMachine(const MachineRecord& machine) {
  std::string bytes;
  AppendBigEndian<1>(&bytes, kMachineFormat);
  AppendBigEndian<8>(&bytes, machine.power_losses);
  AppendLengthPrefixed(&bytes, machine.boot_id);
  return store_->PutNodeRecord(kMachineName, bytes);
}

absl::StatusOr<std::string> NodeRecords::LoadClusterCache() const {
  auto stored = store_->GetNodeRecord(kClusterName);
  if (!stored.ok()) return stored.status();
  return stored->value_or("");
}

absl::Status NodeRecords::SaveClusterCache(std::string_view state) {
  return store_->PutNodeRecord(kClusterName, state);
}

}  // namespace quorate
