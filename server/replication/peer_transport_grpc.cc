#include "server/replication/peer_transport_grpc.h"

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <chrono>
#include <map>
#include <optional>
#include <vector>

#include "server/replication/peer_stream_grpc.h"
#include "server/runtime/grpc_listen.h"

namespace quorate {
namespace {

constexpr size_t kAccepts = 8;
constexpr int kPingIntervalMinMs = 200;
constexpr int kServerKeepaliveTimeMs = 10'000;
constexpr int kServerKeepaliveTimeoutMs = 5'000;
// Lets a whole frame arrive before gRPC has measured what the link can hold.
constexpr int kLookaheadBytes = 4 << 20;

class GrpcPeerTransportImpl final : public GrpcPeerTransport {
 public:
  GrpcPeerTransportImpl(const GrpcPeerTransportOptions& options, const Clock* clock)
      : options_(options), clock_(clock), next_sweep_(clock->Now() + options.sweep_interval) {}
  ~GrpcPeerTransportImpl() override;

  absl::Status Listen();

  void Send(const std::string& address, std::string bytes) override;
  void SetReceiver(Receiver receiver) override {
    MutexLock lock(&receiver_mutex_);
    receiver_ = std::move(receiver);
  }
  [[nodiscard]] int port() const override { return port_; }
  [[nodiscard]] PeerTransportStats stats() const override;

 private:
  using Streams = std::map<std::string, std::shared_ptr<PeerSendStream>>;

