// Who this node is, from its data folder.
#ifndef SERVER_CLUSTER_IDENTITY_H_
#define SERVER_CLUSTER_IDENTITY_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "server/storage/node_records.h"

namespace quorate {

class LogStore;

// Once at each start, before BeginBoot, which forgets how the last life ended: MachineRecord's
// count, raised durably if the machine has stopped since the last start and the node had not
// stopped cleanly before, or if the log may have lost writes without that. A crash before BeginBoot
// harms nothing: nothing was written in between, and at worst a loss is counted twice. Blocks on
// the disk.
absl::StatusOr<uint64_t> CountPowerLosses(LogStore* log, const std::string& boot_id);

// Once at each start, before anything is sent: reads the identity, or draws a disk id for a new
// folder; raises the boot counter, draws a nonce, and makes all of it durable. Blocks on the disk.
// The seed must differ from start to start and from folder to folder.
absl::StatusOr<NodeIdentity> BeginBoot(NodeRecords* records, uint64_t seed);

// 16 random bytes.
[[nodiscard]] std::string DrawId(uint64_t seed);

}  // namespace quorate

#endif  // SERVER_CLUSTER_IDENTITY_H_
