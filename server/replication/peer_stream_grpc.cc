#include "server/replication/peer_stream_grpc.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <chrono>

#include "server/runtime/check.h"
#include "server/runtime/log.h"

namespace quorate {
namespace {

// A ping a second when there is traffic or a stream; two seconds without an answer end the link.
constexpr int kKeepaliveTimeMs = 1000;
constexpr int kKeepaliveTimeoutMs = 2000;
constexpr int kReconnectBackoffMinMs = 100;
constexpr int kReconnectBackoffMaxMs = 1000;
// gRPC takes its "minimum back-off" for the time an attempt to connect may take (20 s if unset).
constexpr int kConnectTimeoutMs = 1000;
// A lost packet to a name server costs this; the resolver itself would wait for many seconds.
constexpr int kResolveTimeoutMs = 2000;
// A call that ended sooner than this after it began counts as a failed attempt.
constexpr Duration kShortLife = std::chrono::seconds(1);
// Room for a frame's own bytes around one envelope.
constexpr size_t kFrameOverhead = 64;

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address,
                                           const GrpcPeerTransportOptions& options) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectBackoffMinMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectBackoffMaxMs);
  arguments.SetInt(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, kReconnectBackoffMaxMs);
  arguments.SetInt(GRPC_ARG_DNS_ARES_QUERY_TIMEOUT_MS, kResolveTimeoutMs);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetMaxSendMessageSize(static_cast<int>(options.receive_bytes_max));
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

PeerSendStream::PeerSendStream(std::string address, const GrpcPeerTransportOptions& options,
                               const Clock* clock, GrpcWork* work, PeerTransportCounters* counters)
    : address_(std::move(address)),
      options_(options),
      clock_(clock),
      work_(work),
      counters_(counters),
      channel_(MakeChannel(address_, options_)),
      stub_(internal::v1::Peer::NewStub(channel_)) {}

