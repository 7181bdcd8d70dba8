// From what gRPC knows of a call to the CallContext that services take.
#ifndef SERVER_SERVICE_GRPC_CALL_CONTEXT_H_
#define SERVER_SERVICE_GRPC_CALL_CONTEXT_H_

#include <grpcpp/server_context.h>

#include <optional>

#include "absl/status/status.h"
#include "kv/v1/key_value.pb.h"
#include "server/service/services.h"

namespace quorate {

// The request's header where its type has one.
template <class Request>
const kv::v1::RequestHeader* HeaderOf(const Request& request) {
  if constexpr (requires { request.header(); }) {
    return &request.header();
  } else {
    return nullptr;
  }
}

// The same for its key.
template <class Request>
size_t KeyBytesOf(const Request& request) {
  if constexpr (requires { request.key(); }) {
    return request.key().size();
  } else {
    return 0;
  }
}

// When the caller gives up: the earlier of the gRPC deadline and header.timeout_ms; nothing when
// neither was given. Of the gRPC deadline a little is kept back, so that the answer, which says
// whether a write may have happened, still reaches a client that stops listening at that instant.
std::optional<MonotonicTime> ExplicitDeadline(const grpc::ServerContext& server_context,
                                              const kv::v1::RequestHeader* header,
                                              MonotonicTime now);

CallContext MakeCallContext(const grpc::ServerContext& server_context,
                            const kv::v1::RequestHeader* header, Duration default_timeout,
                            const Clock& clock);

// For a reply that the service let go of without giving it.
absl::Status DroppedReplyError(bool writes);

// Ends a call whose client does not take its answer, with RESOURCE_EXHAUSTED; what was written and
// not taken is dropped. The status needs no room in the client's window, but carries no detail.
void BreakOffUnread(grpc::ServerContext& server_context);

}  // namespace quorate

#endif  // SERVER_SERVICE_GRPC_CALL_CONTEXT_H_
