// Questions for the status of all replicas of a node.
#ifndef SERVER_REPLICATION_RAFT_GROUPS_STATUS_QUERY_H_
#define SERVER_REPLICATION_RAFT_GROUPS_STATUS_QUERY_H_

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "kv/v1/admin.pb.h"
#include "server/replication/raft_groups/apply.h"
#include "server/replication/raft_groups/host_context.h"
#include "server/replication/raft_groups/worker.h"
#include "server/replication/replica_host.h"
#include "server/runtime/mutex.h"
#include "server/storage/data_store.h"

namespace quorate {

// One question; answered once, by whoever comes first.
class StatusQuery {
 public:
  using Answers = std::vector<kv::v1::ReplicaStatus>;

  explicit StatusQuery(Callback<Answers> done) : done_(std::move(done)) {}
  void Answer(absl::StatusOr<Answers> answers);
  [[nodiscard]] bool answered() const { return answered_.load(); }

  // Apply loop, then background loop, then OpenQueries::Close when neither runs any more. Kept here
  // and not in a task: a task may be left behind on a loop, and a snapshot must not outlive the
  // store.
  std::optional<DataSnapshot> snapshot;

 private:
  std::atomic<bool> answered_{false};
  Callback<Answers> done_;
};

// The questions under way, so that stopping ends them too. Any thread.
class OpenQueries {
 public:
  // Null, with the question answered, once closed.
  std::shared_ptr<StatusQuery> Open(Callback<StatusQuery::Answers> done);
  // After the loops have stopped working for the host.
  void Close();

 private:
  Mutex mutex_;
  std::vector<std::shared_ptr<StatusQuery>> open_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

// Asks every worker, then the apply loop (applied index and hash, and a snapshot that agrees with
// them), then, for checksums, reads the replicas on the background loop.
void CollectStatus(const std::shared_ptr<HostContext>& context,
                   const std::shared_ptr<Applier>& applier,
                   const std::vector<std::shared_ptr<Worker>>& workers, bool checksum,
                   std::shared_ptr<StatusQuery> query);

}  // namespace quorate

#endif  // SERVER_REPLICATION_RAFT_GROUPS_STATUS_QUERY_H_
