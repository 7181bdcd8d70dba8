// The apply loop: committed entries of all groups become data, and writes get their answers.
#ifndef SERVER_REPLICATION_RAFT_GROUPS_APPLY_H_
#define SERVER_REPLICATION_RAFT_GROUPS_APPLY_H_

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "server/replication/raft_groups/apply_work.h"
#include "server/replication/raft_groups/gate.h"
#include "server/replication/raft_groups/host_context.h"
#include "server/replication/raft_groups/replica_state.h"
#include "server/storage/data_store.h"

namespace quorate {

// Everything that gathered while the last batch was written goes into the next, whatever group it
// is of. A write is answered from here, after the batch that holds it is visible: that is what
// makes lease reads linearizable (lease_view.h), and it saves the way back over the worker.
//
// Threads: Submit, Post and Close from any; all else runs on runtime.apply, inside the gate.
// Order: work of one worker is done in the order of its submission, so a read handed over behind
// the entries up to its index sees them.
class Applier : public std::enable_shared_from_this<Applier> {
 public:
  explicit Applier(std::shared_ptr<HostContext> context) : context_(std::move(context)) {}

  void Submit(std::vector<ApplyWork> work);
  // Runs the task on the apply loop, behind all work submitted before. Dropped after Close.
  void Post(absl::AnyInvocable<void()> task);
  // The same on the background loop.
  void PostBackground(absl::AnyInvocable<void()> task);
  // When it returns, nothing of the host runs on the apply and background loops, or ever will.
  void Close();

 private:
  struct Answer {
    std::shared_ptr<WriteRequest> request;
    absl::StatusOr<WriteAnswer> answer;
  };
  using Notices =
      std::map<size_t, std::pair<std::shared_ptr<AppliedSink>, std::vector<AppliedNotice>>>;

  void Drain();
  void Turn(std::vector<ApplyWork> work);
  void InstallSnapshot(ApplyWork& work);
  void PoisonStore(const absl::Status& status);
  // Applies the entries of one replica's work, committing whenever the batch is full.
  void ApplyEntries(ApplyWork& work);
  // Writes the batch and gives the answers that depend on it. False: the store is poisoned.
  bool Commit();
  void ServeReads(ApplyWork& work);
  void ServeGet(ReplicaState& replica, ReadRequest& read);
  void ServeGetMany(ReplicaState& replica, ReadRequest& read);
  [[nodiscard]] absl::StatusOr<ReadAnswer> ReadKey(const ReplicaState& replica,
                                                   const ReadRequest& read,
                                                   const std::string& key) const;
  void ServePage(const std::shared_ptr<ReplicaState>& replica, std::shared_ptr<ReadRequest> read,
                 std::shared_ptr<AppliedSink> worker);
  void Notify(ApplyWork& work, Notices* notices);

  const std::shared_ptr<HostContext> context_;
  Gate gate_;
  Gate background_gate_;

  Mutex inbox_mutex_;
  std::vector<ApplyWork> inbox_ ABSL_GUARDED_BY(inbox_mutex_);
  bool scheduled_ ABSL_GUARDED_BY(inbox_mutex_) = false;

  // The apply loop's own.
  ApplyBatch batch_;
  std::vector<Answer> answers_;          // depend on batch_
  std::vector<ReplicaState*> in_batch_;  // have entries in batch_
  bool poisoned_ = false;
};

}  // namespace quorate

#endif  // SERVER_REPLICATION_RAFT_GROUPS_APPLY_H_
