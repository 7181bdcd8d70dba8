// What a node must remember about itself, besides logs and data. Kept in the log store, synced.
#ifndef SERVER_STORAGE_NODE_RECORDS_H_
#define SERVER_STORAGE_NODE_RECORDS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "raft/types.h"

namespace quorate {

class LogStore;

struct NodeIdentity {
  // 16 random bytes; empty until the node belongs to a cluster.
  std::string cluster_id{};
  // 0 until the cluster has given one.
  uint64_t node_id = 0;
  // 16 random bytes drawn when the folder was made; names this life of the disk.
  std::string disk_id{};
  // Raised by each start before anything is sent.
  uint64_t boot = 0;
  // Drawn anew with each boot: two starts from copies of one folder differ in it.
  uint64_t nonce = 0;
  // Set as the last act of a clean stop, cleared by the next start.
  bool clean_stop = false;

  friend bool operator==(const NodeIdentity&, const NodeIdentity&) = default;
};

// A loss that was found once: some peer had been told of this batch of the log, and the disk had
// less. Replicas before `first_sound` lost what they promised. The log's batches go on above it.
struct RolledBackDisk {
  uint64_t batch = 0;
  ReplicaId first_sound;

  friend bool operator==(const RolledBackDisk&, const RolledBackDisk&) = default;
};

// How the machine that the node runs on has fared.
struct MachineRecord {
  // Runtime::boot_id of the node's last start; empty: unknown.
  std::string boot_id{};
  // How often the machine stopped before the node had done so cleanly, or a write to the log failed
  // under it. What was written and not synced may be gone each time.
  uint64_t power_losses = 0;

  friend bool operator==(const MachineRecord&, const MachineRecord&) = default;
};

// docs/formats.md draws the bytes.
[[nodiscard]] std::string EncodeIdentity(const NodeIdentity& identity);
// Total: any bytes give an identity, kDataLoss or kUnimplemented (newer format).
[[nodiscard]] absl::StatusOr<NodeIdentity> DecodeIdentity(std::string_view bytes);

// Any thread; blocks on the disk. Borrows the store. Reads: kDataLoss when damaged, kUnimplemented
// for a newer format. Writes are durable on return; their errors poison the store.
class NodeRecords {
 public:
  explicit NodeRecords(LogStore* store) : store_(store) {}

  // Nothing: a new folder.
  [[nodiscard]] absl::StatusOr<std::optional<NodeIdentity>> LoadIdentity() const;
  absl::Status SaveIdentity(const NodeIdentity& identity);

  // Zeros: the disk was never seen to go back.
  [[nodiscard]] absl::StatusOr<RolledBackDisk> LoadRolledBack() const;
  absl::Status SaveRolledBack(const RolledBackDisk& disk);

  // Nothing: a new folder, or one of a version that kept none.
  [[nodiscard]] absl::StatusOr<std::optional<MachineRecord>> LoadMachine() const;
  absl::Status SaveMachine(const MachineRecord& machine);

  // The last cluster state this node has seen, encoded, so that a restarted node knows its peers.
  // Empty: none.
  [[nodiscard]] absl::StatusOr<std::string> LoadClusterCache() const;
  absl::Status SaveClusterCache(std::string_view state);

 private:
  LogStore* const store_;
};

}  // namespace quorate

#endif  // SERVER_STORAGE_NODE_RECORDS_H_
