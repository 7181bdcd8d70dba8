#include "server/cluster/address_book.h"

#include <algorithm>
#include <utility>

#include "fmt/format.h"
#include "server/cluster/cluster_state.h"

namespace quorate {

void AddressBook::BeginLife(Entry& entry, uint64_t boot) {
  entry.boot = boot;
  entry.nonce = 0;
  entry.earlier_batch = std::max(entry.earlier_batch, std::exchange(entry.batch, 0));
}

void AddressBook::SetState(const internal::v1::ClusterState& state) {
  const MutexLock lock(&mutex_);
  for (const internal::v1::NodeRecord& record : state.nodes()) {
    Entry& entry = entries_[record.node().node_id()];
    if (!entry.disk_id.empty() && entry.disk_id != record.disk_id()) {
      entry = Entry();
    }
    if (record.boot() > entry.boot) {  // a later life than any heard of
      entry.told_address.clear();
      BeginLife(entry, record.boot());
    }
    entry.disk_id = record.disk_id();
    entry.state_address = record.node().peer_address();
  }
}

absl::Status AddressBook::Admit(const Sender& sender) {
  const MutexLock lock(&mutex_);
  if (entries_.size() >= kEntriesMax && !entries_.contains(sender.node_id)) {
    return absl::ResourceExhaustedError(
        fmt::format("too many node ids were heard of; {} is not kept", sender.node_id));
  }
  Entry& entry = entries_[sender.node_id];
  if (!entry.disk_id.empty() && entry.disk_id != sender.disk_id) {
    return absl::PermissionDeniedError(
        fmt::format("the sender says it is node {}, whose disk is {}, but has disk {}",
                    sender.node_id, HexId(entry.disk_id), HexId(sender.disk_id)));
  }
  if (sender.boot < entry.boot) {
    return absl::AbortedError(
        fmt::format("node {} was heard from after start {}, this is of start {}: late, or its data "
                    "folder was rolled back (then wipe it and let it join anew)",
                    sender.node_id, entry.boot, sender.boot));
  }
  if (sender.boot == entry.boot && entry.nonce != 0 && sender.nonce != entry.nonce) {
    return absl::AbortedError(fmt::format(
        "two copies of node {}'s data folder made start {}, or it lost what it wrote since: wipe "
        "the older copy, or restart the node if there is but one",
        sender.node_id, sender.boot));
  }
  entry.disk_id = sender.disk_id;  // until the state says otherwise
  if (sender.boot > entry.boot) {
    BeginLife(entry, sender.boot);
  }
  entry.nonce = sender.nonce;
  entry.batch = std::max(entry.batch, sender.durable_batch);
  if (!sender.address.empty()) {
    entry.told_address = sender.address;
  }
  return absl::OkStatus();
}

uint64_t AddressBook::EarlierBatch(uint64_t node_id, uint64_t boot, uint64_t nonce) const {
  const MutexLock lock(&mutex_);
  const auto found = entries_.find(node_id);
  if (found == entries_.end()) {
    return 0;
  }
  const Entry& entry = found->second;
  const bool newest = boot == entry.boot && (entry.nonce == 0 || nonce == entry.nonce);
  return newest ? entry.earlier_batch : std::max(entry.earlier_batch, entry.batch);
}

std::string AddressBook::Resolve(uint64_t node_id) const {
  if (const auto found = overrides_.find(node_id); found != overrides_.end()) {
    return found->second;
  }
  const MutexLock lock(&mutex_);
  const auto found = entries_.find(node_id);
  if (found == entries_.end()) {
    return "";
  }
  const Entry& entry = found->second;
  return entry.told_address.empty() ? entry.state_address : entry.told_address;
}

}  // namespace quorate
