// Pages of partitions read on other nodes, for scans: both ends.
#ifndef SERVER_CLUSTER_PAGE_EXCHANGE_H_
#define SERVER_CLUSTER_PAGE_EXCHANGE_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>

#include "absl/status/statusor.h"
#include "internal/v1/peer.pb.h"
#include "server/cluster/peer_messenger.h"
#include "server/replication/replica_host.h"
#include "server/runtime/mutex.h"
#include "server/runtime/runtime.h"

namespace quorate {

// Owned by the node. Any thread; callbacks come on the thread that received the answer or on the
// control loop, and must not block.
class PageExchange {
 public:
  // The pointers outlive it. `first_question` differs from start to start, so that answers to an
  // earlier life match nothing.
  PageExchange(const Runtime& runtime, PeerMessenger* messenger, ReplicaHost* host,
               uint64_t first_question)
      : clock_(runtime.clock),
        control_(runtime.workers[0]),
        messenger_(messenger),
        host_(host),
        next_question_(first_question) {}

  // Asks `node_id`, once, for a page. `done` is called once, by `until`: with the answer, which may
  // say that it was not served, or DEADLINE_EXCEEDED, or RESOURCE_EXHAUSTED when too many questions
  // are open.
  void Ask(uint64_t node_id, internal::v1::ReadPageRequest request, MonotonicTime until,
           Callback<internal::v1::ReadPageResponse> done);

  // A ReadPageRequest or ReadPageResponse from the messenger.
  void OnEnvelope(internal::v1::Envelope envelope);

 private:
  // Memory is bounded by what the askers hold; this only stops a runaway.
  static constexpr size_t kQuestionsMax = 16384;
  // Pages being read for others; each may come to some MiB. More are told so at once, and asked for
  // again after a pause.
  static constexpr size_t kServingMax = 256;

  void Serve(internal::v1::Envelope envelope);
  void Answer(const internal::v1::Envelope& asked, absl::StatusOr<PageAnswer> page);
  void Finish(uint64_t question, absl::StatusOr<internal::v1::ReadPageResponse> answer);

  Clock* const clock_;
  Executor* const control_;
  PeerMessenger* const messenger_;
  ReplicaHost* const host_;

  // Pages being read for others; shared with what reads them, which may outlive this.
  const std::shared_ptr<std::atomic<size_t>> serving_ = std::make_shared<std::atomic<size_t>>(0);

  Mutex mutex_;
  uint64_t next_question_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, Callback<internal::v1::ReadPageResponse>> open_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quorate

#endif  // SERVER_CLUSTER_PAGE_EXCHANGE_H_