  void Receive(std::string envelope) {
    // Held during the call, so that calls come one by one and SetReceiver(nullptr) waits for them.
    MutexLock lock(&receiver_mutex_);
    if (receiver_) receiver_(std::move(envelope));
  }
  void AddCollectors();
  std::shared_ptr<PeerSendStream> StreamTo(const std::string& address);
  void CloseUnusedStreams(MonotonicTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(streams_mutex_);

  const GrpcPeerTransportOptions options_;
  const Clock* const clock_;
  int port_ = 0;
  PeerTransportCounters counters_;

  Mutex receiver_mutex_;
  Receiver receiver_ ABSL_GUARDED_BY(receiver_mutex_);

  mutable Mutex streams_mutex_;
  Streams streams_ ABSL_GUARDED_BY(streams_mutex_);
  bool closed_ ABSL_GUARDED_BY(streams_mutex_) = false;
  MonotonicTime next_sweep_ ABSL_GUARDED_BY(streams_mutex_);

  internal::v1::Peer::AsyncService service_;
  PeerReceiveStream::Environment environment_{};
  std::unique_ptr<GrpcCompletionLoop> own_loop_;
  std::optional<GrpcWork> work_;
  std::unique_ptr<grpc::Server> server_;
  // Last: they read what is above.
  std::vector<std::shared_ptr<void>> collectors_;
};

GrpcPeerTransportImpl::~GrpcPeerTransportImpl() {
  collectors_.clear();
  if (!server_) return;
  SetReceiver(nullptr);
  Streams streams;
  {
    MutexLock lock(&streams_mutex_);
    closed_ = true;
    streams.swap(streams_);
  }
  for (auto& [address, stream] : streams) stream->Close();
  server_->Shutdown(std::chrono::system_clock::now());
  work_->AwaitEnd();
  server_.reset();
  if (own_loop_) own_loop_->Stop();
}

absl::Status GrpcPeerTransportImpl::Listen() {
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(static_cast<int>(options_.receive_bytes_max));
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // Ends what a vanished sender left open; the sending end looks for dead links more eagerly.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kServerKeepaliveTimeMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kServerKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kPingIntervalMinMs);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kLookaheadBytes);
  builder.AddListeningPort(options_.listen, grpc::InsecureServerCredentials(), &port_);
  builder.RegisterService(&service_);
  if (options_.loop == nullptr) {
    own_loop_ = std::make_unique<GrpcCompletionLoop>(builder, 1, "grpc_peers");
  }
  work_.emplace(own_loop_ ? own_loop_.get() : options_.loop);
  server_ = work_->loop()->Start(builder, &*work_);
  if (!server_) {
    return ExplainListenFailure(options_.listen, "--peer-listen");
  }
  environment_.service = &service_;
  environment_.work = &*work_;
  environment_.counters = &counters_;
  environment_.receive = [this](std::string envelope) { Receive(std::move(envelope)); };
  AddCollectors();
  for (size_t i = 0; i < kAccepts; ++i) PeerReceiveStream::Accept(&environment_);
  return absl::OkStatus();
}

void GrpcPeerTransportImpl::AddCollectors() {
  using Queue = PeerSendStream::Queue;
  const auto add = [this](const char* name, const char* help, std::vector<std::string> labels,
                          const char* kind, std::function<std::vector<Sample>()> collect) {
    collectors_.push_back(options_.metrics->AddCollector(
        {.name = name, .help = help, .labels = std::move(labels)}, kind, std::move(collect)));
  };
  const auto count = [&](const char* name, const char* help, uint64_t PeerTransportStats::* field) {
    add(name, help, {}, "counter",
        [this, field] { return std::vector<Sample>{{{}, static_cast<double>(stats().*field)}}; });
  };
  const auto queues = [&](const char* name, const char* help, size_t Queue::* field) {
    add(name, help, {"peer"}, "gauge", [this, field] {
      std::vector<Sample> samples;
      MutexLock lock(&streams_mutex_);
      for (const auto& [address, stream] : streams_) {
        samples.push_back({{address}, static_cast<double>(stream->queue().*field)});
      }
      return samples;
    });
  };
  count("quorate_peer_envelopes_sent_total", "Envelopes sent to other nodes.",
        &PeerTransportStats::envelopes_sent);
  count("quorate_peer_envelopes_received_total", "Envelopes received from other nodes.",
        &PeerTransportStats::envelopes_received);
  count("quorate_peer_envelopes_dropped_total",
        "Envelopes not sent: queue full, no connection or too large.",
        &PeerTransportStats::envelopes_dropped);
  count("quorate_peer_frames_sent_total", "Messages that carried the envelopes sent.",
        &PeerTransportStats::frames_sent);
  queues("quorate_peer_queue_envelopes", "Envelopes that wait to be sent.", &Queue::envelopes);
  queues("quorate_peer_queue_bytes", "Size of the envelopes that wait to be sent.", &Queue::bytes);
}

void GrpcPeerTransportImpl::Send(const std::string& address, std::string bytes) {
  if (const auto stream = StreamTo(address)) {
    stream->Send(std::move(bytes));
  } else {
    counters_.envelopes_dropped.fetch_add(1, std::memory_order_relaxed);
  }
}

std::shared_ptr<PeerSendStream> GrpcPeerTransportImpl::StreamTo(const std::string& address) {
  const MonotonicTime now = clock_->Now();
  MutexLock lock(&streams_mutex_);
  if (closed_) return nullptr;
  if (now >= next_sweep_) CloseUnusedStreams(now);
  if (const auto found = streams_.find(address); found != streams_.end()) return found->second;
  if (streams_.size() >= options_.streams_max) return nullptr;
  auto stream = std::make_shared<PeerSendStream>(address, options_, clock_, &*work_, &counters_);
  return streams_.emplace(address, std::move(stream)).first->second;
}

void GrpcPeerTransportImpl::CloseUnusedStreams(MonotonicTime now) {
  next_sweep_ = now + options_.sweep_interval;
  for (auto it = streams_.begin(); it != streams_.end();) {
    it = it->second->CloseIfUnusedSince(now - options_.idle_max) ? streams_.erase(it)
                                                                 : std::next(it);
  }
}

PeerTransportStats GrpcPeerTransportImpl::stats() const {
  PeerTransportStats stats;
  stats.envelopes_sent = counters_.envelopes_sent.load();
  stats.envelopes_received = counters_.envelopes_received.load();
  stats.envelopes_dropped = counters_.envelopes_dropped.load();
  stats.frames_sent = counters_.frames_sent.load();
  MutexLock lock(&streams_mutex_);
  stats.streams = streams_.size();
  return stats;
}

}  // namespace

absl::StatusOr<std::unique_ptr<GrpcPeerTransport>> GrpcPeerTransport::Start(
    const GrpcPeerTransportOptions& options, const Clock* clock) {
  auto transport = std::make_unique<GrpcPeerTransportImpl>(options, clock);
  if (absl::Status status = transport->Listen(); !status.ok()) return status;
  return transport;
}

}  // namespace quorate
