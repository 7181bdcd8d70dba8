// absl::Status with an ErrorDetail <-> grpc::Status with the same detail in its trailer. For the
// gRPC adapters of server and client only.
#ifndef PROTO_GRPC_STATUS_H_
#define PROTO_GRPC_STATUS_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace quorate {

[[nodiscard]] grpc::Status ToGrpc(const absl::Status& status);
// A status whose trailer holds no readable detail keeps code and message, without a detail.
[[nodiscard]] absl::Status FromGrpc(const grpc::Status& status);

}  // namespace quorate

#endif  // PROTO_GRPC_STATUS_H_
