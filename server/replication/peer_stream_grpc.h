// The two ends of one Peer.Deliver stream.
#ifndef SERVER_REPLICATION_PEER_STREAM_GRPC_H_
#define SERVER_REPLICATION_PEER_STREAM_GRPC_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "internal/v1/peer.grpc.pb.h"
#include "server/replication/peer_transport_grpc.h"
#include "server/runtime/grpc_completion_loop.h"
#include "server/runtime/mutex.h"

namespace quorate {

// Counts of both directions; any thread.
struct PeerTransportCounters {
  std::atomic<uint64_t> envelopes_sent{0};
  std::atomic<uint64_t> envelopes_received{0};
  std::atomic<uint64_t> envelopes_dropped{0};
  std::atomic<uint64_t> frames_sent{0};
};

// The sending end to one address, connected when there is something to send.
//
// At most one gRPC operation is in flight. `busy_` says that somebody owns the stream: first the
// sender that set it, then a thread of the loop with each operation's end; only the owner gives
// operations, and never under the lock. Kept alive by its operation, else by the transport.
class PeerSendStream final : public GrpcTag, public std::enable_shared_from_this<PeerSendStream> {
 public:
  PeerSendStream(std::string address, const GrpcPeerTransportOptions& options, const Clock* clock,
                 GrpcWork* work, PeerTransportCounters* counters);

  // Any thread.
  void Send(std::string bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  // What waits to be sent.
  struct Queue {
    size_t envelopes = 0;
    size_t bytes = 0;
  };
  [[nodiscard]] Queue queue() const ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    return {.envelopes = queue_.size(), .bytes = queue_bytes_};
  }
  // True when it carried nothing since `since` and is now closed for good.
  bool CloseIfUnusedSince(MonotonicTime since) ABSL_LOCKS_EXCLUDED(mutex_);
  // Drops what waits and cancels what is under way. Later sends are dropped.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

  void Proceed(bool ok) override;

 private:
  enum class Phase { kStarting, kWriting, kFinishing };
  // One gRPC call. A broken one is replaced.
  struct Call {
    grpc::ClientContext context;
    internal::v1::DeliverEnd end;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncWriter<internal::v1::Frame>> writer;
    MonotonicTime opened;
  };

  // For the owner: gives the next operation, or gives up ownership when nothing waits.
  void Step() ABSL_LOCKS_EXCLUDED(mutex_);
  void StartCall() ABSL_LOCKS_EXCLUDED(mutex_);
  void CallEnded() ABSL_LOCKS_EXCLUDED(mutex_);
  internal::v1::Frame TakeFrame() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DropQueue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string address_;
  const GrpcPeerTransportOptions options_;
  const Clock* const clock_;
  GrpcWork* const work_;
  PeerTransportCounters* const counters_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<internal::v1::Peer::Stub> stub_;

  // The owner's.
  Phase phase_ = Phase::kStarting;
  bool was_open_ = false;

  mutable Mutex mutex_;
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<PeerSendStream> self_ ABSL_GUARDED_BY(mutex_);  // while busy
  // Replaced by the owner only.
  std::shared_ptr<Call> call_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::string> queue_ ABSL_GUARDED_BY(mutex_);
  size_t queue_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  MonotonicTime retry_after_ ABSL_GUARDED_BY(mutex_){};
  MonotonicTime last_used_ ABSL_GUARDED_BY(mutex_){};
};

// The receiving end. Owns itself from Accept until the stream has ended; one operation at
// a time, on the loop's threads.
class PeerReceiveStream final : public GrpcTag {
 public:
  // What all receiving ends share.
  struct Environment {
    internal::v1::Peer::AsyncService* service;
    GrpcWork* work;
    PeerTransportCounters* counters;
    std::function<void(std::string envelope)> receive;
    // Streams that may be open at a time: far above any sensible number of nodes.
    size_t streams_max = 4096;
    std::atomic<size_t> streams = 0;
  };

  // Waits for one more stream. `environment` outlives it.
  static void Accept(Environment* environment);

  void Proceed(bool ok) override;

 private:
  enum class Phase { kAccepting, kReading, kFinishing };

  explicit PeerReceiveStream(Environment* environment);
  ~PeerReceiveStream() = default;
  void End();

  void Begin();
  void TakeFrame();

  Environment* const environment_;
  grpc::ServerContext context_;
  grpc::ServerAsyncReader<internal::v1::DeliverEnd, internal::v1::Frame> reader_;
  internal::v1::Frame frame_;
  Phase phase_ = Phase::kAccepting;
};

}  // namespace quorate

#endif  // SERVER_REPLICATION_PEER_STREAM_GRPC_H_
