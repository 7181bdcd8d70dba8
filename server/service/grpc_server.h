// The client port: kv.v1.KeyValue and kv.v1.Admin over gRPC, with health and reflection.
#ifndef SERVER_SERVICE_GRPC_SERVER_H_
#define SERVER_SERVICE_GRPC_SERVER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/service/admission.h"
#include "server/service/request_metrics.h"
#include "server/service/services.h"

namespace quorate {

class GrpcCompletionLoop;

inline constexpr Duration kCrowdedReaderTimeout = std::chrono::seconds(2);

struct GrpcServerOptions {
  // host:port; port 0 takes a free one.
  std::string listen = "127.0.0.1:7400";
  // Threads that wait for network events and run the handlers. More than one costs hand-offs and
  // pays only on machines with cores to spare.
  size_t polling_threads = 1;
  // Has these threads instead, if there is one that carries more than this server; outlives it.
  GrpcCompletionLoop* loop = nullptr;
  // Largest message taken or sent. Room for a value of 16 MiB and its key.
  size_t message_bytes_max = size_t{20} << 20;
  // Connections open at a time; more are closed at once.
  size_t connections_max = 10'000;
  // Requests that one connection may have open; its client holds back more.
  size_t streams_per_connection_max = 1024;
  // What gRPC may hold for all connections before it slows them down, and then ends requests that
  // are still on their way in. 0: as much as it likes.
  size_t network_bytes_max = size_t{512} << 20;
  // Requests in flight, and what the process's memory allows.
  AdmissionLimits limits{};
  // What the process uses now; for limits.memory_bytes_max.
  std::function<size_t()> memory_bytes{};
  // Called every few seconds while memory is short: to give back what is free. Must not block.
  std::function<void()> return_memory{};
  // An answer that its client does not take for so long is dropped, and the request ended; when
  // answers crowd the node, after kCrowdedReaderTimeout.
  Duration slow_reader_timeout = std::chrono::seconds(30);
  // Calls waited for at a time, per method of KeyValue: what can arrive in one burst without going
  // through gRPC's own queue.
  size_t accepts_per_method = 32;
  // Figures and log lines of the requests.
  RequestMetricsOptions observe{};
};

// An adapter: decodes, hands over to the services, and writes the reply from whatever thread it
// comes on. Every request is answered exactly once, also when a service drops it.
//
// Owned by main(). Order at the end: Drain, then stop what serves (all replies are given then),
// then destroy the server, which waits for those replies.
class GrpcServer {
 public:
  // Listens and takes requests. `clock` and the services outlive the server. Fails when the address
  // cannot be listened on, naming why and what may help.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(const GrpcServerOptions& options,
                                                           const Clock* clock,
                                                           KeyValueService* key_value,
                                                           AdminService* admin);
  virtual ~GrpcServer() = default;

  // The port listened on.
  [[nodiscard]] virtual int port() const = 0;
  // What grpc.health.v1 answers, for the node as a whole and for each service. At first: not
  // serving. Any thread.
  virtual void SetServing(bool serving) = 0;
  // Requests being served or answered.
  [[nodiscard]] virtual size_t requests_inflight() const = 0;
  // Open connections.
  [[nodiscard]] virtual size_t connections() const = 0;
  // Takes no new requests and waits until those in flight have ended, at most `grace`; then cancels
  // the rest for their clients. Once.
  virtual void Drain(Duration grace) = 0;
};

}  // namespace quorate

#endif  // SERVER_SERVICE_GRPC_SERVER_H_
