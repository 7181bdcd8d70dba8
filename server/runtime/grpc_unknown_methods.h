// The answer to calls of methods that a server does not have.
#ifndef SERVER_RUNTIME_GRPC_UNKNOWN_METHODS_H_
#define SERVER_RUNTIME_GRPC_UNKNOWN_METHODS_H_

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/server_builder.h>

#include "server/runtime/grpc_completion_loop.h"

namespace quorate {

// Answers UNIMPLEMENTED. gRPC would do it by itself, but on a queue of the server's own, which
// nobody polls where a server joined a loop (GrpcCompletionLoop::Start).
//
// Owned by that loop; outlives the server and its work.
class GrpcUnknownMethods {
 public:
  void Register(grpc::ServerBuilder& builder) { builder.RegisterAsyncGenericService(&service_); }
  // Takes calls from here on, until the server is shut down. Once, when the server has started.
  void Accept(GrpcWork* work);

 private:
  class Call;

  grpc::AsyncGenericService service_;
};

}  // namespace quorate

#endif  // SERVER_RUNTIME_GRPC_UNKNOWN_METHODS_H_
