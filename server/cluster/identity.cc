#include "server/cluster/identity.h"

#include <string>

#include "server/cluster/cluster_state.h"
#include "server/runtime/log.h"
#include "server/runtime/random.h"
#include "server/storage/log_store.h"

namespace quorate {

std::string DrawId(uint64_t seed) {
  SeededRandom random(seed);
  std::string id;
  while (id.size() < kIdBytes) {
    const uint64_t bits = random.Next();
    for (int shift = 0; shift < 64; shift += 8) {
      id.push_back(static_cast<char>(bits >> shift));
    }
  }
  return id;
}

absl::StatusOr<uint64_t> CountPowerLosses(LogStore* log, const std::string& boot_id) {
  NodeRecords records(log);
  const auto identity = records.LoadIdentity();
  if (!identity.ok()) {
    return identity.status();
  }
  const auto known = records.LoadMachine();
  if (!known.ok()) {
    return known.status();
  }
  const auto lost_writes = log->MayHaveLostWrites();
  if (!lost_writes.ok()) {
    return lost_writes.status();
  }
  MachineRecord machine = known->value_or(MachineRecord());
  const bool same_boot = known->has_value() && !boot_id.empty() && machine.boot_id == boot_id;
  if (same_boot && !*lost_writes) {
    return machine.power_losses;
  }
  const bool clean = !identity->has_value() || (*identity)->clean_stop;
  if (known->has_value() && !same_boot && !clean) {
    ++machine.power_losses;
    LogWarning("node/power_lost", {{"times", machine.power_losses}});
  } else if (*lost_writes) {
    ++machine.power_losses;
    LogWarning("node/log_writes_lost", {{"times", machine.power_losses}});
  }
  machine.boot_id = boot_id;
  if (absl::Status status = records.SaveMachine(machine); !status.ok()) {
    return status;
  }
  if (*lost_writes) {
    if (absl::Status status = log->ClearLostWrites(); !status.ok()) {
      return status;
    }
  }
  return machine.power_losses;
}

absl::StatusOr<NodeIdentity> BeginBoot(NodeRecords* records, uint64_t seed) {
  auto loaded = records->LoadIdentity();
  if (!loaded.ok()) {
    return loaded.status();
  }
  NodeIdentity identity = loaded->value_or(NodeIdentity());
  if (identity.disk_id.empty()) {
    identity.disk_id = DrawId(MixSeed(seed, 1));
  }
  ++identity.boot;
  SeededRandom random(MixSeed(MixSeed(seed, 2), identity.boot));
  do {
    identity.nonce = random.Next();
  } while (identity.nonce == 0);
  identity.clean_stop = false;
  if (absl::Status status = records->SaveIdentity(identity); !status.ok()) {
    return status;
  }
  return identity;
}

}  // namespace quorate
