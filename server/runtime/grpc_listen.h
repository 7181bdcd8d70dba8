// Why a server could not listen, in words that help.
#ifndef SERVER_RUNTIME_GRPC_LISTEN_H_
#define SERVER_RUNTIME_GRPC_LISTEN_H_

#include <string>

#include "absl/status/status.h"

namespace quorate {

// gRPC and the HTTP library say only that listening failed. Tries a plain bind to find the cause.
// `flag` is the command-line flag that sets the address, for the advice. Never OK.
[[nodiscard]] absl::Status ExplainListenFailure(const std::string& address,
                                                const std::string& flag);

}  // namespace quorate

#endif  // SERVER_RUNTIME_GRPC_LISTEN_H_
