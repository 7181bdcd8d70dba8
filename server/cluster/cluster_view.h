// The cluster state as requests use it: one immutable version with indexes, shared by all threads.
#ifndef SERVER_CLUSTER_CLUSTER_VIEW_H_
#define SERVER_CLUSTER_CLUSTER_VIEW_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "internal/v1/cluster_state.pb.h"
#include "server/runtime/mutex.h"

namespace quorate {

// Constant after construction; any thread. Pointers that it gives live as long as it does.
class ClusterView {
 public:
  struct Group {
    const kv::v1::Keyspace* keyspace = nullptr;
    const kv::v1::PartitionPlacement* placement = nullptr;
  };

  // `self` is the node that looks.
  ClusterView(internal::v1::ClusterState state, uint64_t self);
  ClusterView(const ClusterView&) = delete;
  ClusterView& operator=(const ClusterView&) = delete;

  [[nodiscard]] const internal::v1::ClusterState& state() const { return state_; }
  [[nodiscard]] uint64_t self() const { return self_; }
  [[nodiscard]] uint64_t epoch() const { return state_.epoch(); }
  // Null when there is none.
  [[nodiscard]] const internal::v1::NodeRecord* node(uint64_t node_id) const;
  [[nodiscard]] const kv::v1::Keyspace* keyspace(std::string_view name) const;
  // Not for the meta group. Fields are null when there is none.
  [[nodiscard]] Group group(uint64_t group_id) const;

 private:
  const internal::v1::ClusterState state_;
  const uint64_t self_;
  absl::flat_hash_map<uint64_t, const internal::v1::NodeRecord*> nodes_;
  std::map<std::string, const kv::v1::Keyspace*, std::less<>> keyspaces_;
  absl::flat_hash_map<uint64_t, Group> groups_;
};

// Where the newest view is found. Readers take a share of it and keep it for one request. The lock
// is held for one copy of a pointer. Any thread.
class PublishedView {
 public:
  // Null before the node knows a cluster state.
  [[nodiscard]] std::shared_ptr<const ClusterView> Get() const {
    const MutexLock lock(&mutex_);
    return view_;
  }
  void Set(std::shared_ptr<const ClusterView> view) {
    const MutexLock lock(&mutex_);
    view_ = std::move(view);
  }

 private:
  mutable Mutex mutex_;
  std::shared_ptr<const ClusterView> view_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quorate

#endif  // SERVER_CLUSTER_CLUSTER_VIEW_H_
