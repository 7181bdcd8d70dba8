#include "client/src/router.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "fmt/format.h"
#include "proto/error_detail.h"

namespace quorate::client {
namespace {

constexpr Duration kSuspicionFirst = std::chrono::seconds(1);
constexpr int kSuspicionFactorMax = 2;

bool Contains(const Tried& tried, const std::string& address) {
  return std::find(tried.begin(), tried.end(), address) != tried.end();
}

}  // namespace

Router::PartitionEntry Router::EntryOf(const kv::v1::PartitionPlacement& placement) {
  PartitionEntry entry;
  entry.group = placement.group_id();
  entry.epoch = placement.epoch();
  for (const auto& replica : placement.replicas()) {
    entry.nodes.push_back(replica.node_id());
  }
  return entry;
}

Router::KeyspaceEntry Router::EntryOf(const kv::v1::Keyspace& keyspace) {
  KeyspaceEntry entry;
  entry.rule = keyspace.policy().routing() == kv::v1::ROUTING_WHOLE ? RoutingRule::kWhole
                                                                    : RoutingRule::kTag;
  entry.policy_epoch = keyspace.policy_epoch();
  for (const auto& partition : keyspace.partitions()) {
    entry.partitions.push_back(EntryOf(partition));
  }
  return entry;
}

Router::Lookup Router::FindKey(const std::string& keyspace, std::string_view key,
                               Route* route) const {
  MutexLock lock(&mutex_);
  if (epoch_ == 0) {
    return Lookup::kNoState;
  }
  const auto found = keyspaces_.find(keyspace);
  if (found == keyspaces_.end() || found->second.partitions.empty()) {
    return Lookup::kNoKeyspace;
  }
  const KeyspaceEntry& entry = found->second;
  // A server may only name a power of two; anything else would be its defect, not our crash.
  const auto count = static_cast<uint32_t>(entry.partitions.size());
  const uint32_t number =
      (count & (count - 1)) == 0 ? PartitionOfKey(key, entry.rule, count) : uint32_t{0};
  const PartitionEntry& partition = entry.partitions[number];
  route->group = partition.group;
  route->placement_epoch = partition.epoch;
  route->policy_epoch = entry.policy_epoch;
  route->nodes = partition.nodes;
  route->leader_only = true;
  return Lookup::kFound;
}

Router::Lookup Router::FindKeyspace(const std::string& keyspace, uint64_t turn,
                                    Route* route) const {
  MutexLock lock(&mutex_);
  if (epoch_ == 0) {
    return Lookup::kNoState;
  }
  const auto found = keyspaces_.find(keyspace);
  if (found == keyspaces_.end()) {
    return Lookup::kNoKeyspace;
  }
  route->policy_epoch = found->second.policy_epoch;
  route->leader_only = false;
  AllNodes(route);
  if (!route->nodes.empty()) {
    const size_t first = turn % route->nodes.size();
    std::rotate(route->nodes.begin(), route->nodes.begin() + static_cast<ptrdiff_t>(first),
                route->nodes.end());
  }
  return Lookup::kFound;
}

Router::Lookup Router::FindMeta(Route* route) const {
  MutexLock lock(&mutex_);
  if (epoch_ == 0) {
    return Lookup::kNoState;
  }
  route->group = kMetaGroup;
  route->leader_only = true;
  AllNodes(route);
  return Lookup::kFound;
}

std::optional<RoutingRule> Router::RuleOf(const std::string& keyspace) const {
  MutexLock lock(&mutex_);
  const auto found = keyspaces_.find(keyspace);
  return found == keyspaces_.end() ? std::nullopt : std::optional(found->second.rule);
}

void Router::AllNodes(Route* route) const {
  for (const auto& [node_id, address] : addresses_) {
    route->nodes.push_back(node_id);
  }
}

bool Router::Suspect(const std::string& address, MonotonicTime now) const {
  const auto found = suspicions_.find(address);
  return found != suspicions_.end() && now < found->second.until;
}

const std::string* Router::AddressOf(uint64_t node_id) const {
  const auto found = addresses_.find(node_id);
  return found == addresses_.end() ? nullptr : &found->second;
}

std::optional<Target> Router::Pick(const Route& route, const Tried& tried,
                                   MonotonicTime now) const {
  MutexLock lock(&mutex_);
  absl::InlinedVector<uint64_t, 8> order;
  if (route.leader_only) {
    const auto leader = leaders_.find(route.group);
    if (leader != leaders_.end()) {
      order.push_back(leader->second);
    }
  }
  order.insert(order.end(), route.nodes.begin(), route.nodes.end());
  std::optional<Target> suspect;
  bool all_suspect = true;
  for (const uint64_t node_id : order) {
    const std::string* address = AddressOf(node_id);
    if (address == nullptr) {
      continue;
    }
    const bool is_suspect = Suspect(*address, now);
    all_suspect = all_suspect && is_suspect;
    if (Contains(tried, *address)) {
      continue;
    }
    if (!is_suspect) {
      return Target{.node_id = node_id, .address = *address};
    }
    if (!suspect) {
      suspect = Target{.node_id = node_id, .address = *address};
    }
  }
  // With a live node left, the next round asks it again rather than waits for one that is silent.
  return all_suspect ? suspect : std::nullopt;
}

std::optional<Target> Router::PickAny(const Tried& tried, MonotonicTime now, uint64_t turn) const {
  MutexLock lock(&mutex_);
  std::vector<Target> all;
  for (const auto& [node_id, address] : addresses_) {
    all.push_back({.node_id = node_id, .address = address});
  }
  for (const std::string& endpoint : endpoints_) {
    const bool known =
        std::any_of(all.begin(), all.end(), [&](const Target& t) { return t.address == endpoint; });
    if (!known) {
      all.push_back({.node_id = 0, .address = endpoint});
    }
  }
  std::optional<Target> suspect;
  for (size_t i = 0; i < all.size(); ++i) {
    const Target& target = all[(i + turn) % all.size()];
    if (Contains(tried, target.address)) {
      continue;
    }
    if (!Suspect(target.address, now)) {
      return target;
    }
    if (!suspect) {
      suspect = target;
    }
  }
  return suspect;
}

absl::Status Router::Install(const kv::v1::GetClusterStateResponse& state) {
  MutexLock lock(&mutex_);
  if (!cluster_id_.empty() && state.cluster_id() != cluster_id_) {
    return MakeError(kv::v1::REASON_WRONG_CLUSTER, kv::v1::OUTCOME_NOT_DONE,
                     fmt::format("an endpoint belongs to cluster {}, not to {}", state.cluster_id(),
                                 cluster_id_));
  }
  if (!state.unchanged() && state.epoch() > epoch_) {
    cluster_id_ = state.cluster_id();
    epoch_ = state.epoch();
    addresses_.clear();
    for (const auto& node : state.nodes()) {
      addresses_[node.node_id()] = node.address();
    }
    keyspaces_.clear();
    for (const auto& keyspace : state.keyspaces()) {
      keyspaces_[keyspace.name()] = EntryOf(keyspace);
    }
  }
  for (const auto& hint : state.leaders()) {
    if (hint.node_id() != 0) {
      leaders_.try_emplace(hint.group_id(), hint.node_id());
    }
  }
  return absl::OkStatus();
}

uint64_t Router::epoch() const {
  MutexLock lock(&mutex_);
  return epoch_;
}

void Router::AddKeyspace(const kv::v1::Keyspace& keyspace) {
  MutexLock lock(&mutex_);
  keyspaces_[keyspace.name()] = EntryOf(keyspace);
}

void Router::RemoveKeyspace(const std::string& name) {
  MutexLock lock(&mutex_);
  keyspaces_.erase(name);
}

void Router::NotePlacement(const std::string& keyspace,
                           const kv::v1::PartitionPlacement& placement) {
  MutexLock lock(&mutex_);
  const auto found = keyspaces_.find(keyspace);
  if (found == keyspaces_.end() || placement.partition() >= found->second.partitions.size()) {
    return;
  }
  PartitionEntry& entry = found->second.partitions[placement.partition()];
  if (placement.epoch() > entry.epoch) {
    entry = EntryOf(placement);
  }
}

void Router::NoteLeader(uint64_t group, const kv::v1::NodeRef& leader) {
  if (leader.node_id() == 0) {
    return;
  }
  MutexLock lock(&mutex_);
  leaders_[group] = leader.node_id();
  if (!leader.address().empty()) {
    addresses_.try_emplace(leader.node_id(), leader.address());
  }
}

void Router::NoteServed(const Route& route, const Target& target) {
  MutexLock lock(&mutex_);
  if (!suspicions_.empty()) {
    suspicions_.erase(target.address);
  }
  if (route.leader_only && target.node_id != 0) {
    leaders_[route.group] = target.node_id;
  }
}

void Router::ForgetLeader(uint64_t group, uint64_t node_id) {
  MutexLock lock(&mutex_);
  const auto found = leaders_.find(group);
  if (found != leaders_.end() && (node_id == 0 || found->second == node_id)) {
    leaders_.erase(found);
  }
}

void Router::NoteNoAnswer(const std::string& address, MonotonicTime now) {
  MutexLock lock(&mutex_);
  Suspicion& suspicion = suspicions_[address];
  if (now < suspicion.until) {
    return;  // many operations find out at once; that is one finding
  }
  suspicion.failures = std::min(suspicion.failures + 1, kSuspicionFactorMax);
  suspicion.until = now + kSuspicionFirst * suspicion.failures;
}

void Router::NoteAnswer(const std::string& address) {
  MutexLock lock(&mutex_);
  if (!suspicions_.empty()) {
    suspicions_.erase(address);
  }
}

}  // namespace quorate::client
