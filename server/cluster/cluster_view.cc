#include "server/cluster/cluster_view.h"

namespace quorate {

ClusterView::ClusterView(internal::v1::ClusterState state, uint64_t self)
    : state_(std::move(state)), self_(self) {
  for (const internal::v1::NodeRecord& node : state_.nodes()) {
    nodes_[node.node().node_id()] = &node;
  }
  for (const kv::v1::Keyspace& keyspace : state_.keyspaces()) {
    keyspaces_[keyspace.name()] = &keyspace;
    for (const kv::v1::PartitionPlacement& placement : keyspace.partitions()) {
      groups_[placement.group_id()] = Group{.keyspace = &keyspace, .placement = &placement};
    }
  }
}

const internal::v1::NodeRecord* ClusterView::node(uint64_t node_id) const {
  const auto found = nodes_.find(node_id);
  return found == nodes_.end() ? nullptr : found->second;
}

const kv::v1::Keyspace* ClusterView::keyspace(std::string_view name) const {
  const auto found = keyspaces_.find(name);
  return found == keyspaces_.end() ? nullptr : found->second;
}

ClusterView::Group ClusterView::group(uint64_t group_id) const {
  const auto found = groups_.find(group_id);
  return found == groups_.end() ? Group{} : found->second;
}

}  // namespace quorate
