// PeerNetwork over gRPC: one client stream of internal.v1.Peer.Deliver to each address in use.
#ifndef SERVER_REPLICATION_PEER_TRANSPORT_GRPC_H_
#define SERVER_REPLICATION_PEER_TRANSPORT_GRPC_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/runtime/runtime.h"

namespace quorate {

class GrpcCompletionLoop;

struct GrpcPeerTransportOptions {
  // host:port; port 0 takes a free one.
  std::string listen = "127.0.0.1:7402";
  // Waiting for one peer beyond this: dropped, newest first.
  size_t queue_bytes_max = size_t{64} << 20;
  // Addresses sent to at a time; a node answers whoever asks it. What is for more is dropped.
  size_t streams_max = 4096;
  // Envelopes that gathered go out together in frames of about this size.
  size_t frame_bytes = size_t{4} << 20;
  // Largest frame taken. An envelope that does not fit into one is dropped.
  size_t receive_bytes_max = size_t{64} << 20;
  // After an attempt to connect failed, what is sent within this time is dropped at once. gRPC's
  // own back-off grows to a second on top of it.
  Duration retry_delay = std::chrono::milliseconds(100);
  // Streams that carried nothing for this long are closed.
  Duration idle_max = std::chrono::minutes(3);
  // How often such streams are looked for.
  Duration sweep_interval = std::chrono::seconds(30);
  // What carries all of it, beside others; outlives the transport. Null: a loop of its own.
  GrpcCompletionLoop* loop = nullptr;
  // Where its figures are told.
  std::shared_ptr<MetricsRegistry> metrics = std::make_shared<MetricsRegistry>();
};

struct PeerTransportStats {
  uint64_t envelopes_sent = 0;
  uint64_t envelopes_received = 0;
  uint64_t envelopes_dropped = 0;  // queue full, not connected or too large
  uint64_t frames_sent = 0;
  size_t streams = 0;  // outgoing
};

// Batches by back-pressure: what is sent while a frame is on its way into the network goes out as
// the next frame. A dead link is noticed within about three seconds (HTTP/2 pings and
// TCP_USER_TIMEOUT), and a healed one is found again within about two.
//
// Owned by main(), which destroys it after the node that sends by it. A loop's thread carries
// both directions. Send may be called from any thread and from within the receiver.
class GrpcPeerTransport : public PeerNetwork {
 public:
  // Listens at once; what arrives before SetReceiver is dropped. Fails when the address cannot be
  // listened on, naming why and what may help. `clock` outlives the transport.
  static absl::StatusOr<std::unique_ptr<GrpcPeerTransport>> Start(
      const GrpcPeerTransportOptions& options, const Clock* clock);

  // The port listened on.
  [[nodiscard]] virtual int port() const = 0;
  [[nodiscard]] virtual PeerTransportStats stats() const = 0;
};

}  // namespace quorate

#endif  // SERVER_REPLICATION_PEER_TRANSPORT_GRPC_H_
