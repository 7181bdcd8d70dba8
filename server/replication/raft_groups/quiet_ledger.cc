#include "server/replication/raft_groups/quiet_ledger.h"

#include "server/runtime/random.h"

namespace quorate {
namespace {

uint64_t HashOf(const QuietGroup& group) { return MixSeed(group.group.value(), group.term); }

}  // namespace

void QuietLedger::Add(uint64_t node, const QuietGroup& group) {
  const MutexLock lock(&mutex_);
  Entry& entry = nodes_[node];
  if (entry.groups.emplace(group.group, group.term).second) entry.sum += HashOf(group);
}

void QuietLedger::Remove(uint64_t node, const QuietGroup& group) {
  const MutexLock lock(&mutex_);
  const auto entry = nodes_.find(node);
  if (entry == nodes_.end()) return;
  const auto found = entry->second.groups.find(group.group);
  if (found == entry->second.groups.end() || found->second != group.term) return;
  entry->second.groups.erase(found);
  entry->second.sum -= HashOf(group);
  if (entry->second.groups.empty()) nodes_.erase(entry);
}

QuietDigest QuietLedger::Digest(uint64_t node) const {
  const MutexLock lock(&mutex_);
  const auto entry = nodes_.find(node);
  if (entry == nodes_.end()) return {};
  return {.groups = entry->second.groups.size(), .sum = entry->second.sum};
}

bool QuietLedger::Holds(uint64_t node, const QuietGroup& group) const {
  const MutexLock lock(&mutex_);
  const auto entry = nodes_.find(node);
  if (entry == nodes_.end()) return false;
  const auto found = entry->second.groups.find(group.group);
  return found != entry->second.groups.end() && found->second == group.term;
}

std::vector<QuietGroup> QuietLedger::List(uint64_t node) const {
  const MutexLock lock(&mutex_);
  std::vector<QuietGroup> list;
  const auto entry = nodes_.find(node);
  if (entry == nodes_.end()) return list;
  list.reserve(entry->second.groups.size());
  for (const auto& [group, term] : entry->second.groups) list.push_back({group, term});
  return list;
}

std::vector<uint64_t> QuietLedger::Nodes() const {
  const MutexLock lock(&mutex_);
  std::vector<uint64_t> nodes;
  nodes.reserve(nodes_.size());
  for (const auto& [node, entry] : nodes_) nodes.push_back(node);
  return nodes;
}

}  // namespace quorate
