// The Transport of a real process: one gRPC channel a node, one completion queue.
#ifndef CLIENT_SRC_GRPC_TRANSPORT_H_
#define CLIENT_SRC_GRPC_TRANSPORT_H_

#include <memory>

#include "client/src/transport.h"
#include "server/runtime/runtime.h"

namespace quorate::client {

// A request is handed to gRPC only over a channel that is connected; one whose node cannot be
// connected to therefore ends as "certainly never left" (NeverSent in proto/error_detail.h), and
// only one that may have left without an answer is unknown.
//
// Answers run on `poller`, an executor that does nothing else: the transport occupies it until
// Shutdown. That is one thread for all nodes, which on two cores is faster than more (a hand-off
// costs more than an answer).
class GrpcTransport : public Transport {
 public:
  // Both outlive the transport.
  static std::unique_ptr<GrpcTransport> Create(const Clock* clock, Executor* poller);

  // Cancels all requests, waits until each has been answered, and refuses new ones (never sent).
  // Not from an answer. Idempotent. Must come before the destructor.
  virtual void Shutdown() = 0;
};

}  // namespace quorate::client

#endif  // CLIENT_SRC_GRPC_TRANSPORT_H_
