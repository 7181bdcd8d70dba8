#include "proto/grpc_status.h"

#include <string>

#include "absl/strings/string_view.h"
#include "kv/v1/errors.pb.h"
#include "kv/v1/rpc_status.pb.h"
#include "proto/error_detail.h"

namespace quorate {

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) {
    return grpc::Status::OK;
  }
  const auto code = static_cast<grpc::StatusCode>(status.code());
  const std::string message(status.message());
  const auto detail = DetailOf(status);
  if (!detail) {
    return {code, message};
  }
  kv::v1::RpcStatus wire;
  wire.set_code(static_cast<int32_t>(code));
  wire.set_message(message);
  wire.add_details()->PackFrom(*detail);
  return {code, message, wire.SerializeAsString()};
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) {
    return absl::OkStatus();
  }
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  kv::v1::RpcStatus wire;
  kv::v1::ErrorDetail detail;
  if (wire.ParseFromString(status.error_details()) && wire.details_size() > 0 &&
      wire.details(0).UnpackTo(&detail) && CodeOf(detail.reason()) == code) {
    return MakeError(detail, status.error_message());
  }
  return {code, status.error_message()};
}

}  // namespace quorate
