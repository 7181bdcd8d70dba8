// One page of a scan over one or more partitions.
#ifndef SERVER_SERVICE_SCAN_H_
#define SERVER_SERVICE_SCAN_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "server/cluster/cluster_view.h"
#include "server/runtime/mutex.h"
#include "server/service/scan_merger.h"
#include "server/service/service_context.h"

namespace quorate {

struct ScanPlan {
  std::shared_ptr<const ClusterView> view;
  // Of the view.
  std::vector<const kv::v1::PartitionPlacement*> partitions;
  std::string begin;  // inclusive
  std::string end;    // exclusive; empty: to the end
  uint64_t limit = 1;
  size_t page_bytes = 1;
  bool keys_only = false;
  MonotonicTime deadline;
};

// Asks each partition's leader for a share of the page, a bounded number at a time, and merges what
// comes. A share that fails is asked for again, of the leader that the refusal names or of the next
// owner, until the deadline; a share costs its partition only what the page can still hold.
//
// Keeps itself alive until it is done. Any thread.
class ScanOperation : public std::enable_shared_from_this<ScanOperation> {
 public:
  // `context` outlives it. `done` is called once, by the deadline, on any thread.
  static void Run(const ServiceContext* context, ScanPlan plan, Callback<PageAnswer> done);

 private:
  // Shares under way at once: bounds memory, since each holds at least one value.
  static constexpr size_t kParallelMax = 16;
  static constexpr Duration kAttemptTimeout = std::chrono::seconds(1);
  static constexpr Duration kRetryDelay = std::chrono::milliseconds(30);
  static constexpr size_t kShareBytesMin = 4096;

  struct Share {
    size_t partition = 0;
    uint64_t node = 0;  // to ask next
    uint32_t attempts = 0;
  };

  ScanOperation(const ServiceContext* context, ScanPlan plan, Callback<PageAnswer> done);

  // Begins shares while there are any and room. Not recursive: answers that come at once only make
  // the running call go on.
  void Pump();
  void Fetch(const Share& share);
  [[nodiscard]] uint64_t FirstNodeOf(size_t partition) const;
  [[nodiscard]] bool SeemsAlive(uint64_t node_id) const;
  // The first of the owners, from that one on, that seems alive; else that one.
  [[nodiscard]] uint64_t OwnerFrom(const kv::v1::PartitionPlacement& placement, int first) const;
  [[nodiscard]] PageQuery QueryNow();
  void OnPage(Share share, absl::StatusOr<PageAnswer> page);
  // `leader`: 0 when the refusal named none.
  void Retry(Share share, uint64_t leader, const absl::Status& why);
  void Finish(absl::StatusOr<PageAnswer> page);

  const ServiceContext* const context_;
  const ScanPlan plan_;
  const size_t share_bytes_;

  Mutex mutex_;
  ScanMerger merger_ ABSL_GUARDED_BY(mutex_);
  size_t next_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t under_way_ ABSL_GUARDED_BY(mutex_) = 0;
  bool pumping_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  Callback<PageAnswer> done_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quorate

#endif  // SERVER_SERVICE_SCAN_H_