void PeerSendStream::Send(std::string bytes) {
  const MonotonicTime now = clock_->Now();
  {
    MutexLock lock(&mutex_);
    const bool fits = bytes.size() + kFrameOverhead <= options_.receive_bytes_max &&
                      queue_bytes_ + bytes.size() <= options_.queue_bytes_max;
    if (closed_ || now < retry_after_ || !fits) {
      counters_->envelopes_dropped.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    last_used_ = now;
    queue_bytes_ += bytes.size();
    queue_.push_back(std::move(bytes));
    if (busy_) return;
    busy_ = true;
    self_ = shared_from_this();
    work_->Begin();
  }
  Step();
}

bool PeerSendStream::CloseIfUnusedSince(MonotonicTime since) {
  MutexLock lock(&mutex_);
  if (busy_ || last_used_ >= since) return false;
  closed_ = true;
  call_.reset();  // cancels it
  return true;
}

void PeerSendStream::Close() {
  MutexLock lock(&mutex_);
  closed_ = true;
  DropQueue();
  if (call_) call_->context.TryCancel();
}

void PeerSendStream::DropQueue() {
  counters_->envelopes_dropped.fetch_add(queue_.size(), std::memory_order_relaxed);
  queue_.clear();
  queue_bytes_ = 0;
}

internal::v1::Frame PeerSendStream::TakeFrame() {
  internal::v1::Frame frame;
  size_t bytes = 0;
  while (!queue_.empty() && (bytes == 0 || bytes + queue_.front().size() <= options_.frame_bytes)) {
    bytes += queue_.front().size();
    frame.add_envelopes(std::move(queue_.front()));
    queue_.pop_front();
  }
  queue_bytes_ -= bytes;
  return frame;
}

void PeerSendStream::Step() {
  std::shared_ptr<PeerSendStream> self;
  std::shared_ptr<Call> call;
  internal::v1::Frame frame;
  bool start = false;
  {
    MutexLock lock(&mutex_);
    if (queue_.empty()) {
      // A sender may become the owner from here on; this object lives as long as `self`.
      busy_ = false;
      self = std::move(self_);
    } else if (call_) {
      call = call_;
      frame = TakeFrame();
    } else {
      start = true;
    }
  }
  if (start) {
    StartCall();
    return;
  }
  if (!call) {
    GrpcWork* const work = work_;
    self.reset();  // perhaps the last holder
    work->End();
    return;
  }
  phase_ = Phase::kWriting;
  counters_->frames_sent.fetch_add(1, std::memory_order_relaxed);
  counters_->envelopes_sent.fetch_add(static_cast<uint64_t>(frame.envelopes_size()),
                                      std::memory_order_relaxed);
  call->writer->Write(frame, this);
}

void PeerSendStream::StartCall() {
  auto call = std::make_shared<Call>();
  call->opened = clock_->Now();
  call->writer = stub_->PrepareAsyncDeliver(&call->context, &call->end, work_->queue());
  {
    MutexLock lock(&mutex_);
    call_ = call;
    if (closed_) call->context.TryCancel();
  }
  phase_ = Phase::kStarting;
  was_open_ = false;
  call->writer->StartCall(this);
}

void PeerSendStream::Proceed(bool ok) {
  if (phase_ == Phase::kFinishing) {
    CallEnded();
    return;
  }
  if (!ok) {
    std::shared_ptr<Call> call;
    {
      MutexLock lock(&mutex_);
      call = call_;
    }
    phase_ = Phase::kFinishing;
    call->writer->Finish(&call->status, this);
    return;
  }
  if (phase_ == Phase::kStarting) {
    was_open_ = true;
    LogInfo("peer/connected", {{"address", address_}});
  }
  Step();
}

void PeerSendStream::CallEnded() {
  const MonotonicTime now = clock_->Now();
  std::shared_ptr<Call> ended;
  {
    MutexLock lock(&mutex_);
    ended = std::move(call_);
    call_.reset();
    // What waited for a link that did not come is stale; after a broken link it may still go.
    if (!was_open_ || now - ended->opened < kShortLife) {
      retry_after_ = now + options_.retry_delay;
      DropQueue();
    }
  }
  if (was_open_) {
    LogInfo("peer/disconnected", {{"address", address_}, {"cause", ended->status.error_message()}});
  }
  Step();
}

void PeerReceiveStream::Accept(Environment* environment) {
  auto* stream = new PeerReceiveStream(environment);
  grpc::ServerCompletionQueue* const queue = environment->work->queue();
  environment->service->RequestDeliver(&stream->context_, &stream->reader_, queue, queue, stream);
}

PeerReceiveStream::PeerReceiveStream(Environment* environment)
    : environment_(environment), reader_(&context_) {
  environment_->work->Begin();
}

void PeerReceiveStream::End() {
  if (phase_ != Phase::kAccepting) --environment_->streams;
  GrpcWork* const work = environment_->work;
  delete this;
  work->End();
}

void PeerReceiveStream::Proceed(bool ok) {
  switch (phase_) {
    case Phase::kAccepting:
      if (!ok) {
        End();
        return;
      }
      Accept(environment_);
      Begin();
      return;
    case Phase::kReading:
      if (ok) {
        TakeFrame();
        return;
      }
      phase_ = Phase::kFinishing;
      reader_.Finish({}, grpc::Status::OK, this);
      return;
    case Phase::kFinishing:
      End();
      return;
  }
}

void PeerReceiveStream::Begin() {
  phase_ = Phase::kReading;
  if (++environment_->streams > environment_->streams_max) {
    phase_ = Phase::kFinishing;
    reader_.FinishWithError({grpc::StatusCode::RESOURCE_EXHAUSTED, "too many peer streams"}, this);
    return;
  }
  reader_.Read(&frame_, this);
}

void PeerReceiveStream::TakeFrame() {
  environment_->counters->envelopes_received.fetch_add(
      static_cast<uint64_t>(frame_.envelopes_size()), std::memory_order_relaxed);
  for (std::string& envelope : *frame_.mutable_envelopes()) {
    environment_->receive(std::move(envelope));
  }
  frame_.Clear();
  reader_.Read(&frame_, this);
}

}  // namespace quorate
